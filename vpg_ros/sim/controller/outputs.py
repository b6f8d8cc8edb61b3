"""RTDE output variables: what each means on this robot, worked out at most once a cycle."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from vpg_ros.geometry import FloatArray
from vpg_ros.sim.controller.program import Program
from vpg_ros.sim.controller.recipes import OUTPUT_TYPES, REGISTERS, Value
from vpg_ros.sim.controller.robot import Robot
from vpg_ros.sim.controller.state import RuntimeState

_ZERO6 = (0.0,) * 6
_JOINT_RUNNING = (253,) * 6
_POWER_ON, _PROGRAM_RUNNING, _POWER_BUTTON = 1, 2, 8


class Outputs(Mapping[str, Value]):
    """Name → value of every RTDE output variable, as of the present cycle."""

    def __init__(self, robot: Robot, program: Program) -> None:
        self._robot, self._program = robot, program
        self._cache: dict[str, Value] = {}

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


def _pose(robot: Robot, joints: FloatArray) -> FloatArray:
    return robot.kinematics.forward(joints).rotvec


def _tool_speed(robot: Robot, joints: FloatArray, velocities: FloatArray) -> FloatArray:
    """Linear (m/s) and angular (rad/s) velocity of the tool, base axes."""
    frames = robot.kinematics.links(joints)
    axes = [np.array([0.0, 0.0, 1.0]), *(frame[:3, 2] for frame in frames[:5])]
    origins = [np.zeros(3), *(frame[:3, 3] for frame in frames[:5])]
    tip = frames[-1][:3, 3]
    speed = np.zeros(6)
    for axis, origin, velocity in zip(axes, origins, velocities, strict=True):
        speed[:3] += velocity * np.cross(axis, tip - origin)
        speed[3:] += velocity * axis
    return speed


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
    "actual_TCP_pose": lambda o: _pose(o.robot, o.robot.state.joints),
    "actual_TCP_speed": lambda o: _tool_speed(
        o.robot, o.robot.state.joints, o.robot.state.velocities
    ),
    "actual_TCP_force": lambda o: o.robot.force,
    "target_TCP_pose": lambda o: _pose(o.robot, o.robot.motion.joints),
    "target_TCP_speed": lambda o: _tool_speed(
        o.robot, o.robot.motion.joints, o.robot.motion.velocities
    ),
    "actual_digital_input_bits": lambda o: 0,
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
}


def _integer_register(index: int) -> Callable[[Outputs], Value]:
    return lambda outputs: outputs.robot.registers.output_int[index]


def _double_register(index: int) -> Callable[[Outputs], Value]:
    return lambda outputs: outputs.robot.registers.output_double[index]


for _index in range(REGISTERS):
    _FUNCTIONS[f"output_int_register_{_index}"] = _integer_register(_index)
    _FUNCTIONS[f"output_double_register_{_index}"] = _double_register(_index)

assert _FUNCTIONS.keys() == OUTPUT_TYPES.keys()
