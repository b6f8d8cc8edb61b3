"""The simulated UR5 with its gripper: PyBullet joints driven as real controllers drive theirs."""

import os
import tempfile
from collections import deque
from functools import cached_property
from typing import Any

import numpy as np

from vpg_ros.atomic import code_of
from vpg_ros.devices.description import expand, link_shapes
from vpg_ros.devices.gripper_data import RG2, GripperData
from vpg_ros.devices.kinematics import HOME_JOINTS, JOINT_NAMES
from vpg_ros.errors import VpgError
from vpg_ros.geometry import FloatArray, Workspace
from vpg_ros.sim.contacts import ContactForces, magnitude
from vpg_ros.sim.controller.link import RobotCommand, RobotState
from vpg_ros.sim.shapes import mesh

STROKE = RG2.stroke  # m between the fingertips, fully open
START_WIDTH = 0.085  # m
MIN_FORCE, MAX_FORCE = RG2.min_force, RG2.max_force  # N
GRIPPER_SPEED = 0.150  # m/s of the width
# Nm; what presses against the tool meets 130 N at most, as from an arm with its safety functions
# on, rather than the motors' 150 Nm.
TORQUES = (50.0, 50.0, 50.0, 28.0, 28.0, 28.0)

FINGER_JOINTS = ("left_finger_joint", "right_finger_joint")
FINGER_LINKS = ("left_finger_link", "right_finger_link")
GRIPPER_LINKS = ("gripper_link", *FINGER_LINKS)

# A joint reaches its target within one step, as far as its torque allows.
_POSITION_GAIN = 1.0
# Share of the arm's masses that physics sees. Its controllers hide gravity and inertia from what it
# touches, and an iterative solver lets a heavy arm squeeze a light block into the table.
_APPARENT_MASS = 0.1
_LEAD = 5e-4  # m by which one finger may be further than the other
# PyBullet multiplies the friction of two bodies: against these, an object's own counts.
_FRICTION = 1.0
_NO_FORCE = np.zeros(3)
_NO_FORCE.flags.writeable = False
# Fingers stand still when they moved less than _STILL m over _STILL_STEPS steps …
_STILL, _STILL_STEPS = 1e-3, 6
# … and hold something when they do so further than this from their target, m.
_SHORT_OF_TARGET = 2e-3


