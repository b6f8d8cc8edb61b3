"""What a controller is in: robot mode, safety mode, and the registers clients share with it."""

import time
from dataclasses import dataclass, field
from enum import IntEnum

from vpg_ros.sim.controller.recipes import REGISTERS


class RobotMode(IntEnum):
    """RTDE ``robot_mode``."""

    POWER_OFF = 3
    IDLE = 5
    RUNNING = 7


class SafetyMode(IntEnum):
    """RTDE ``safety_mode``."""

    NORMAL = 1
    PROTECTIVE_STOP = 3
    SAFEGUARD_STOP = 5
    ROBOT_EMERGENCY_STOP = 7


class RuntimeState(IntEnum):
    """RTDE ``runtime_state`` of the program."""

    STOPPED = 1
    PLAYING = 2
    PAUSED = 4


_SAFETY_BITS = {
    SafetyMode.NORMAL: 1 << 0,
    SafetyMode.PROTECTIVE_STOP: 1 << 2,
    SafetyMode.SAFEGUARD_STOP: 1 << 4 | 1 << 10,
    SafetyMode.ROBOT_EMERGENCY_STOP: 1 << 7 | 1 << 10,
}


@dataclass
class Safety:
    """Power and safety of the robot; only a running robot in normal safety mode moves."""

    robot_mode: RobotMode = RobotMode.RUNNING
    mode: SafetyMode = SafetyMode.NORMAL
    stopped_at: float = 0.0  # wall time of the last protective stop, s

    @property
    def may_move(self) -> bool:
        """Whether programs can run."""
        return self.mode is SafetyMode.NORMAL and self.robot_mode is RobotMode.RUNNING

    @property
    def bits(self) -> int:
        """RTDE ``safety_status_bits``."""
        return _SAFETY_BITS[self.mode]

    def protective_stop(self) -> None:
        """As after a collision; an emergency stop outranks it."""
        if self.mode is SafetyMode.NORMAL:
            self.mode = SafetyMode.PROTECTIVE_STOP
            self.stopped_at = time.monotonic()

    def unlock(self) -> bool:
        """End a protective stop; False when there is none."""
        if self.mode is not SafetyMode.PROTECTIVE_STOP:
            return False
        self.mode = SafetyMode.NORMAL
        return True

    def safeguard_stop(self) -> None:
        """As when a gate is opened; the other stops outrank it."""
        if self.mode is SafetyMode.NORMAL:
            self.mode = SafetyMode.SAFEGUARD_STOP

    def safeguard_reset(self) -> None:
        """The gate is closed."""
        if self.mode is SafetyMode.SAFEGUARD_STOP:
            self.mode = SafetyMode.NORMAL

    def emergency_stop(self) -> None:
        """The red button: the motors lose power."""
        self.mode, self.robot_mode = SafetyMode.ROBOT_EMERGENCY_STOP, RobotMode.POWER_OFF

    def release(self) -> None:
        """The red button is turned back; power must still be switched on."""
        if self.mode is SafetyMode.ROBOT_EMERGENCY_STOP:
            self.mode = SafetyMode.NORMAL

    def power_on(self) -> None:
        """Motors on, brakes still closed."""
        if self.mode is SafetyMode.NORMAL and self.robot_mode is RobotMode.POWER_OFF:
            self.robot_mode = RobotMode.IDLE

    def brake_release(self) -> None:
        """Ready to move."""
        if self.mode is SafetyMode.NORMAL:
            self.robot_mode = RobotMode.RUNNING

    def power_off(self) -> None:
        """Motors off."""
        self.robot_mode = RobotMode.POWER_OFF


def _ints() -> list[int]:
    return [0] * REGISTERS


def _doubles() -> list[float]:
    return [0.0] * REGISTERS


@dataclass
class Registers:
    """The general purpose registers of a controller; inputs are written by clients."""

    input_int: list[int] = field(default_factory=_ints)
    input_double: list[float] = field(default_factory=_doubles)
    output_int: list[int] = field(default_factory=_ints)
    output_double: list[float] = field(default_factory=_doubles)
