"""What keeps a UR arm from being moved until a person asks for a recovery."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vpg_ros.devices.ur_reading import PAUSED, PAUSING, ROBOT_RUNNING, Reading

# s on the controller's clock for which a control program does not run before that counts: what is
# known to end it may be told a little later.
_PATIENCE = 0.1


class Hold:
    """Set when the control program is paused or ended, but not by the driver or by a safety stop.

    Then a person has done that, on the pendant or through another program, or the controller's
    watchdog. It outlives the link. All methods may be called from any thread.
    """

    def __init__(self, robot_ip: str) -> None:
        self._robot_ip = robot_ip
        self._lock = threading.Lock()
        self._reason = ""
        self._watching = False
        self._excused = False  # whether it is known why the program does not run
        # When, on the controller's clock, the program ceased to run, and whether it was paused.
        self._ceased: tuple[float, bool] | None = None

    @property
    def reason(self) -> str:
        """Why nothing moves before a recovery, in words; "" where nothing holds the arm."""
        return self._reason

    @property
    def excused(self) -> bool:
        """Whether the program may be started again where it does not run."""
        return self._excused

    def see(self, reading: Reading) -> None:
        """Take in a sample."""
        with self._lock:
            stopped = reading.stopped or reading.robot_mode != ROBOT_RUNNING
            # These hold or end the program as well, and end by what a person does on the robot.
            self._excused = stopped or (self._excused and not reading.program_running)
            if self._excused or reading.program_running or not self._watching:
                self._ceased = None
                return
            paused = reading.runtime_state in (PAUSING, PAUSED)
            self._ceased = since, paused = self._ceased or (reading.stamp, paused)
            if reading.stamp - since >= _PATIENCE and not self._reason:
                how = "paused on its pendant" if paused else "stopped, on its pendant or otherwise"
                self._reason = f"the robot at {self._robot_ip} was {how}"

    def watch(self, watching: bool) -> None:
        """Whether the program should be running from now on."""
        with self._lock:
            self._watching, self._ceased = watching, None

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """While the driver itself ends and starts the program."""
        self.watch(False)
        try:
            yield
        finally:
            self.watch(True)

    def release(self) -> None:
        """A person has asked for a recovery."""
        with self._lock:
            self._reason, self._excused, self._ceased = "", True, None
