"""What keeps a UR arm from being moved until a person asks for a recovery."""

import logging
import threading

import numpy as np

from vpg_ros.devices.ur_reading import PAUSED, PAUSING, ROBOT_RUNNING, Reading
from vpg_ros.errors import ErrorCode, VpgError

_log = logging.getLogger(__name__)
# s on the controller's clock for which a control program does not run before that counts: what is
# known to end it may be told a little later.
_PATIENCE = 0.1


class Hold:
    """Set by a safety stop, an arm without power, and a program that others pause or end.

    Whoever clears a stop may still stand beside the arm, and a guard may reset itself. A program is
    paused or ended by a person, on the pendant or through another one, or by the controller's
    watchdog. The hold outlives the link. All methods may be called from any thread.
    """

    def __init__(self, robot_ip: str) -> None:
        self._robot_ip = robot_ip
        self._lock = threading.Lock()
        self._refusal: VpgError | None = None
        self._watching = False
        self._newest = -np.inf  # on the controller's clock
        # When, on the controller's clock, the program ceased to run, and whether it was paused.
        self._ceased: tuple[float, bool] | None = None

    @property
    def refusal(self) -> VpgError | None:
        """Why nothing moves before a recovery; None where nothing holds the arm."""
        return self._refusal

    def see(self, reading: Reading) -> None:
        """Take in a sample; nothing of one that another thread was overtaken with."""
        with self._lock:
            if reading.stamp < self._newest:
                return
            self._newest = reading.stamp
            # A stop holds or ends the program as well.
            if self._stopped(reading) or reading.program_running or not self._watching:
                self._ceased = None
                return
            paused = reading.runtime_state in (PAUSING, PAUSED)
            self._ceased = since, paused = self._ceased or (reading.stamp, paused)
            if reading.stamp - since >= _PATIENCE:
                how = "paused on its pendant" if paused else "stopped, on its pendant or otherwise"
                self._set(ErrorCode.CANCELLED, how)

    def _stopped(self, reading: Reading) -> bool:
        """Whether a safety stop is in force, or the arm has no power; sets the hold if so."""
        if (stop := reading.stop) is not None:
            self._set(stop.code, f"in {stop.name}")
        elif reading.robot_mode != ROBOT_RUNNING:
            self._set(ErrorCode.MOTION_REJECTED, "without power or its brakes were set")
        else:
            return False
        return True

    def _set(self, code: ErrorCode, how: str) -> None:
        """The first cause is the one that is told."""
        if self._refusal is None:
            sentence = f"the robot at {self._robot_ip} was {how}; nothing moves before a recovery"
            self._refusal = VpgError(code, sentence)
            _log.warning(sentence)

    def watch(self, watching: bool) -> None:
        """Whether the program should be running from now on; the clock may be another one."""
        with self._lock:
            self._watching, self._ceased, self._newest = watching, None, -np.inf

    def release(self) -> VpgError | None:
        """A person has asked for a recovery; what held the arm until now."""
        with self._lock:
            refusal, self._refusal, self._ceased = self._refusal, None, None
            return refusal

    def restore(self, refusal: VpgError | None) -> None:
        """The recovery has failed; what has stopped the arm meanwhile counts for more."""
        with self._lock:
            self._refusal = self._refusal or refusal
