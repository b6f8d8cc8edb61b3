"""The program on the controller: the command loop that ur_rtde's uploaded script implements.

Handshake with the client, once a control cycle: output integer register 0 says *ready* or *done*;
input integer register 0 holds a command's number. A command is run once and latched until the
client clears the register; commands of the real-time kind are run again every cycle.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from vpg_ros.errors import VpgError
from vpg_ros.geometry import FloatArray
from vpg_ros.sim.controller import custom
from vpg_ros.sim.controller.motion_control import PROGRAM_DECELERATION
from vpg_ros.sim.controller.robot import Robot
from vpg_ros.sim.controller.script import Script
from vpg_ros.sim.controller.state import RuntimeState

_log = logging.getLogger(__name__)
READY, DONE = 1, 2
STOP_COMMAND = 255
_HISTORY = 10_000
# Unlike a controller this process may be held up itself, and its clients' signs of life with it: of
# a pause between two cycles no more counts as their silence, s of wall time.
_HELD_UP = 0.25

# A command starts something and says whether the client has to wait: None for done at once.
Wait = Callable[[], bool] | None


class Progress:
    """The word in output integer register 2: running bit, change counter, operation number."""

    def __init__(self) -> None:
        self.running = False
        self._writes, self._operation = 0, 0

    def begin(self) -> int:
        """A new asynchronous operation."""
        self.running = True
        self._operation = (self._operation + 1) % 128
        return self._word()

    def end(self) -> int:
        """The operation is over."""
        self.running = False
        return self._word()

    def _word(self) -> int:
        self._writes = (self._writes + 1) % 128
        return self._operation << 24 | self._writes << 16 | self.running << 15


class Program:
    """What runs on the controller, if anything does."""

    def __init__(self, robot: Robot, commands: dict[int, Callable[["Program"], Wait]]) -> None:
        self.robot = robot
        self.runtime = RuntimeState.STOPPED
        self.script: Script | None = None
        self.history: deque[int] = deque(maxlen=_HISTORY)
        self.watchdog = 0.0  # s of wall time without input after which the program ends; 0: none
        self._silence, self._cycled = 0.0, time.monotonic()  # s of wall time without input
        self._commands = commands
        self._progress = Progress()
        self._executing = False
        self._waiting: Wait = None
        self._custom: Iterator[None] | None = None

    # -- what servers call -----------------------------------------------------------------------

    def load(self, script: Script) -> None:
        """Run an uploaded program in place of the one that runs now; not while in a safety stop."""
        if not self.robot.safety.may_move:
            _log.warning("program %s refused: the robot is not ready to move", script.name)
            return
        self.stop("replaced")
        self.script, self.runtime = script, RuntimeState.PLAYING
        self._executing, self._waiting, self.watchdog = False, None, 0.0
        self._custom = None if script.is_control else custom.run(script, self.robot)
        self._write(2, self._progress.end())
        if script.is_control:
            self._write(0, READY)

    def stop(self, reason: str) -> None:
        """End the program; the arm comes to a standstill."""
        if self.runtime is not RuntimeState.STOPPED:
            _log.info("program ended: %s", reason)
            self.runtime = RuntimeState.STOPPED
            if self.robot.safety.may_move or self.robot.motion.held:
                self.robot.motion.stop_joints(PROGRAM_DECELERATION)

    def heard(self) -> None:
        """The client has written register 0: it lives."""
        self._silence = 0.0

    def pause(self) -> None:
        """Hold the program, as a protective stop does."""
        if self.runtime is RuntimeState.PLAYING:
            self.runtime = RuntimeState.PAUSED

    def hold(self) -> None:
        """Hold the program with its move, as a safeguard stop and the pendant's pause do."""
        if self.runtime is RuntimeState.PLAYING:
            self.pause()
            self.robot.motion.held = True

    def play(self) -> bool:
        """Go on with a program that is held, and its move; False when there is none."""
        if self.runtime is not RuntimeState.PAUSED or not self.robot.safety.may_move:
            return False
        self.runtime, self.robot.motion.held = RuntimeState.PLAYING, False
        return True

    def cycle(self) -> None:
        """One control cycle."""
        now = time.monotonic()
        self._silence += min(now - self._cycled, _HELD_UP)
        self._cycled = now
        if self.runtime is not RuntimeState.PLAYING:
            return
        try:
            if self._custom is not None:
                self._cycle_custom()
            else:
                self._cycle_control()
        except VpgError as error:
            _log.warning("program ended by its own fault: %s", error.message)
            self.stop(error.message)

    # -- what commands call ----------------------------------------------------------------------

    def doubles(self, count: int, first: int = 0) -> FloatArray:
        """Input double registers of the command."""
        start = first + self._offset
        return np.array(self.robot.registers.input_double[start : start + count])

    def integer(self, index: int) -> int:
        """Input integer register of the command."""
        return self.robot.registers.input_int[index + self._offset]

    def answer(self, values: Sequence[float] | FloatArray) -> None:
        """Write output double registers from 0 on."""
        start = self._offset
        self.robot.registers.output_double[start : start + len(values)] = [float(v) for v in values]

    def answer_integer(self, value: int) -> None:
        """Write output integer register 1."""
        self._write(1, value)

    def until_still(self) -> Wait:
        """Wait for the end of the motion."""
        return lambda: not self.robot.motion.moving

    def in_background(self, start: Callable[[], None]) -> Wait:
        """Start a motion that the client follows through the progress register."""
        if self._progress.running:
            self._write(2, self._progress.end())
        start()
        self._write(2, self._progress.begin())
        return None

    # -- inside ----------------------------------------------------------------------------------

    @property
    def _offset(self) -> int:
        return self.script.offset if self.script else 0

    def _write(self, index: int, value: int) -> None:
        self.robot.registers.output_int[index + self._offset] = value

    def _cycle_custom(self) -> None:
        assert self._custom is not None
        if next(self._custom, "over") == "over":
            self.stop("finished")

    def _cycle_control(self) -> None:
        if self.watchdog and self._silence > self.watchdog:
            _log.warning("watchdog: no sign of life of the client for %.2f s", self._silence)
            self.stop("the client has been silent for too long")
            return
        if self._progress.running and not self.robot.motion.moving:
            self._write(2, self._progress.end())
        command = self.integer(0)
        if self._waiting is not None:
            self._finish_waiting()
        elif command == 0:
            self._executing = False
            self._write(0, READY)
        elif command in REAL_TIME:
            self._run(command)
            self._write(0, READY)
        elif not self._executing:
            self._executing = True
            self._run(command)

    def _finish_waiting(self) -> None:
        assert self._waiting is not None
        if self._waiting():
            self._waiting = None
            self._write(0, DONE)

    def _run(self, command: int) -> None:
        self.history.append(command)
        if command == STOP_COMMAND:
            self.stop("by the client")
            return
        handler = self._commands.get(command)
        if handler is None:
            _log.warning("command %d is not emulated; it is acknowledged and ignored", command)
        self._waiting = handler(self) if handler else None
        if self._waiting is None:
            self._write(0, DONE)


REAL_TIME = frozenset({6, 9, 10, 11, 24, 25, 26, 27, 38, 58, *range(66, 72)})
