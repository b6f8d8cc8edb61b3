"""The safety gate: every Motion passes it before the arm moves.

A Motion that goes where it must not is refused whole, with the code and a sentence that names the
step, the bound, the value and what is allowed. Speeds, accelerations, forces and widths beyond a
limit are lowered to it instead, and the gate returns what is really sent. None of the bounds has a
default.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from vpg_ros.devices.collision import CollisionModel
from vpg_ros.devices.kinematics import Kinematics
from vpg_ros.devices.rates import Rate, rates_of
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import FloatArray, Pose
from vpg_ros.motion import HomeMove, JointMove, LinearMove, Motion, Step

# Distance and angle between checked points along a straight line, m and rad.
_SPACING, _TURN = 0.02, 0.1
# Limits that may be below 0.
_SIGNED = ("box_min", "box_max", "table_z")
# m that a point on the way may be outside the box: that is rounding.
_SLACK = 1e-4
_SMALLEST_TURN = 1e-4  # rad between two points, against which a lever is not worth its rounding
# Between two of them no joint turns further, or the arm would have to fold over on the way, rad.
_JUMP = 0.8


@dataclass(frozen=True)
class Limits:
    """Bounds of a cell, in SI units in the base frame.

    box_min, box_max: corners of the box the tool may be in, m. table_z: height of the table, m; the
    tool and the arm stay above it. joint_limit: |angle| of each of the six joints, rad.
    joint_speed, joint_acceleration: rad/s, rad/s². tool_speed: m/s, of moves in joint space too.
    tool_acceleration: m/s². tool_force: N. gripper_width: m. gripper_force: N.
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
        for each in fields(self):
            value = getattr(self, each.name)
            lowest = -math.inf if each.name in _SIGNED else 0.0
            require(
                bool(np.isfinite(value).all() and np.min(value) > lowest),
                f"{each.name} is {value}; allowed: finite" + ("" if lowest else " and above 0"),
            )
        require(
            len(self.joint_limit) == 6,
            f"joint_limit has {len(self.joint_limit)} values; a UR has 6 joints",
        )
        require(
            all(low < high for low, high in zip(self.box_min, self.box_max, strict=True)),
            f"workspace box {self.box_min} … {self.box_max} is empty; min must be below max",
        )


@dataclass(frozen=True)
class _Stretch:
    """Joint angles along one step, N×6, its end included.

    number: of the step. lever: m that the tool moves at most where the leading joint turns by 1
    rad; 0 of a straight line, whose speed is the tool's.
    """

    phase: str
    path: FloatArray
    number: int = 0
    lever: float = 0.0


