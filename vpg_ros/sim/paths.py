"""Whole moves computed ahead: where joints and tool are at every physics step."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from vpg_ros.devices.kinematics import Kinematics
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import FloatArray, Pose, point_text
from vpg_ros.sim.controller.trajectory import Trapezoid
from vpg_ros.sim.world import DT

# Inverse kinematics is solved every so many metres of a line; between two solutions joints are
# interpolated, which leaves the line by less than 0.05 mm.
_SPACING = 0.010
_ARM_OF_TURN = 0.4  # m of line that a radian of turning counts for
_KNOT_SPACING = 0.03  # m between the poses of the tool that a joint move is judged by
_LARGEST_JUMP = 0.5  # rad between two solutions: more means another arm configuration


@dataclass(frozen=True)
class Path:
    """A move, one row for each physics step.

    joints: N×6, rad. tool: N×4×4, pose of the TCP in the base frame.
    """

    joints: FloatArray
    tool: FloatArray

    def __len__(self) -> int:
        return len(self.joints)


def joint_path(
    kinematics: Kinematics, start: FloatArray, goal: FloatArray, speed: float, acceleration: float
) -> Path:
    """All joints start and stop together at a trapezoid of speed (rad/s, rad/s²).

    tool is exact at some steps; those between repeat the next one.
    """
    fractions = _profile(float(np.abs(goal - start).max()), speed, acceleration)
    path = start + fractions[:, None] * (goal - start)
    begin, end = kinematics.tools(np.array([start, goal]))[:, :3, 3]
    knots = np.linspace(0.0, 1.0, 3 + int(np.linalg.norm(end - begin) / _KNOT_SPACING))
    tools = kinematics.tools(start + knots[:, None] * (goal - start))
    return Path(path, tools[np.searchsorted(knots, fractions - 1e-9)])


def linear_path(
    kinematics: Kinematics, start: FloatArray, goal: Pose, speed: float, acceleration: float
) -> Path:
    """The tool moves in a straight line from where it is at ``start`` (m/s, m/s²).

    Raises POSE_UNREACHABLE when the line leaves the arm's reach or crosses a singularity.
    """
    begin, end = kinematics.links(start)[-1], goal.matrix
    turns = Rotation.from_matrix(np.stack([begin[:3, :3], end[:3, :3]]))
    angle = float((turns[0].inv() * turns[1]).magnitude())
    length = max(float(np.linalg.norm(end[:3, 3] - begin[:3, 3])), _ARM_OF_TURN * angle)
    fractions = _profile(length, speed, acceleration)
    knots = np.linspace(0.0, 1.0, 2 + int(length / _SPACING))
    slerp = Slerp([0.0, 1.0], turns)
    poses = _poses(begin, end, slerp, np.concatenate([knots[1:], fractions]))
    solved = _solved(kinematics, start, poses[: len(knots) - 1], goal)
    joints = np.column_stack([np.interp(fractions, knots, column) for column in solved.T])
    return Path(joints, poses[len(knots) - 1 :])


def _profile(length: float, speed: float, acceleration: float) -> FloatArray:
    """Fraction of the way covered after each step, ending with 1."""
    if length == 0.0:
        return np.ones(1)
    profile = Trapezoid(length, speed, acceleration)
    steps = max(1, int(np.ceil(profile.duration / DT)))
    return np.array([profile.position(step * DT) / length for step in range(1, steps)] + [1.0])


def _poses(begin: FloatArray, end: FloatArray, slerp: Slerp, fractions: FloatArray) -> FloatArray:
    """Poses along the line, N×4×4."""
    poses = np.tile(np.eye(4), (len(fractions), 1, 1))
    poses[:, :3, :3] = slerp(fractions).as_matrix()
    poses[:, :3, 3] = begin[:3, 3] + fractions[:, None] * (end[:3, 3] - begin[:3, 3])
    return poses


def _solved(kinematics: Kinematics, start: FloatArray, poses: FloatArray, goal: Pose) -> FloatArray:
    """Joints at ``start`` and at each pose, every one near the one before."""
    joints = [start]
    for pose in poses:
        nearest = kinematics.solutions(Pose.from_matrix(pose), joints[-1])[:1]
        if not nearest or np.abs(nearest[0] - joints[-1]).max() > _LARGEST_JUMP:
            raise VpgError(
                ErrorCode.POSE_UNREACHABLE,
                f"the straight line to {point_text(goal.position)} m leaves the arm's reach",
            )
        joints.append(nearest[0])
    return np.array(joints)
