"""The safety gate: every Motion passes it before the arm moves.

A Motion that goes where it must not is refused whole, with the code and a sentence that names the
step, the bound, the value and what is allowed. Speeds, accelerations, forces and widths beyond a
limit are lowered to it instead, a force that the gripper is too strong for is raised, and the gate
returns what is really sent. None of the bounds has a default.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpg_ros.devices.collision import CollisionModel
from vpg_ros.devices.kinematics import Kinematics
from vpg_ros.devices.rates import Rate, rates_of
from vpg_ros.devices.straight import SPACING, StraightLine
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import FloatArray, Pose, point_text
from vpg_ros.motion import HomeMove, JointMove, LinearMove, Motion, Move, Relative, Step

# Limits that need not be above 0.
_SIGNED = ("box_min", "box_max", "table_z", "least_gripper_force")
# m that a point on the way may be outside the box: that is rounding.
_SLACK = 1e-4
_SMALLEST_LEVER = 1e-6  # m for 1 rad: a move that does not move the tool has none
_SMALLEST_TURN = 1e-4  # rad between two points, against which a lever is not worth its rounding


@dataclass(frozen=True)
class Limits:
    """Bounds of a cell, in SI units in the base frame.

    box_min, box_max: corners of the box the tool may be in, m. table_z: height of the table, m; the
    tool and the arm stay above it. joint_limit: |angle| of each of the six joints, rad.
    joint_speed, joint_acceleration: rad/s, rad/s². tool_speed: m/s, of moves in joint space too.
    tool_acceleration: m/s². tool_force: N. gripper_width: m. gripper_force: N, and the least that
    the gripper can be told.
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
    least_gripper_force: float = 0.0

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

    number: of the step. speed: the highest at which tool and joints keep to their limits, rad/s of
    a move in joint space and m/s of a straight line.
    """

    phase: str
    path: FloatArray
    number: int
    speed: float


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

        Raises the error of the first step that goes where it must not. Between points that are
        checked neither tool nor joints move further than 2 cm, on the retreat from wherever a step
        begins or ends too. A tool that is outside the box may come back into it.
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
            move: Step | None = step
            if isinstance(step, Relative):
                move = step.line(self.kinematics.forward(joints))
            if isinstance(move, LinearMove):
                way, speed = self._line(move, joints)
            elif isinstance(move, JointMove | HomeMove):
                way, speed = self._swing(move, joints)
            else:
                continue
            walk.append(_Stretch(step.phase, way[1:], number, speed))
            joints = way[-1]
        return walk

    def _swing(self, step: JointMove | HomeMove, joints: FloatArray) -> tuple[FloatArray, float]:
        """Joint angles along a move in joint space, its start first, and how fast it may be."""
        if isinstance(step, JointMove):
            self._check_position(step.phase, step.pose)
            goal = self.kinematics.inverse(step.pose, joints)
        else:
            goal = self.home
        way = self._joint_path(joints, goal)
        self._check_joints(step.phase, way[1:])
        points = self.kinematics.tools(way)[:, :3, 3]
        self._check_points(step.phase, points)
        return way, self.limits.tool_speed / _lever(way, points)

    def _line(self, step: LinearMove, joints: FloatArray) -> tuple[FloatArray, float]:
        """The same along a straight line."""
        self._check_finite(step.phase, step.pose)
        line = StraightLine(self.kinematics.forward(joints), step.pose, step.phase)
        self._check_line(step.phase, line.points)
        way, turned = line.follow(self.kinematics, joints)
        self._check_joints(step.phase, way[1:])
        return way, self.limits.joint_speed / turned

    def _joint_path(self, start: FloatArray, end: FloatArray) -> FloatArray:
        """All joints turn in proportion, as the controller moves them."""
        sweep = float(self.kinematics.reach @ np.abs(end - start))
        fractions = np.linspace(0.0, 1.0, 1 + max(1, math.ceil(sweep / SPACING)))[:, None]
        return np.asarray(start + fractions * (end - start))

    def _check_points(self, phase: str, points: FloatArray) -> None:
        """Where the tool comes along, N×3, its start first: it must not leave the box."""
        outside = self._outside(points)
        left = (outside > 0.0) & np.logical_or.accumulate(outside == 0.0)
        left[-1] = outside[-1] > 0.0
        self._refuse(phase, points, left)

    def _check_line(self, phase: str, points: FloatArray) -> None:
        """The same along a straight line, which may end outside if it goes no further out.

        So a tool that has met something outside the box can be lifted off it.
        """
        outside = self._outside(points)
        further = outside > np.minimum.accumulate(outside) + _SLACK
        self._refuse(phase, points, further)

    def _refuse(self, phase: str, points: FloatArray, wrong: NDArray[np.bool_]) -> None:
        """Raise what is wrong with the end of the way if anything is, or else with the first."""
        if wrong.any():
            x, y, z = points[-1 if wrong[-1] else int(np.argmax(wrong))].tolist()
            self._check_position(phase, Pose((x, y, z)))

    def _outside(self, points: FloatArray) -> FloatArray:
        """How far N points (N×3) are from the box, m; 0 of one that is in it."""
        low, high = np.asarray(self.limits.box_min), np.asarray(self.limits.box_max)
        low = np.maximum(low, [-np.inf, -np.inf, self.limits.table_z])
        beyond = np.maximum(np.maximum(low - points, points - high), 0.0)
        return np.where((beyond > _SLACK).any(axis=1), np.linalg.norm(beyond, axis=1), 0.0)

    def _slowed(self, steps: Sequence[Step], stretches: Sequence[_Stretch]) -> tuple[Step, ...]:
        """Moves no faster than tool and joints may be."""
        slowed = list(steps)
        for stretch in stretches:
            step = slowed[stretch.number]
            assert isinstance(step, Move), "a stretch is of a move"
            slowed[stretch.number] = replace(step, speed=min(step.speed, stretch.speed))
        return tuple(slowed)

    def _check_position(self, phase: str, pose: Pose) -> None:
        self._check_finite(phase, pose)
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
            f"step '{phase}' goes to {point_text(position)} m, outside the workspace box "
            f"{point_text(low)} … {point_text(high)} m",
            ErrorCode.OUTSIDE_WORKSPACE,
        )

    def _check_finite(self, phase: str, pose: Pose) -> None:
        require(
            all(map(math.isfinite, (*pose.position, *pose.quaternion))),
            f"step '{phase}' goes to {pose}, which is not finite",
            ErrorCode.MOTION_REJECTED,
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
                f"with the tool at {point_text(self.kinematics.forward(joints).position)} m",
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
        least = float(getattr(self.limits, rate.least)) if rate.least else 0.0
        return max(least, min(value * self.speed_scale if rate.field == "speed" else value, most))


def _lever(way: FloatArray, points: FloatArray) -> float:
    """How far the tool (N×3) moves at most for 1 rad of the leading joint (N×6), m."""
    turned = np.abs(np.diff(way, axis=0)).max(axis=1)
    moved = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return max(float((moved / np.maximum(turned, _SMALLEST_TURN)).max()), _SMALLEST_LEVER)