@dataclass(frozen=True)
class SafetyGate:
    """Checks Motions against the limits of a cell.

    home: joint angles that HomeMove goes to, rad. space: the arm among what stands around it.
    speed_scale: share of its speeds that a Motion is sent with, above 0 and up to 1.
    """

    limits: Limits
    kinematics: Kinematics
    home: FloatArray
    space: CollisionModel
    speed_scale: float = 1.0

    def check(self, motion: Motion, start: FloatArray) -> Motion:
        """``motion`` as it may be sent, run from joints ``start`` (rad): rates scaled and clipped.

        Raises the error of the first step that goes where it must not. Points every 2 cm of the
        arm's way are checked, of the retreat from wherever a step begins or ends too. A tool that
        is outside the box may come back into it.
        """
        sent = replace(
            motion,
            steps=tuple(self._clipped(step) for step in motion.steps),
            retreat=tuple(self._clipped(step) for step in motion.retreat),
        )
        walk = self._walk(sent.steps, start)
        ends = [start, *(stretch.path[-1] for stretch in walk)]
        retreats = [stretch for end in ends for stretch in self._walk(sent.retreat, end)]
        self._check_space([*walk, *retreats])
        return replace(
            sent,
            steps=self._slowed(sent.steps, walk),
            retreat=self._slowed(sent.retreat, retreats),
        )

    def check_home(self) -> None:
        """Raise why the arm may not be at home."""
        self.check(Motion("home", (HomeMove("home"),), ()), self.home)

    def _walk(self, steps: Sequence[Step], joints: FloatArray) -> list[_Stretch]:
        """The way of each step that moves the arm, checked but for collisions."""
        walk = []
        for number, step in enumerate(steps):
            path = self._path(step, joints)
            if len(path):
                self._check_joints(step.phase, path)
                lever = 0.0
                if not isinstance(step, LinearMove):
                    way = np.vstack([joints, path])
                    points = self.kinematics.tools(way)[:, :3, 3]
                    self._check_points(step.phase, points)
                    lever = _lever(way, points)
                walk.append(_Stretch(step.phase, path, number, lever))
                joints = path[-1]
        return walk

    def _path(self, step: Step, joints: FloatArray) -> FloatArray:
        """Joint angles along a step, N×6, its end included; none where the arm stays."""
        if isinstance(step, HomeMove):
            return self._joint_path(joints, self.home)
        if isinstance(step, JointMove | LinearMove):
            self._check_position(step.phase, step.pose)
        if isinstance(step, JointMove):
            return self._joint_path(joints, self.kinematics.inverse(step.pose, joints))
        if isinstance(step, LinearMove):
            return np.array(list(self._linear_path(step, joints)))
        return np.empty((0, 6))

    def _joint_path(self, start: FloatArray, end: FloatArray) -> FloatArray:
        """All joints turn in proportion, as the controller moves them."""
        sweep = float(self.kinematics.reach @ np.abs(end - start))
        count = max(1, math.ceil(sweep / _SPACING))
        fractions = np.arange(1, count + 1)[:, None] / count
        return np.asarray(start + fractions * (end - start))

    def _check_points(self, phase: str, points: FloatArray) -> None:
        """Where the tool comes along, N×3, its start first: it must not leave the box."""
        low, high = np.asarray(self.limits.box_min), np.asarray(self.limits.box_max)
        low = np.maximum(low, [-np.inf, -np.inf, self.limits.table_z]) - _SLACK
        inside = ((points >= low) & (points <= high + _SLACK)).all(axis=1)
        left = ~inside & np.logical_or.accumulate(inside)
        left[-1] = not inside[-1]
        if left.any():
            x, y, z = points[int(np.argmax(left))].tolist()
            self._check_position(phase, Pose((x, y, z)))

    def _slowed(self, steps: Sequence[Step], stretches: Sequence[_Stretch]) -> tuple[Step, ...]:
        """Moves in joint space no faster than the tool may be."""
        slowed = list(steps)
        for stretch in stretches:
            step = slowed[stretch.number]
            if isinstance(step, JointMove | HomeMove) and stretch.lever > 0:
                most = self.limits.tool_speed / stretch.lever
                slowed[stretch.number] = replace(step, speed=min(step.speed, most))
        return tuple(slowed)

    def _linear_path(self, step: LinearMove, joints: FloatArray) -> Iterator[FloatArray]:
        """Each found from the one before; raises POSE_UNREACHABLE where the arm would fold over."""
        for pose in _line(self.kinematics.forward(joints), step.pose):
            self._check_position(step.phase, pose)
            following = self.kinematics.inverse(pose, joints)
            require(
                float(np.abs(following - joints).max()) < _JUMP,
                f"step '{step.phase}' cannot reach {_text(step.pose.position)} m in a straight "
                f"line: at {_text(pose.position)} m the arm would have to fold over",
                ErrorCode.POSE_UNREACHABLE,
            )
            joints = following
            yield joints

    def _check_position(self, phase: str, pose: Pose) -> None:
        low, high, position = self.limits.box_min, self.limits.box_max, pose.position
        require(
            all(map(math.isfinite, (*position, *pose.quaternion))),
            f"step '{phase}' goes to {pose}, which is not finite",
            ErrorCode.MOTION_REJECTED,
        )
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

    def _check_joints(self, phase: str, path: FloatArray) -> None:
        over = np.abs(path) > np.asarray(self.limits.joint_limit)
        if over.any():
            row, joint = (int(value) for value in np.argwhere(over)[0])
            raise VpgError(
                ErrorCode.JOINT_LIMIT,
                f"step '{phase}' turns joint {joint + 1} to {path[row, joint]:.2f} rad; "
                f"allowed: ±{self.limits.joint_limit[joint]:.2f} rad",
            )

    def _check_space(self, walk: Sequence[_Stretch]) -> None:
        """All at once, which is several times faster than one by one."""
        if not walk:
            return
        collision = self.space.first(np.vstack([stretch.path for stretch in walk]))
        if collision is not None:
            ends = np.cumsum([len(stretch.path) for stretch in walk])
            number = int(np.searchsorted(ends, collision.index, side="right"))
            joints = walk[number].path[collision.index - ends[number]]
            raise VpgError(
                ErrorCode.COLLISION,
                f"step '{walk[number].phase}' brings {collision.link} into {collision.other}, "
                f"with the tool at {_text(self.kinematics.forward(joints).position)} m",
            )

    def _clipped(self, step: Step) -> Step:
        """``step`` with no rate above its limit."""
        values: dict[str, Any] = {rate.field: self._allowed(step, rate) for rate in rates_of(step)}
        return replace(step, **values)

    def _allowed(self, step: Step, rate: Rate) -> float:
        """The value of one rate that may be sent; raises MOTION_REJECTED for an impossible one."""
        value, most = rate.of(step), float(getattr(self.limits, rate.limit))
        require(
            math.isfinite(value) and (value > 0.0 or (value == 0.0 and rate.may_be_zero)),
            f"step '{step.phase}' asks for {rate.name} {value:g} {rate.unit}; "
            f"allowed: 0 … {most:g} {rate.unit}",
            ErrorCode.MOTION_REJECTED,
        )
        return min(value * self.speed_scale if rate.field == "speed" else value, most)


def _lever(way: FloatArray, points: FloatArray) -> float:
    """How far the tool (N×3) moves at most for 1 rad of the leading joint (N×6), m."""
    turned = np.abs(np.diff(way, axis=0)).max(axis=1)
    moved = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return float((moved / np.maximum(turned, _SMALLEST_TURN)).max())


def _line(start: Pose, end: Pose) -> list[Pose]:
    """Poses along the straight line, the tool turning evenly; ``end`` is the last."""
    a, b = np.asarray(start.position), np.asarray(end.position)
    turns = Rotation.from_quat([start.quaternion, end.quaternion])
    angle = float((turns[0].inv() * turns[1]).magnitude())
    count = max(1, math.ceil(float(np.linalg.norm(b - a)) / _SPACING), math.ceil(angle / _TURN))
    fractions = np.arange(1, count) / count
    quaternions = Slerp([0.0, 1.0], turns)(fractions).as_quat() if count > 1 else ()
    between = zip(fractions, quaternions, strict=True)
    return [_pose(a + fraction * (b - a), turn) for fraction, turn in between] + [end]


def _pose(position: FloatArray, quaternion: FloatArray) -> Pose:
    x, y, z = (float(value) for value in position)
    qx, qy, qz, qw = (float(value) for value in quaternion)
    return Pose((x, y, z), (qx, qy, qz, qw))


def _text(point: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in point) + ")"
