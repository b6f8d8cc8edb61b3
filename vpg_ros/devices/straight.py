"""The way of the arm while its tool moves in a straight line, turning evenly (movel)."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from vpg_ros.devices.kinematics import Kinematics
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import FloatArray, Pose, point_text

# m that the tool, and each joint of the arm, moves at most between two points of a way.
SPACING = 0.02
_TURN = 0.1  # rad that the tool, and each joint, turns at most between them
# Between two points no joint turns further, or the arm would have to fold over on the way, rad.
_JUMP = 0.8
# How often a way is divided again where the arm moves further than its tool.
_DIVISIONS = 5
# m of line that 1 rad of turning counts for at least, so that a turn on the spot has a speed too.
_ARM_OF_TURN = 0.1
_ROUNDING = 1e-6


@dataclass(frozen=True)
class StraightLine:
    """From ``start`` to ``end``; ``phase`` names the step in what is raised."""

    start: Pose
    end: Pose
    phase: str

    @cached_property
    def _turns(self) -> Rotation:
        return Rotation.from_quat([self.start.quaternion, self.end.quaternion])

    @cached_property
    def _angle(self) -> float:
        return float((self._turns[0].inv() * self._turns[1]).magnitude())

    @property
    def _way(self) -> FloatArray:
        return np.subtract(self.end.position, self.start.position)

    @property
    def length(self) -> float:
        """What the tool's speed counts along the line, m."""
        return max(float(np.linalg.norm(self._way)), _ARM_OF_TURN * self._angle)

    @cached_property
    def fractions(self) -> FloatArray:
        """Shares of the line, 0 … 1, between which the tool neither moves nor turns far."""
        distance = float(np.linalg.norm(self._way))
        return np.linspace(
            0.0, 1.0, 1 + max(1, math.ceil(distance / SPACING), math.ceil(self._angle / _TURN))
        )

    @property
    def points(self) -> FloatArray:
        """Where the tool comes along, N×3, its start first."""
        return self._places(self.fractions)

    def poses(self, fractions: FloatArray) -> list[Pose]:
        """Poses of the tool at shares of the line that end with 1, which is exactly the end."""
        inner = fractions[:-1]
        turns = Slerp([0.0, 1.0], self._turns)(inner).as_quat() if len(inner) else np.empty((0, 4))
        return [_pose(*pair) for pair in zip(self._places(inner), turns, strict=True)] + [self.end]

    def follow(self, kinematics: Kinematics, joints: FloatArray) -> tuple[FloatArray, float]:
        """Joint angles along the line (N×6, rad, ``joints`` first), and rad of a joint for 1 m.

        The latter is of the joint that turns furthest, where it turns fastest. Raises
        POSE_UNREACHABLE where the arm would have to fold over.
        """
        fractions = self.fractions
        for _ in range(_DIVISIONS):
            path = self._path(kinematics, joints, fractions)
            parts = _parts(kinematics, path)
            if parts.max() <= 1:
                return path, _fastest(path, np.diff(fractions) * self.length)
            fractions = _divided(fractions, parts)
        raise VpgError(
            ErrorCode.POSE_UNREACHABLE,
            f"step '{self.phase}' cannot be checked closely: on the straight line to "
            f"{point_text(self.end.position)} m the arm moves too far for its tool",
        )

    def _places(self, fractions: FloatArray) -> FloatArray:
        return np.asarray(self.start.position) + fractions[:, None] * self._way

    def _path(
        self, kinematics: Kinematics, joints: FloatArray, fractions: FloatArray
    ) -> FloatArray:
        """Each configuration found from the one before."""
        path = [joints]
        for pose in self.poses(fractions[1:]):
            path.append(kinematics.inverse(pose, path[-1]))
            if float(np.abs(path[-1] - path[-2]).max()) >= _JUMP:
                raise self._folds_over(pose)
        return np.array(path)

    def _folds_over(self, pose: Pose) -> VpgError:
        return VpgError(
            ErrorCode.POSE_UNREACHABLE,
            f"step '{self.phase}' cannot reach {point_text(self.end.position)} m in a straight "
            f"line: at {point_text(pose.position)} m the arm would have to fold over",
        )


def _parts(kinematics: Kinematics, path: FloatArray) -> FloatArray:
    """How many parts each step along N configurations needs, N - 1, so that nothing moves far."""
    places = kinematics.frames(path)[:, :, :3, 3]
    moved = np.linalg.norm(np.diff(places, axis=1), axis=2).max(axis=0)
    turned = np.abs(np.diff(path, axis=0)).max(axis=1)
    return np.asarray(np.ceil(np.maximum(moved / SPACING, turned / _TURN) - _ROUNDING))


def _fastest(path: FloatArray, lengths: FloatArray) -> float:
    """Rad that a joint turns at most for 1 m of line, from N configurations and N - 1 lengths.

    Each step knows its mean only; what lies above it is judged by the change to the steps beside.
    """
    means = np.abs(np.diff(path, axis=0)).max(axis=1) / np.maximum(lengths, _ROUNDING)
    changes = np.abs(np.diff(means, prepend=means[0], append=means[-1]))
    peaks = means + np.maximum(changes[1:], changes[:-1]) / 2
    return max(float(peaks.max()), _ROUNDING)


def _divided(fractions: FloatArray, parts: FloatArray) -> FloatArray:
    """``fractions`` with each step between two of them in so many parts."""
    counts = np.maximum(parts, 1)
    knots = np.concatenate([[0.0], np.cumsum(counts)])
    return np.asarray(np.interp(np.arange(knots[-1] + 1), knots, fractions))


def _pose(position: FloatArray, quaternion: FloatArray) -> Pose:
    x, y, z = (float(value) for value in position)
    qx, qy, qz, qw = (float(value) for value in quaternion)
    return Pose((x, y, z), (qx, qy, qz, qw))
