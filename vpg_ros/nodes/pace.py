"""Keeping simulated and wall time in step."""

import time

_MOST_BEHIND = 0.2  # s of wall time that are caught up; more (a suspended process) is forgotten


class Pace:
    """Holds simulated time to ``scale`` times wall time; 0 lets it run as fast as it can."""

    def __init__(self, scale: float, simulated: float) -> None:
        self._scale = scale
        self._restart(simulated)
        self._window = (time.monotonic(), simulated)
        self.rate = 0.0

    def wait(self, simulated: float) -> None:
        """Sleep as long as simulated time is ahead."""
        now = time.monotonic()
        self._measure(now, simulated)
        if self._scale <= 0:
            return
        ahead = self._wall + (simulated - self._simulated) / self._scale - now
        if ahead > 0:
            time.sleep(ahead)
        elif ahead < -_MOST_BEHIND:
            self._restart(simulated)

    def _restart(self, simulated: float) -> None:
        self._wall, self._simulated = time.monotonic(), simulated

    def _measure(self, now: float, simulated: float) -> None:
        """Keep ``rate``, simulated s per s, over the last second or so."""
        wall, before = self._window
        if now - wall > 1.0:
            self.rate = (simulated - before) / (now - wall)
            self._window = (now, simulated)


class Every:
    """True at most once in ``period`` s of wall time."""

    def __init__(self, period: float) -> None:
        self._period = period
        self._next = 0.0

    def due(self) -> bool:
        """Whether the period has passed since this last said so."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._period
        return True
