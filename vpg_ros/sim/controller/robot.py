"""The robot as the controller's programs see it: what is measured, what is mounted, what moves."""

from dataclasses import dataclass, field, replace

import numpy as np

from vpg_ros.devices.kinematics import Kinematics
from vpg_ros.geometry import FloatArray, Pose
from vpg_ros.sim.controller.gripper import GripperModel
from vpg_ros.sim.controller.link import CYCLE, RobotCommand, RobotState
from vpg_ros.sim.controller.motion_control import SAFETY_DECELERATION, MotionControl
from vpg_ros.sim.controller.state import Registers, Safety

# A real controller stops when the joints do not follow their targets (position deviation).
_DEVIATION = 0.35  # rad
_TOUCH = 5.0  # N of change since a move began above which it has met something


@dataclass
class Robot:
    """One arm with its tool.

    state: what was measured last. kinematics: arm and tool centre point. payload: kg; payload_cog:
    m. slider: speed slider, 0 … 1.
    digital_outputs, digital_inputs: bits 0-7 standard, 8-15 configurable, 16-17 tool.
    remote: whether the pendant's switch is at remote control.
    """

    state: RobotState
    kinematics: Kinematics
    safety: Safety = field(default_factory=Safety)
    registers: Registers = field(default_factory=Registers)
    gripper: GripperModel = field(default_factory=GripperModel)
    payload: float = 0.0
    payload_cog: tuple[float, ...] = (0.0, 0.0, 0.0)
    slider: float = 1.0
    digital_outputs: int = 0
    digital_inputs: int = 0
    remote: bool = True
    motion: MotionControl = field(init=False)
    _wrench_at_rest: FloatArray = field(default_factory=lambda: np.zeros(6))

    def __post_init__(self) -> None:
        self.motion = MotionControl(self.state.joints)
        self.gripper.measure(self.state)

    @property
    def force(self) -> FloatArray:
        """Wrench at the tool centre point, base axes, N and Nm."""
        return self.state.wrench

    @property
    def meeting(self) -> bool:
        """Whether the arm moves and has met something; the weight of what it carries is nothing."""
        change = self.state.wrench[:3] - self._wrench_at_rest[:3]
        return self.motion.moving and float(np.linalg.norm(change)) > _TOUCH

    @property
    def flange(self) -> Kinematics:
        """The same arm without a tool."""
        return replace(self.kinematics, tool=Pose((0.0, 0.0, 0.0)))

    def mount(self, tool: Pose) -> None:
        """Set the tool centre point, in the flange's frame."""
        self.kinematics = replace(self.kinematics, tool=tool)

    def set_outputs(self, shift: int, mask: int, bits: int) -> None:
        """Set those of eight digital outputs from ``shift`` on that ``mask`` names."""
        mask, bits = mask << shift, bits << shift
        self.digital_outputs = self.digital_outputs & ~mask | bits & mask

    def protective_stop(self) -> None:
        """Stop as after a collision."""
        self.safety.protective_stop()
        self.motion.stop_joints(SAFETY_DECELERATION)

    def emergency_stop(self) -> None:
        """Stop as after the red button."""
        self.safety.emergency_stop()
        self.motion.stop_joints(SAFETY_DECELERATION)

    def measure(self, state: RobotState) -> None:
        """Take in what the world measured."""
        self.state = state
        self.gripper.measure(state)
        if not self.motion.moving:
            self._wrench_at_rest = state.wrench
        deviation = float(np.abs(state.joints - self.motion.joints).max())
        if deviation > _DEVIATION and self.safety.may_move:
            self.protective_stop()

    def command(self) -> RobotCommand:
        """Advance the motion by one control cycle; what the world should do in it."""
        self.motion.advance(CYCLE * self.slider, CYCLE)
        return RobotCommand(self.motion.joints, self.gripper.target, self.gripper.force)
