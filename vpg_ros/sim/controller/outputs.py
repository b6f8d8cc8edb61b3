"""RTDE output variables: what each means on this robot, worked out at most once a cycle."""

from collections.abc import Callable, Iterator, Mapping

import cv2
import numpy as np

from vpg_ros.devices.kinematics import Kinematics
from vpg_ros.geometry import FloatArray
from vpg_ros.sim.controller.program import Program
from vpg_ros.sim.controller.recipes import OUTPUT_TYPES, REGISTERS, Value
from vpg_ros.sim.controller.robot import Robot
from vpg_ros.sim.controller.state import RuntimeState

_ZERO6 = (0.0,) * 6
_NEXT, _AFTER = (1, 2, 0), (2, 0, 1)  # the components of a cross product
_JOINT_RUNNING = (253,) * 6
_POWER_ON, _PROGRAM_RUNNING, _POWER_BUTTON = 1, 2, 8


class Outputs(Mapping[str, Value]):
    """Name → value of every RTDE output variable, as of the present cycle."""

    def __init__(self, robot: Robot, program: Program) -> None:
        self._robot, self._program = robot, program
        self._cache: dict[str, Value] = {}
        self.actual, self.target = _Chain(), _Chain()

    def __getitem__(self, name: str) -> Value:
        if name not in self._cache:
            self._cache[name] = _FUNCTIONS[name](self)
        return self._cache[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_FUNCTIONS)

    def __len__(self) -> int:
        return len(_FUNCTIONS)

    def next_cycle(self) -> None:
        """Forget what was worked out in the cycle before."""
        self._cache.clear()

    @property
    def handshake(self) -> tuple[int, ...]:
        """What a waiting client looks at; a change is sent without delay."""
        registers = self._robot.registers.output_int
        low, high = registers[0:3], registers[24:27]
        return (*low, *high, self._program.runtime, self._robot.safety.bits)

    @property
    def robot(self) -> Robot:
        """The robot described."""
        return self._robot

    @property
    def running(self) -> bool:
        """Whether a program plays."""
        return self._program.runtime is RuntimeState.PLAYING

    @property
    def runtime(self) -> int:
        """``runtime_state``."""
        return int(self._program.runtime)


class _Chain:
    """The arm's frames at one set of joints, kept for as long as the joints stay."""

    def __init__(self) -> None:
        self._kinematics: Kinematics | None = None
        self._joints = np.full(6, np.nan)
        self._frames: FloatArray = np.zeros((8, 4, 4))

    def frames(self, kinematics: Kinematics, joints: FloatArray) -> FloatArray:
        """8×4×4: the base, the six links and the tool, in the base frame."""
        if kinematics is not self._kinematics or not np.array_equal(joints, self._joints):
            self._kinematics, self._joints = kinematics, joints
            self._frames = np.stack([np.eye(4), *kinematics.links(joints)])
        return self._frames


def _pose(chain: _Chain, robot: Robot, joints: FloatArray) -> FloatArray:
    """Tool pose as a 6-vector, m and axis-angle rad."""
    tool = chain.frames(robot.kinematics, joints)[-1]
    turn, _ = cv2.Rodrigues(np.ascontiguousarray(tool[:3, :3]))
    return np.concatenate([tool[:3, 3], turn[:, 0]])


def _tool_speed(
    chain: _Chain, robot: Robot, joints: FloatArray, velocities: FloatArray
) -> FloatArray:
    """Linear (m/s) and angular (rad/s) velocity of the tool, base axes."""
    frames = chain.frames(robot.kinematics, joints)
    axes, arms = frames[:6, :3, 2], frames[-1, :3, 3] - frames[:6, :3, 3]
    sweeps = axes[:, _NEXT] * arms[:, _AFTER] - axes[:, _AFTER] * arms[:, _NEXT]
    return np.concatenate([velocities @ sweeps, velocities @ axes])


def _status_bits(outputs: Outputs) -> int:
    running = _PROGRAM_RUNNING if outputs.running else 0
    return _POWER_BUTTON | running | (_POWER_ON if outputs.robot.safety.robot_mode == 7 else 0)


_FUNCTIONS: dict[str, Callable[[Outputs], Value]] = {
    "timestamp": lambda o: o.robot.state.time,
    "target_q": lambda o: o.robot.motion.joints,
    "target_qd": lambda o: o.robot.motion.velocities,
    "target_qdd": lambda o: o.robot.motion.accelerations,
    "target_current": lambda o: _ZERO6,
    "target_moment": lambda o: _ZERO6,
    "actual_q": lambda o: o.robot.state.joints,
    "actual_qd": lambda o: o.robot.state.velocities,
    "actual_current": lambda o: _ZERO6,
    "joint_control_output": lambda o: _ZERO6,
    "actual_TCP_pose": lambda o: _pose(o.actual, o.robot, o.robot.state.joints),
    "actual_TCP_speed": lambda o: _tool_speed(
        o.actual, o.robot, o.robot.state.joints, o.robot.state.velocities
    ),
    "actual_TCP_force": lambda o: o.robot.force,
    "target_TCP_pose": lambda o: _pose(o.target, o.robot, o.robot.motion.joints),
    "target_TCP_speed": lambda o: _tool_speed(
        o.target, o.robot, o.robot.motion.joints, o.robot.motion.velocities
    ),
    "actual_digital_input_bits": lambda o: o.robot.digital_inputs,
    "joint_temperatures": lambda o: (30.0,) * 6,
    "actual_execution_time": lambda o: 0.001,
    "robot_mode": lambda o: int(o.robot.safety.robot_mode),
    "joint_mode": lambda o: _JOINT_RUNNING,
    "safety_mode": lambda o: int(o.robot.safety.mode),
    "actual_tool_accelerometer": lambda o: (0.0, 0.0, 9.82),
    "speed_scaling": lambda o: o.robot.slider,
    "target_speed_fraction": lambda o: o.robot.slider,
    "actual_momentum": lambda o: 0.0,
    "actual_main_voltage": lambda o: 48.0,
    "actual_robot_voltage": lambda o: 48.0,
    "actual_robot_current": lambda o: 0.5,
    "actual_joint_voltage": lambda o: (48.0,) * 6,
    "actual_digital_output_bits": lambda o: o.robot.digital_outputs,
    "runtime_state": lambda o: o.runtime,
    "robot_status_bits": _status_bits,
    "safety_status_bits": lambda o: o.robot.safety.bits,
    "standard_analog_input0": lambda o: 0.0,
    "standard_analog_input1": lambda o: 0.0,
    "standard_analog_output0": lambda o: 0.0,
    "standard_analog_output1": lambda o: 0.0,
    "ft_raw_wrench": lambda o: o.robot.state.wrench,
    "payload": lambda o: o.robot.payload,
    "payload_cog": lambda o: o.robot.payload_cog,
    "payload_inertia": lambda o: _ZERO6,
    "actual_current_as_torque": lambda o: _ZERO6,
}


def _integer_register(index: int) -> Callable[[Outputs], Value]:
    return lambda outputs: outputs.robot.registers.output_int[index]


def _double_register(index: int) -> Callable[[Outputs], Value]:
    return lambda outputs: outputs.robot.registers.output_double[index]


for _index in range(REGISTERS):
    _FUNCTIONS[f"output_int_register_{_index}"] = _integer_register(_index)
    _FUNCTIONS[f"output_double_register_{_index}"] = _double_register(_index)

assert _FUNCTIONS.keys() == OUTPUT_TYPES.keys()
