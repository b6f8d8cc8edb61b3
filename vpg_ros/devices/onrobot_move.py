"""How OnRobot's RG2 is moved, whatever it is reached through.

It ignores an order while its busy flag is set (OnRobot's "Connectivity guide"), and sets the flag
only a while after it has taken one.
"""

import threading
import time
from abc import ABC, abstractmethod

from vpg_ros.devices.gripper_data import RG2 as DATA
from vpg_ros.devices.gripper_move import wait_for_fingers
from vpg_ros.errors import ErrorCode, VpgError

_START_TIMEOUT = 0.5  # s of wall time within which an order shows
_START_POLL = 0.005  # s, because a movement that something blocks is over soon
_AT_GOAL = 0.002  # m from the width asked for at which there may be nothing to move
_MOVED = 0.001  # m from where the fingers were that only a movement makes


class OnRobotGripper(ABC):
    """What the drivers share; see :class:`vpg_ros.devices.interfaces.Gripper`.

    name: of the gripper, with its address. move_timeout: s of wall time for one movement.
    """

    def __init__(self, name: str, move_timeout: float) -> None:
        self._name, self._move_timeout = name, move_timeout
        self._stop = threading.Event()

    def move(self, width: float, force: float) -> float:
        """Open or close to ``width`` m with at most ``force`` N; returns the width reached, m."""
        DATA.check(width, force)
        self._stop.clear()
        self._wait("last movement")
        start, goal = self.width(), min(float(width), DATA.stroke)
        self._order(goal, force)
        self._await_start(start, goal)
        self._wait("movement")
        return self.width()

    def stop(self) -> None:
        """End a move in progress where the fingers are; it raises CANCELLED."""
        self._stop.set()

    @abstractmethod
    def width(self) -> float:
        """Distance between the fingertips, m."""

    @abstractmethod
    def is_holding(self) -> bool:
        """Whether the fingers were stopped by an object rather than by their target."""

    @abstractmethod
    def _order(self, width: float, force: float) -> None:
        """Ask for ``width`` m with ``force`` N."""

    @abstractmethod
    def _is_busy(self) -> bool:
        """Whether a movement is under way."""

    @abstractmethod
    def _halt(self) -> None:
        """End it."""

    def _wait(self, what: str) -> None:
        wait_for_fingers(
            self._name, self._is_busy, self._halt, self._stop, self._move_timeout, what
        )

    def _await_start(self, start: float, goal: float) -> None:
        """Wait until the order shows; takes it back and raises MOTION_REJECTED if it does not."""
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._shows(start, goal):
            if time.monotonic() > deadline:
                self._halt()
                raise VpgError(
                    ErrorCode.MOTION_REJECTED,
                    f"the {self._name} does not move: {start * 1000:.0f} mm open, told to go to "
                    f"{goal * 1000:.0f} mm; check that nothing else moves it or holds its fingers",
                )
            time.sleep(_START_POLL)

    def _shows(self, start: float, goal: float) -> bool:
        """Whether an order to go from ``start`` to ``goal`` is being followed, or has been.

        Fingers that open may go on telling for a while of what they held.
        """
        if self._is_busy():
            return True
        width = self.width()
        if abs(width - goal) < _AT_GOAL or abs(width - start) > _MOVED:
            return True
        return goal < start and self.is_holding()
