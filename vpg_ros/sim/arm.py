"""The arm of a simulated world behind the :class:`vpg_ros.devices.interfaces.Arm` interface.

For training: no controller, no sockets. In fast mode, what happens in free space is skipped — the
arm, and what it holds, is put where the move leads, and the clock is credited with the time — while
everything near an object is physics with the whole arm.
"""

from threading import Event

import numpy as np
from numpy.typing import NDArray

from vpg_ros.devices.interfaces import ArmState, MoveEnd, MoveResult
from vpg_ros.devices.kinematics import UR5, Kinematics
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Pose
from vpg_ros.sim.clearance import free
from vpg_ros.sim.contacts import magnitude
from vpg_ros.sim.paths import Path, joint_path, linear_path
from vpg_ros.sim.world import DT, World

# The arm's own safety stop: no joint move presses harder than this, N.
PROTECTIVE_FORCE = 150.0
_LOOK_AHEAD = 8  # steps between two looks for free space ahead
_WORTHWHILE = 10  # steps of free space that are worth skipping
_BRAKING = 5  # steps in which a stopped arm comes to rest


class SimArm:
    """The arm of ``world``. fast: whether moves through free space are skipped."""

    def __init__(self, world: World, kinematics: Kinematics = UR5, fast: bool = True) -> None:
        self._world, self._kinematics, self._fast = world, kinematics, fast
        self._cancelled = Event()

    def state(self) -> ArmState:
        """See :class:`Arm`; the stamp is simulated time with the skipped moves' duration."""
        world, robot = self._world, self._world.robot
        tool = Pose.from_matrix(robot.tip())
        return ArmState(robot.joints(), robot.velocities(), tool, robot.pressure(), world.time)

    def move_joints(
        self, joints: NDArray[np.float64], speed: float, acceleration: float
    ) -> MoveResult:
        """See :class:`Arm`; raises PROTECTIVE_STOP when it hits something."""
        start = self._world.robot.target
        path = joint_path(self._kinematics, start, joints, speed, acceleration)
        result = self._run(path, PROTECTIVE_FORCE)
        if result.end is MoveEnd.CONTACT:
            raise VpgError(
                ErrorCode.PROTECTIVE_STOP,
                f"a joint move met something with {result.peak_force:.0f} N; the arm stops itself "
                f"at {PROTECTIVE_FORCE:.0f} N",
            )
        return result

    def move_to(self, pose: Pose, speed: float, acceleration: float) -> MoveResult:
        """See :class:`Arm`; raises POSE_UNREACHABLE."""
        goal = self._kinematics.inverse(pose, self._world.robot.target)
        return self.move_joints(goal, speed, acceleration)

    def move_linear(
        self, pose: Pose, speed: float, acceleration: float, force_limit: float
    ) -> MoveResult:
        """See :class:`Arm`; raises POSE_UNREACHABLE when the line leaves the arm's reach."""
        start = self._world.robot.target
        path = linear_path(self._kinematics, start, pose, speed, acceleration)
        return self._run(path, force_limit)

    def stop(self) -> None:
        """See :class:`Arm`."""
        self._cancelled.set()

    def _run(self, path: Path, force_limit: float) -> MoveResult:
        """Follow ``path`` to its end, or until contact exceeds ``force_limit`` N."""
        self._cancelled.clear()
        robot = self._world.robot
        baseline = robot.force()
        peak, index = 0.0, 0
        while index < len(path):
            if self._fast and index % _LOOK_AHEAD == 0:
                index = self._skip(path, index)
                if index == len(path):
                    break
            robot.servo(path.joints[index])
            self._world.step()
            index += 1
            force = magnitude(robot.force() - baseline)
            peak = max(peak, force)
            if force > force_limit or self._cancelled.is_set():
                return self._halt(peak)
        return MoveResult(MoveEnd.REACHED, Pose.from_matrix(robot.tip()), peak)

    def _skip(self, path: Path, index: int) -> int:
        """Go as far along ``path`` as all is free; returns the index of the next step to take."""
        world, robot = self._world, self._world.robot
        carried = world.carried()
        if carried is None:
            return index
        rows = np.unique(np.append(np.arange(index, len(path), _LOOK_AHEAD), len(path) - 1))
        clear = free(world, path.tool[rows], robot.width(), carried)
        count = len(rows) if clear.all() else int(np.argmin(clear))
        if count == 0 or rows[count - 1] - index < min(_WORTHWHILE, len(path) - 1 - index):
            return index
        last = int(rows[count - 1])
        moving = last < len(path) - 1
        velocities = (path.joints[last + 1] - path.joints[last]) / DT if moving else np.zeros(6)
        world.carry(carried, path.joints[last], velocities)
        world.skip((last + 1 - index) * DT)
        return last + 1

    def _halt(self, peak: float) -> MoveResult:
        """Come to rest here: after contact, or because of :meth:`stop`."""
        robot = self._world.robot
        robot.servo(robot.joints())
        self._world.step(_BRAKING)
        if self._cancelled.is_set():
            raise VpgError(ErrorCode.CANCELLED, "the move was stopped before its end")
        return MoveResult(MoveEnd.CONTACT, Pose.from_matrix(robot.tip()), peak)
