"""The safety gate: every Motion passes it before the arm moves.

A Motion that breaks a bound is refused whole, with the code and a sentence that names the bound,
the value and what is allowed. None of the bounds has a default.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vpg_ros.devices.kinematics import Kinematics
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import FloatArray, Pose
from vpg_ros.motion import GripperMove, HomeMove, JointMove, LinearMove, Motion, Step

# Distance between checked points along a straight line, m.
_SPACING = 0.02


@dataclass(frozen=True)
class Limits:
    """Bounds of a cell, in SI units in the base frame.

    box_min, box_max: corners of the box the tool may be in, m. table_z: height of the table, m; the
    tool and every joint of the arm stay above it. joint_limit: |angle| of each of the six joints,
    rad. joint_speed, joint_acceleration: rad/s, rad/s². tool_speed, tool_acceleration: m/s, m/s².
    tool_force: N. gripper_width: m. gripper_force: N.
    """

    box_min: tuple[float, float, float]
    box_max: tuple[float, float, float]
    table_z: float
    joint_limit: tuple[float, ...]
    joint_speed: float
    joint_acceleration: float
    tool_speed: float
    tool_acceleration: float
    tool_force: float
    gripper_width: float
    gripper_force: float

    def __post_init__(self) -> None:
        require(
            len(self.joint_limit) == 6,
            f"joint_limit has {len(self.joint_limit)} values; a UR has 6 joints",
        )
        require(
            all(low < high for low, high in zip(self.box_min, self.box_max, strict=True)),
            f"workspace box {self.box_min} … {self.box_max} is empty; min must be below max",
        )


@dataclass(frozen=True)
class SafetyGate:
    """Checks Motions against the limits of a cell.

    home: joint angles that HomeMove goes to, rad.
    """

    limits: Limits
    kinematics: Kinematics
    home: FloatArray

    def check(self, motion: Motion, start: FloatArray) -> None:
        """Raise the error of the first step that breaks a bound, run from joints ``start`` (rad).

        The end of every step is checked, and points every 2 cm of a straight line.
        """
        joints = start
        for step in (*motion.steps, *motion.retreat):
            self._check_rates(step)
            for goal in self._goals(step, joints):
                joints = goal
                self._check_joints(step.phase, joints)

    def _goals(self, step: Step, joints: FloatArray) -> Iterator[FloatArray]:
        """Joint angles along a step, each found from the one before."""
        if isinstance(step, HomeMove):
            yield self.home
        elif isinstance(step, JointMove):
            self._check_position(step.phase, step.pose)
            yield self.kinematics.inverse(step.pose, joints)
        elif isinstance(step, LinearMove):
            for pose in _line(self.kinematics.forward(joints), step.pose):
                self._check_position(step.phase, pose)
                joints = self.kinematics.inverse(pose, joints)
                yield joints

    def _check_position(self, phase: str, pose: Pose) -> None:
        low, high, position = self.limits.box_min, self.limits.box_max, pose.position
        require(
            position[2] >= self.limits.table_z,
            f"step '{phase}' goes to z = {position[2]:.3f} m, below the table at "
            f"table_z = {self.limits.table_z:.3f} m",
            ErrorCode.BELOW_TABLE,
        )
        inside = all(a <= p <= b for a, p, b in zip(low, position, high, strict=True))
        require(
            inside,
            f"step '{phase}' goes to {_text(position)} m, outside the workspace box "
            f"{_text(low)} … {_text(high)} m",
            ErrorCode.OUTSIDE_WORKSPACE,
        )

    def _check_joints(self, phase: str, joints: FloatArray) -> None:
        over = np.abs(joints) > np.asarray(self.limits.joint_limit)
        if over.any():
            index = int(np.argmax(over))
            raise VpgError(
                ErrorCode.JOINT_LIMIT,
                f"step '{phase}' turns joint {index + 1} to {joints[index]:.2f} rad; "
                f"allowed: ±{self.limits.joint_limit[index]:.2f} rad",
            )
        lowest = min(frame[2, 3] for frame in self.kinematics.links(joints))
        require(
            lowest >= self.limits.table_z - 1e-3,
            f"step '{phase}' brings the arm to z = {lowest:.3f} m, below the table at "
            f"table_z = {self.limits.table_z:.3f} m",
            ErrorCode.BELOW_TABLE,
        )

    def _check_rates(self, step: Step) -> None:
        for name, value, allowed in self._rates(step):
            require(
                0 <= value <= allowed,
                f"step '{step.phase}' asks for {name} {value:g}; allowed: 0 … {allowed:g}",
                ErrorCode.MOTION_REJECTED,
            )

    def _rates(self, step: Step) -> list[tuple[str, float, float]]:
        limits = self.limits
        if isinstance(step, JointMove | HomeMove):
            return [
                ("joint speed (rad/s)", step.speed, limits.joint_speed),
                ("joint acceleration (rad/s²)", step.acceleration, limits.joint_acceleration),
            ]
        if isinstance(step, LinearMove):
            return [
                ("tool speed (m/s)", step.speed, limits.tool_speed),
                ("tool acceleration (m/s²)", step.acceleration, limits.tool_acceleration),
                ("tool force (N)", step.force_limit, limits.tool_force),
            ]
        if isinstance(step, GripperMove):
            return [
                ("gripper width (m)", step.width, limits.gripper_width),
                ("gripper force (N)", step.force, limits.gripper_force),
            ]
        return []


def _line(start: Pose, end: Pose) -> list[Pose]:
    """Poses along the straight line, ``end`` included, at the orientation of ``end``."""
    a, b = np.asarray(start.position), np.asarray(end.position)
    count = max(1, int(np.ceil(np.linalg.norm(b - a) / _SPACING)))
    points = [a + (b - a) * index / count for index in range(1, count)]
    return [Pose((float(p[0]), float(p[1]), float(p[2])), end.quaternion) for p in points] + [end]


def _text(point: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in point) + ")"