class Robot:
    """One arm with its gripper, in one PyBullet client.

    The gripper is an RG2's, as long as ``gripper`` says; its driver keeps to the stroke of another.

    Targets hold until they are replaced; motors are limited to the real joints' torques, so that
    what is touched pushes back. Angles in rad, widths in m, forces in N.

    shapes: what its links look like. links: index of each by name. target: joints it heads for.
    tool: TCP in the frame of ``tool0``, 4×4.
    """

    def __init__(
        self, client: Any, workspace: Workspace, dt: float, gripper: GripperData = RG2
    ) -> None:
        self._client, self._stride = client, GRIPPER_SPEED / 2 * dt
        self.tool = gripper.tool.matrix
        urdf = expand(
            robot=True, cell=False, frames=False, workspace=workspace, tool_length=gripper.length
        )
        self.shapes = link_shapes(urdf)
        self.body = _load(client, urdf)
        infos = [client.getJointInfo(self.body, i) for i in range(client.getNumJoints(self.body))]
        joints = {info[1].decode(): info[0] for info in infos}
        self.links = {"base_link_inertia": -1} | {info[12].decode(): info[0] for info in infos}
        self._arm = [joints[name] for name in JOINT_NAMES]
        self._fingers = [joints[name] for name in FINGER_JOINTS]
        touching = [self.links[name] for name in GRIPPER_LINKS]
        self._contacts = ContactForces(client, self.body, touching)
        self._path: deque[FloatArray] = deque()
        self._widths: deque[float] = deque(maxlen=_STILL_STEPS)
        self._width_target, self._force = START_WIDTH, MAX_FORCE
        self._contact_force = _NO_FORCE
        _prepare(client, self.body, self._fingers)
        self.teleport(HOME_JOINTS)
        self.teleport_fingers(START_WIDTH)

    def apply(self, command: RobotCommand, steps: int = 2) -> None:
        """Head for ``command`` so that its joints are reached after ``steps`` physics steps."""
        fractions = np.arange(1, steps + 1)[:, None] / steps
        self._path = deque(self.target + fractions * (np.asarray(command.joints) - self.target))
        self.grip(command.gripper_width, command.gripper_force)

    def servo(self, joints: FloatArray) -> None:
        """Head for ``joints`` at once."""
        self._path.clear()
        self._drive(joints)

    def grip(self, width: float, force: float) -> None:
        """Head for ``width`` between the fingertips with at most ``force`` N on each."""
        target = float(np.clip(width, 0.0, STROKE))
        strength = float(np.clip(force, MIN_FORCE, MAX_FORCE))
        if (target, strength) != (self._width_target, self._force):
            self._width_target, self._force = target, strength
            self._widths.clear()

    def joints(self) -> FloatArray:
        """Six joint angles, rad."""
        return np.array([s[0] for s in self._client.getJointStates(self.body, self._arm)])

    def velocities(self) -> FloatArray:
        """Six joint velocities, rad/s."""
        return np.array([s[1] for s in self._client.getJointStates(self.body, self._arm)])

    def width(self) -> float:
        """Distance between the fingertips, m."""
        return max(0.0, sum(self._fingers_at))

    def is_still(self) -> bool:
        """Whether the fingers stand still, at their target or against something."""
        full = len(self._widths) == _STILL_STEPS
        return full and max(self._widths) - min(self._widths) < _STILL

    def is_holding(self) -> bool:
        """Whether something other than their target stopped the fingers."""
        return self.is_still() and abs(self._widths[-1] - self._width_target) > _SHORT_OF_TARGET

    def wrench(self) -> FloatArray:
        """Contact force (N) and torque (Nm) upon the gripper about the TCP, 6, base axes."""
        points, forces = self._contacts.read()
        torques = np.cross(points - self.tip()[:3, 3], forces)
        return np.concatenate([forces.sum(axis=0), torques.sum(axis=0)])

    def force(self) -> FloatArray:
        """Contact force upon the gripper in the last step, 3, N, base axes."""
        return self._contact_force

    def corners(self, width: float) -> FloatArray:
        """Corners of the gripper's parts in the TCP frame with the fingers at ``width``, P×8×3."""
        closed, sides = self._parts
        return closed + width * sides

    @cached_property
    def _parts(self) -> tuple[FloatArray, FloatArray]:
        """Those corners at width 0, and how far each moves for 1 m of width, P×1×3."""
        offsets = {"gripper_link": -self.tool[:3, 3]} | dict.fromkeys(FINGER_LINKS, np.zeros(3))
        opening = dict(zip(FINGER_LINKS, (0.5, -0.5), strict=True))
        parts = [link for link in self.shapes if link.name in offsets]
        closed = [mesh(link.shapes).vertices + offsets[link.name] for link in parts]
        sides = [[[opening.get(link.name, 0.0), 0.0, 0.0]] for link in parts]
        return np.array(closed), np.array(sides)

    def pressure(self) -> float:
        """How large that force is, N."""
        return magnitude(self._contact_force)

    def tip(self) -> FloatArray:
        """Pose of the TCP in the base frame as it really is, 4×4."""
        return self.link_pose("wrist_3_link") @ self.tool

    def velocity_at(self, point: tuple[float, float, float]) -> tuple[list[float], list[float]]:
        """Velocity (m/s) and turning (rad/s) of what is fixed to the tool at a point, base axes."""
        state = self._client.getLinkState(
            self.body,
            self.links["wrist_3_link"],
            computeLinkVelocity=1,
            computeForwardKinematics=1,
        )
        centre, linear, angular = (np.array(state[i]) for i in (0, 6, 7))
        return (linear + np.cross(angular, point - centre)).tolist(), angular.tolist()

    def link_pose(self, name: str) -> FloatArray:
        """Pose of a link's frame in the base frame, 4×4."""
        pose = np.eye(4)
        if self.links[name] >= 0:
            state = self._client.getLinkState(
                self.body, self.links[name], computeForwardKinematics=1
            )
            pose[:3, :3] = np.reshape(self._client.getMatrixFromQuaternion(state[5]), (3, 3))
            pose[:3, 3] = state[4]
        return pose

    def state(self, time: float) -> RobotState:
        """What the controller is told at simulated ``time`` s."""
        return RobotState(time, self.joints(), self.velocities(), self.wrench(), self.width())

    def before_step(self) -> None:
        """Follow the commanded path; the world calls it before each physics step."""
        if self._path:
            self._drive(self._path.popleft())
        self._drive_fingers()

    def after_step(self) -> None:
        """Watch fingers and contact; the world calls it after each physics step."""
        states = self._client.getJointStates(self.body, self._fingers)
        self._fingers_at = [float(state[0]) for state in states]
        self._widths.append(self.width())
        _, forces = self._contacts.read()
        self._contact_force = forces.sum(axis=0) if len(forces) else _NO_FORCE

    def teleport(self, joints: FloatArray, velocities: FloatArray | None = None) -> None:
        """Be at ``joints``, moving at ``velocities`` (rad/s; 0 by default); no time passes."""
        rates = np.zeros(6) if velocities is None else velocities
        for joint, angle, rate in zip(self._arm, joints, rates, strict=True):
            self._client.resetJointState(self.body, joint, float(angle), float(rate))
        self.servo(np.asarray(joints, dtype=float))

    def teleport_fingers(self, width: float) -> None:
        """Have the fingers stand at ``width``, with no time passing."""
        for joint in self._fingers:
            self._client.resetJointState(self.body, joint, width / 2)
        self._fingers_at = [width / 2, width / 2]
        self._width_target = width
        self._widths.extend([width] * _STILL_STEPS)

    def _drive(self, joints: FloatArray) -> None:
        self.target = np.array(joints)
        self._client.setJointMotorControlArray(
            self.body,
            self._arm,
            self._client.POSITION_CONTROL,
            targetPositions=self.target.tolist(),
            forces=TORQUES,
            positionGains=[_POSITION_GAIN] * 6,
        )

    def _drive_fingers(self) -> None:
        """One step of the fingers: towards their target at their speed, and always together.

        PyBullet's gear constraint lets a grip drift to one side, so the coupling is done here: no
        finger may lead the other by more than _LEAD, and one that does is pushed back.
        """
        now = self._fingers_at
        goal, stride = self._width_target / 2, self._stride
        opening = goal > sum(now) / 2
        targets, forces = [], []
        for own, other in zip(now, reversed(now), strict=True):
            target = own + min(max(goal - own, -stride), stride)
            target = min(target, other + _LEAD) if opening else max(target, other - _LEAD)
            pushed_back = target < own if opening else target > own
            targets.append(target)
            forces.append(2 * self._force if pushed_back else self._force)
        self._client.setJointMotorControlArray(
            self.body,
            self._fingers,
            self._client.POSITION_CONTROL,
            targetPositions=targets,
            forces=forces,
            positionGains=[_POSITION_GAIN] * 2,
        )


