"""Trajectories of the arm in simulated time: trapezoids along joints and lines, and stops.

A trajectory is advanced by a step of simulated time and answers with joint targets. Nothing here
reads a clock, so that the same commands give the same motion at any time scale.
"""

from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from vpg_ros.devices.kinematics import Kinematics
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import FloatArray, Pose, point_text

# A line that only turns counts this many metres a radian, so that it takes its speed in m/s too.
_ARM_OF_TURN = 0.4
# A joint that would have to jump faster than this (rad/s) has met a singularity.
_JOINT_SPEED_LIMIT = 6.0
_NO_TURN = 1e-9  # rad
SERVO_SPEED = 3.14  # rad/s: the fastest a servo target is followed


class Trajectory(Protocol):
    """Where the joints should be as simulated time goes on."""

    done: bool

    def advance(self, dt: float) -> FloatArray:
        """Joint targets (6, rad) ``dt`` s later; ``done`` turns true with the last of them."""
        ...


class Trapezoid:
    """Distance over time at limited speed and acceleration, from rest to rest."""

    def __init__(self, distance: float, speed: float, acceleration: float) -> None:
        require(
            speed > 0 and acceleration > 0,
            f"speed {speed:g} and acceleration {acceleration:g} of a move must be > 0",
            ErrorCode.MOTION_REJECTED,
        )
        self._distance = distance
        self._acceleration = acceleration
        self._peak = min(speed, float(np.sqrt(distance * acceleration)))
        self._ramp = self._peak / acceleration
        cruise = distance / self._peak - self._ramp if self._peak > 0 else 0.0
        self.duration = 2 * self._ramp + cruise

    def position(self, time: float) -> float:
        """Distance covered ``time`` s after the start."""
        if time <= self._ramp:
            return 0.5 * self._acceleration * max(time, 0.0) ** 2
        if time >= self.duration - self._ramp:
            left = max(self.duration - time, 0.0)
            return self._distance - 0.5 * self._acceleration * left**2
        return self._peak * (time - self._ramp / 2)


class JointTrajectory:
    """All joints start and stop together; the one with the longest way sets the pace (movej)."""

    def __init__(
        self, start: FloatArray, goal: FloatArray, speed: float, acceleration: float
    ) -> None:
        self._start, self._way = start, goal - start
        self._longest = float(np.abs(self._way).max())
        self._profile = Trapezoid(self._longest, speed, acceleration)
        self._time = 0.0
        self.done = False

    def advance(self, dt: float) -> FloatArray:
        """See :class:`Trajectory`."""
        self._time += dt
        self.done = self._time >= self._profile.duration
        if self._longest == 0.0:
            return self._start
        fraction = self._profile.position(self._time) / self._longest
        return self._start + self._way * fraction


class LinearTrajectory:
    """The tool moves in a straight line and turns evenly on the way (movel)."""

    def __init__(
        self,
        kinematics: Kinematics,
        start: FloatArray,
        goal: Pose,
        speed: float,
        acceleration: float,
    ) -> None:
        self._kinematics, self._joints = kinematics, start
        begin = kinematics.forward(start)
        self._from = np.array(begin.position)
        self._way = np.array(goal.position) - self._from
        self._quaternions = np.array([begin.quaternion, goal.quaternion])
        self._half_turn = _half_angle(self._quaternions)
        turned = _ARM_OF_TURN * 2 * self._half_turn
        self._length = max(float(np.linalg.norm(self._way)), turned)
        self._profile = Trapezoid(self._length, speed, acceleration)
        self._time = 0.0
        self.done = False

    def advance(self, dt: float) -> FloatArray:
        """See :class:`Trajectory`; raises POSE_UNREACHABLE when the line leaves the arm's reach."""
        self._time += dt
        self.done = self._time >= self._profile.duration
        if self._length > 0.0:
            fraction = min(self._profile.position(self._time) / self._length, 1.0)
            pose = _pose(self._from + self._way * fraction, self._turned(fraction))
            self._joints = follow(self._kinematics, pose, self._joints, dt)
        return self._joints

    def _turned(self, fraction: float) -> FloatArray:
        """Quaternion between the ends (spherical interpolation, Shoemake 1985)."""
        weights = np.array([1.0 - fraction, fraction])
        if self._half_turn > _NO_TURN:
            weights = np.sin(self._half_turn * weights)
        mixed: FloatArray = weights @ self._quaternions
        return mixed / float(np.linalg.norm(mixed))


