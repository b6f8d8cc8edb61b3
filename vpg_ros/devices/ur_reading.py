"""What is read of a UR controller in one sample, and what its status words mean (RTDE guide)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vpg_ros.devices.ur_recovery import SAFEGUARD_ADVICE
from vpg_ros.errors import ErrorCode
from vpg_ros.geometry import FloatArray

ROBOT_RUNNING = 7  # robot_mode
STOPPING, STOPPED, PLAYING, PAUSING, PAUSED = 0, 1, 2, 3, 4  # runtime_state


class Stop(NamedTuple):
    """A safety stop: its bit of safety_status_bits, what is raised, and what a person does."""

    bit: int
    code: ErrorCode
    name: str
    advice: str


STOPS = (  # the first one in force counts
    Stop(
        1 << 7,
        ErrorCode.EMERGENCY_STOP,
        "emergency stop",
        "release the button, then power the arm on and release its brakes",
    ),
    Stop(
        1 << 2,
        ErrorCode.PROTECTIVE_STOP,
        "protective stop",
        "clear the cause, then unlock it on the pendant",
    ),
    Stop(1 << 4, ErrorCode.PROTECTIVE_STOP, "safeguard stop", SAFEGUARD_ADVICE),
)


@dataclass(frozen=True)
class Reading:
    """One sample of the controller's state.

    stamp: controller time, s. joints: 6 rad. velocities: 6 rad/s. tool: 6-vector m, axis-angle rad.
    force: 6, N and Nm at the tool, base axes. target_*: what the controller's trajectory asks for
    now. speed_fraction: the speed slider, 0 … 1.
    """

    stamp: float
    joints: FloatArray
    velocities: FloatArray
    tool: FloatArray
    force: FloatArray
    target_joints: FloatArray
    target_velocities: FloatArray
    target_tool: FloatArray
    speed_fraction: float
    robot_mode: int
    runtime_state: int
    safety_bits: int

    @property
    def program_running(self) -> bool:
        """Whether the control program plays."""
        return self.runtime_state == PLAYING

    @property
    def stop(self) -> Stop | None:
        """The safety stop in force, if any."""
        return next((stop for stop in STOPS if self.safety_bits & stop.bit), None)

    @property
    def held(self) -> bool:
        """Whether a stop or a pause may hold the program, which then goes on with it afterwards."""
        return self.runtime_state not in (STOPPING, STOPPED) and (
            self.stop is not None or not self.program_running
        )

    @property
    def fastest_joint(self) -> float:
        """Speed of the fastest joint, rad/s."""
        return float(np.abs(self.velocities).max())
