"""Universal Robots arms, through the unmodified ``ur_rtde`` library."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from vpg_ros.devices.interfaces import ArmState, MoveResult
from vpg_ros.devices.kinematics import (
    MAX_JOINT_ACCELERATION,
    MAX_JOINT_SPEED,
    MAX_PAYLOAD,
    MAX_TOOL_ACCELERATION,
    MAX_TOOL_SPEED,
    UR5,
    Kinematics,
)
from vpg_ros.devices.ur_hold import Hold
from vpg_ros.devices.ur_link import UrLink
from vpg_ros.devices.ur_move import STILL, Command, Move, apart, halt
from vpg_ros.devices.ur_reading import Reading
from vpg_ros.devices.ur_recovery import check_wanted, unlock
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import FloatArray, Pose

# How far the tool may be from where its kinematics has it. Every arm is calibrated, so some mm are
# normal; two models differ by more almost everywhere, but for a ur3 and a ur3e (9 … 30 mm).
_MODEL_DISTANCE, _MODEL_ANGLE = 0.02, np.radians(2.0)  # m, rad
_STOP_WAIT, _LOOK = 3.0, 0.05  # s of wall time for a move to end, and between two looks
_UNLOCK_NEWS = 2.0  # s in which the end of a stop, known to the dashboard, reaches the link


class URArm:
    """An arm that moves its tool; see :class:`vpg_ros.devices.interfaces.Arm`.

    robot_ip: address of the controller. kinematics: arm model with its tool. payload: kg;
    payload_cog: its centre in the flange's frame, m. link_timeout: s of wall time that the
    controller's clock may stand still.

    Raises ARM_UNREACHABLE when no controller answers at ``robot_ip``, PARAMETER_INVALID when its
    arm is of another model than ``kinematics``. Once a call has raised ARM_LINK_LOST the link is
    gone for good; ``reconnect`` makes a new one. After a safety stop, a pause or a stop on the
    pendant nothing moves before ``unlock``.
    """

    def __init__(
        self,
        robot_ip: str,
        kinematics: Kinematics = UR5,
        payload: float = 1.0,
        payload_cog: Sequence[float] = (0.0, 0.0, 0.05),
        link_timeout: float = 0.5,
    ) -> None:
        require(
            0.0 <= payload <= MAX_PAYLOAD,
            f"payload is {payload:g} kg; allowed: 0 … {MAX_PAYLOAD:g} kg",
        )
        self._robot_ip, self._kinematics = robot_ip, kinematics
        self._payload, self._payload_cog = payload, [float(value) for value in payload_cog]
        self._link_timeout = link_timeout
        self._busy, self._cancel = threading.Lock(), threading.Event()
        self._mover: int | None = None
        self._free: FloatArray | None = None  # the force before contact, N and Nm; None without
        self._closed = False
        self._hold = Hold(robot_ip)
        self._link, reading = self._connected()
        # What the sensor tells of where nothing is touched: the generation before e-Series cannot
        # zero it, and after a recovery the arm may be pressed against something.
        self._zero = reading.force

    def reconnect(self) -> None:
        """Drop the present link, if there is one, and make a new one.

        Raises MOTION_REJECTED while a move is in progress, ARM_LINK_LOST after ``disconnect``.
        The old link stays, lost, until the new one is complete: nothing moves through half a
        connection.
        """
        with self._alone():
            self._renew()

    def unlock(self, interrupt: threading.Event) -> None:
        """End a protective stop, once the controller allows that; see :mod:`.ur_recovery`.

        After any stop and any pause the arm may be moved again. Raises which stop the link still
        tells of after 2 s, and CANCELLED on ``interrupt``.

        The link is made anew: whoever jogged the arm may have left another tool centre point, and
        what was sent up through the old link's script port is not heard any more once the pendant
        was in local control.
        """
        unlock(self._robot_ip, interrupt)
        try:
            self._link.wait_until_safe(_UNLOCK_NEWS)
        except VpgError as error:
            if error.code is not ErrorCode.ARM_LINK_LOST:
                raise
        with self._alone():
            self._link.close()
            # Now, so that a stop while the new link is being made holds the arm again.
            refusal = self._hold.release()
            try:
                self._renew()
                check_wanted(interrupt)
            except VpgError:
                self._hold.restore(refusal)
                raise

    def disconnect(self) -> None:
        """End the control program and close the link, for good."""
        self._closed = True
        self._link.close()

    def check_ready(self) -> None:
        """Raise why no motion may begin: a safety stop, or what waits for a recovery."""
        self._checked()

    def state(self) -> ArmState:
        """The newest state; raises ARM_LINK_LOST when it is stale.

        The force is what is felt beyond what was felt when the arm was connected first.
        """
        reading = self._link.read()
        force = float(np.linalg.norm((reading.force - self._zero)[:3]))
        tool = Pose.from_rotvec(reading.tool)
        return ArmState(reading.joints, reading.velocities, tool, force, reading.stamp)

    def move_joints(self, joints: FloatArray, speed: float, acceleration: float) -> MoveResult:
        """Move to six joint angles (rad) along a joint-space path (rad/s, rad/s²)."""
        goal = np.asarray(joints, dtype=float)
        _check_joints(goal, self._kinematics.joint_limit)
        _check_joint_rates(speed, acceleration)
        with self._moving() as start:
            return self._run(start, Command.joints(start, goal, speed, acceleration))

    def move_to(self, pose: Pose, speed: float, acceleration: float) -> MoveResult:
        """Joint-space move to a tool pose (nearest inverse-kinematics solution)."""
        _check_pose(pose)
        _check_joint_rates(speed, acceleration)
        with self._moving() as start:
            goal = self._kinematics.inverse(pose, start.joints)
            return self._run(start, Command.joints(start, goal, speed, acceleration))

    def move_linear(
        self, pose: Pose, speed: float, acceleration: float, force_limit: float
    ) -> MoveResult:
        """Straight line to a tool pose (m/s, m/s²); ends with CONTACT above ``force_limit`` N."""
        _check_pose(pose)
        _check_rate("tool speed", speed, MAX_TOOL_SPEED, "m/s")
        _check_rate("tool acceleration", acceleration, MAX_TOOL_ACCELERATION, "m/s²")
        _check_rate("force limit", force_limit, np.inf, "N")
        with self._moving() as start:
            self._kinematics.inverse(pose, start.joints)  # or POSE_UNREACHABLE, before it moves
            return self._run(start, Command.line(start, pose, speed, acceleration, force_limit))

    def stop(self) -> None:
        """Decelerate to standstill now; a move in progress raises CANCELLED.

        Returns when the arm stands still; raises MOTION_TIMEOUT when it does not in time.
        """
        self._cancel.set()
        if self._mover == threading.get_ident():
            return  # called from a signal handler inside the move, which is about to see it
        deadline = time.monotonic() + _STOP_WAIT
        while not self._busy.acquire(timeout=_LOOK):
            if self._mover is None:
                return  # a link is being made: nothing moves
            if time.monotonic() > deadline:
                raise VpgError(
                    ErrorCode.MOTION_TIMEOUT,
                    f"the arm at {self._robot_ip} did not stop within {_STOP_WAIT:g} s",
                )
        try:
            if self._link.read().fastest_joint > STILL:
                halt(self._link)
        finally:
            self._busy.release()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One thing at a time: no move, and no other link that is being made."""
        if not self._busy.acquire(blocking=False):
            raise VpgError(ErrorCode.MOTION_REJECTED, "another move of this arm is in progress")
        try:
            yield
        finally:
            self._busy.release()

    def _renew(self) -> None:
        """Close the link and make a new one."""
        self._link.close()
        self._check_open()
        self._link, _ = self._connected()
        self._check_open()  # or it was closed meanwhile

    def _connected(self) -> tuple[UrLink, Reading]:
        """A new link, and the state once the controller knows what is mounted."""
        link = UrLink(self._robot_ip, self._link_timeout, self._hold)
        try:
            return link, self._set_up(link)
        except VpgError:
            link.close()
            raise

    def _check_open(self) -> None:
        """Close the link, and raise ARM_LINK_LOST, once the arm has been disconnected."""
        if self._closed:
            self._link.close()
            sentence = f"the robot at {self._robot_ip} was disconnected on purpose"
            raise VpgError(ErrorCode.ARM_LINK_LOST, sentence)

    def _set_up(self, link: UrLink) -> Reading:
        """Tell the controller what is mounted, check the model; the state after that."""
        link.set("setTcp", self._kinematics.tool.rotvec.tolist())
        link.set("setPayload", self._payload, self._payload_cog)
        link.wait_for_news()
        reading = link.read()
        self._check_model(reading)
        return reading

    def _check_model(self, reading: Reading) -> None:
        """Raise PARAMETER_INVALID unless the tool is where its joints say, within 20 mm and 2°."""
        expected = self._kinematics.forward(reading.joints)
        distance, angle = apart(expected, Pose.from_rotvec(reading.tool))
        require(
            distance <= _MODEL_DISTANCE and angle <= _MODEL_ANGLE,
            f"robot_model is {self._kinematics.name}, whose tool would be {distance * 1000:.0f} mm "
            f"and {np.degrees(angle):.1f}° from where the robot at {self._robot_ip} has it; "
            f"allowed: {_MODEL_DISTANCE * 1000:.0f} mm and {np.degrees(_MODEL_ANGLE):.0f}°; set "
            "robot_model to that robot's",
        )

    @contextmanager
    def _moving(self) -> Iterator[Reading]:
        """One move at a time: yields the state at its start."""
        with self._alone():
            try:
                self._mover = threading.get_ident()
                self._cancel.clear()
                yield self._checked()
            finally:
                self._mover = None

    def _checked(self) -> Reading:
        reading = self._link.read()
        self._link.check_safety(reading)
        self._link.check_program(reading)
        return reading

    def _run(self, start: Reading, command: Command) -> MoveResult:
        """Along straight lines contact is counted on, for a move begins pressed where one ended."""
        line = command.force_limit < np.inf
        free = self._free if line and self._free is not None else start.force
        move = Move(self._link, start, command, self._cancel, free, self._zero)
        self._free = free if line else None
        result = move.run()
        if not move.touches:
            self._free = None
        return result