class Stop:
    """All joints slow down evenly to standstill (stopj, stopl, safety stops)."""

    def __init__(self, joints: FloatArray, velocities: FloatArray, duration: float) -> None:
        self._joints, self._velocities = joints, velocities
        self._duration = duration
        self._time = 0.0
        self.done = False

    def advance(self, dt: float) -> FloatArray:
        """See :class:`Trajectory`."""
        self._time += dt
        self.done = self._time >= self._duration
        if self._duration == 0.0:
            return self._joints
        time = min(self._time, self._duration)
        return self._joints + self._velocities * (time - time**2 / (2 * self._duration))


class JointSpeed:
    """Joint velocities ramp to a target and stay there until stopped (speedj)."""

    def __init__(self, joints: FloatArray) -> None:
        self._joints = joints
        self._velocities = np.zeros(6)
        self.target, self.acceleration = np.zeros(6), 1.0
        self.done = False

    def advance(self, dt: float) -> FloatArray:
        """See :class:`Trajectory`."""
        self._velocities = _ramp(self._velocities, self.target, self.acceleration * dt)
        self._joints = self._joints + self._velocities * dt
        return self._joints


class ToolSpeed:
    """Tool velocities (m/s, rad/s, base axes) ramp to a target and stay there (speedl)."""

    def __init__(self, kinematics: Kinematics, joints: FloatArray) -> None:
        self._kinematics, self._joints = kinematics, joints
        self._velocities = np.zeros(6)
        self.target, self.acceleration = np.zeros(6), 1.0
        self.done = False

    def advance(self, dt: float) -> FloatArray:
        """See :class:`Trajectory`; raises POSE_UNREACHABLE at the end of the arm's reach."""
        self._velocities = _ramp(self._velocities, self.target, self.acceleration * dt)
        pose = self._kinematics.forward(self._joints)
        turned = Rotation.from_rotvec(self._velocities[3:] * dt) * Rotation.from_quat(
            pose.quaternion
        )
        goal = _pose(np.array(pose.position) + self._velocities[:3] * dt, turned.as_quat())
        self._joints = follow(self._kinematics, goal, self._joints, dt)
        return self._joints


class Servo:
    """Joints follow a target that keeps changing, smoothed by the look-ahead time (servoj)."""

    def __init__(self, joints: FloatArray) -> None:
        self._joints = joints
        self.target, self.lookahead = joints, 0.1
        self.done = False

    def advance(self, dt: float) -> FloatArray:
        """See :class:`Trajectory`."""
        step = (self.target - self._joints) * min(1.0, dt / max(self.lookahead, dt))
        limit = SERVO_SPEED * dt
        self._joints = self._joints + np.clip(step, -limit, limit)
        return self._joints


def follow(kinematics: Kinematics, pose: Pose, joints: FloatArray, dt: float) -> FloatArray:
    """Joints for ``pose`` in the same configuration as ``joints``, ``dt`` s before."""
    solutions = kinematics.solutions(pose, joints)
    reach = _JOINT_SPEED_LIMIT * dt + 1e-6
    if not solutions or np.abs(solutions[0] - joints).max() > reach:
        raise VpgError(
            ErrorCode.POSE_UNREACHABLE,
            f"the line cannot be followed at {point_text(pose.position)} m: out of reach, or a "
            f"joint would exceed {_JOINT_SPEED_LIMIT:g} rad/s",
        )
    return solutions[0]


def _half_angle(quaternions: FloatArray) -> float:
    """Half the angle between two orientations; the second is negated where that is shorter."""
    cosine = float(quaternions[0] @ quaternions[1])
    if cosine < 0.0:
        quaternions[1] *= -1.0
    return float(np.arccos(min(abs(cosine), 1.0)))


def _pose(position: FloatArray, quaternion: FloatArray) -> Pose:
    x, y, z = position.tolist()
    qx, qy, qz, qw = quaternion.tolist()
    return Pose((x, y, z), (qx, qy, qz, qw))


def _ramp(now: FloatArray, target: FloatArray, step: float) -> FloatArray:
    """``now`` brought towards ``target``, the longest way by at most ``step``."""
    way = target - now
    longest = float(np.abs(way).max())
    return target if longest <= step else now + way * (step / longest)
