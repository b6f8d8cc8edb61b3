"""The motion part of a controller: at most one trajectory at a time, and how it is stopped."""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from vpg_ros.devices.kinematics import Kinematics
from vpg_ros.geometry import FloatArray
from vpg_ros.sim.controller.trajectory import Stop, Trajectory

# Builds a trajectory from the joint targets at which it begins.
Plan = Callable[[FloatArray], Trajectory]

SAFETY_DECELERATION = 30.0  # rad/s² of a protective or emergency stop
PROGRAM_DECELERATION = 8.0  # rad/s² when a program ends in the middle of a move
_STILL = 1e-6  # rad/s
_HOLD_TIME = 0.1  # s in which a move comes to rest, or goes on, when its program is held or played


class MotionControl:
    """Joint targets over time.

    joints: rad, the targets. velocities: rad/s. held: whether a move rests where it is; it goes on
    where it rested once that is over.
    """

    def __init__(self, joints: FloatArray) -> None:
        self.joints = joints
        self.velocities = np.zeros(6)
        self.accelerations = np.zeros(6)
        self.held = False
        self._pace = 1.0
        self._current: Trajectory | None = None
        self._next: deque[Plan] = deque()

    @property
    def moving(self) -> bool:
        """Whether a move or a stop is under way, and not held."""
        resting = self.held and self._pace == 0.0
        return not resting and (self._current is not None or bool(self._next))

    @property
    def current(self) -> Trajectory | None:
        """The trajectory that is being followed."""
        return self._current

    def start(self, plans: Sequence[Plan], deceleration: float = PROGRAM_DECELERATION) -> None:
        """Follow ``plans`` one after the other; a move under way is stopped first."""
        self._next.clear()
        if self._current is not None:
            self.stop_joints(deceleration)
        self._next.extend(plans)

    def follow(self, trajectory: Trajectory) -> None:
        """Follow ``trajectory``, which begins at the present targets, at once."""
        self._next.clear()
        self._current = trajectory

    def stop_joints(self, deceleration: float) -> None:
        """Slow the leading joint down at ``deceleration`` rad/s², the others along with it."""
        self._stop(float(np.abs(self.velocities).max()) / max(deceleration, 1e-3))

    def stop_tool(self, deceleration: float, kinematics: Kinematics, cycle: float) -> None:
        """Slow the tool down at ``deceleration`` m/s²."""
        here = np.array(kinematics.forward(self.joints).position)
        ahead = np.array(kinematics.forward(self.joints + self.velocities * cycle).position)
        speed = float(np.linalg.norm(ahead - here)) / cycle
        self._stop(speed / max(deceleration, 1e-3))

    def advance(self, dt: float, cycle: float) -> None:
        """One control cycle; the trajectory goes on by ``dt`` s, less if the slider is down."""
        before, speed = self.joints, self.velocities
        change = cycle / _HOLD_TIME
        self._pace = min(max(self._pace + (-change if self.held else change), 0.0), 1.0)
        if self._current is None and self._next:
            self._current = self._next.popleft()(self.joints)
        if self._current is not None:
            # A stop begins at the real velocity, which the speed slider has slowed already.
            step = cycle if isinstance(self._current, Stop) else dt * self._pace
            self.joints = self._current.advance(step)
            if self._current.done:
                self._current = None
        self.velocities = (self.joints - before) / cycle
        self.accelerations = (self.velocities - speed) / cycle

    def freeze(self) -> None:
        """Forget all motion where the targets are now."""
        self._next.clear()
        self._current = None

    def _stop(self, duration: float) -> None:
        self._next.clear()
        self.held, self._pace = False, 1.0
        moving = float(np.abs(self.velocities).max()) > _STILL
        self._current = Stop(self.joints, self.velocities, duration) if moving else None