def _check_joints(joints: FloatArray, limit: tuple[float, ...]) -> None:
    require(
        joints.shape == (6,) and bool(np.isfinite(joints).all()),
        f"joints are {joints.tolist()}; six finite angles are needed",
        ErrorCode.MOTION_REJECTED,
    )
    require(
        bool((np.abs(joints) <= limit).all()),
        f"joints {np.round(joints, 3).tolist()} rad; allowed: ±{np.round(limit, 2).tolist()} rad",
        ErrorCode.JOINT_LIMIT,
    )


def _check_pose(pose: Pose) -> None:
    values = np.array([*pose.position, *pose.quaternion])
    require(
        bool(np.isfinite(values).all()),
        f"the goal pose {values.tolist()} is not finite",
        ErrorCode.MOTION_REJECTED,
    )


def _check_joint_rates(speed: float, acceleration: float) -> None:
    _check_rate("joint speed", speed, MAX_JOINT_SPEED, "rad/s")
    _check_rate("joint acceleration", acceleration, MAX_JOINT_ACCELERATION, "rad/s²")


def _check_rate(name: str, value: float, most: float, unit: str) -> None:
    require(
        0 < value <= most,
        f"{name} is {value:g} {unit}; allowed: above 0, up to {most:g} {unit}",
        ErrorCode.MOTION_REJECTED,
    )