def _load(client: Any, urdf: str) -> int:
    """The body of a URDF text (PyBullet reads files only, and breaks lines at 8 KiB)."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "robot.urdf")
            with open(path, "w", encoding="utf-8") as file:
                file.write(urdf.replace("><", ">\n<"))
            flags = client.URDF_USE_INERTIA_FROM_FILE
            return int(client.loadURDF(path, useFixedBase=True, flags=flags))
    except OSError as error:
        sentence = f"the folder of temporary files cannot be written to: {error.strerror or error}"
        raise VpgError(code_of(error), sentence) from error


def _prepare(client: Any, body: int, fingers: list[int]) -> None:
    """Set what a URDF cannot say."""
    for link in range(client.getNumJoints(body)):
        client.changeDynamics(body, link, lateralFriction=_FRICTION)
        if link not in fingers:
            mass, _, inertia, *_ = client.getDynamicsInfo(body, link)
            scaled = [_APPARENT_MASS * moment for moment in inertia]
            client.changeDynamics(
                body, link, mass=_APPARENT_MASS * mass, localInertiaDiagonal=scaled
            )
    for finger in fingers:
        # Static friction holds its place: without, whatever is gripped creeps out within a second.
        client.changeDynamics(body, finger, frictionAnchor=True)
    client.changeDynamics(body, -1, activationState=client.ACTIVATION_STATE_DISABLE_SLEEPING)
