"""RTDE recipes: which variables a client reads or writes, and how they are packed.

Names and types as in Universal Robots' "Real-Time Data Exchange (RTDE) guide". Values are packed
big-endian without padding, in the order of the recipe.
"""

import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

Value = float | int | Iterable[float]

# RTDE type → (struct format, number of values)
_FORMATS: dict[str, tuple[str, int]] = {
    "DOUBLE": ("d", 1),
    "INT32": ("i", 1),
    "UINT32": ("I", 1),
    "UINT64": ("Q", 1),
    "UINT8": ("B", 1),
    "VECTOR3D": ("3d", 3),
    "VECTOR6D": ("6d", 6),
    "VECTOR6INT32": ("6i", 6),
}
REGISTERS = 48

_OUTPUTS_BY_TYPE: dict[str, tuple[str, ...]] = {
    "DOUBLE": (
        *("timestamp", "actual_execution_time", "speed_scaling", "target_speed_fraction"),
        *("actual_momentum", "actual_main_voltage", "actual_robot_voltage"),
        *("actual_robot_current", "payload", "standard_analog_input0", "standard_analog_input1"),
        *("standard_analog_output0", "standard_analog_output1"),
        *(f"output_double_register_{index}" for index in range(REGISTERS)),
    ),
    "INT32": (
        *("robot_mode", "safety_mode"),
        *(f"output_int_register_{index}" for index in range(REGISTERS)),
    ),
    "UINT32": ("runtime_state", "robot_status_bits", "safety_status_bits"),
    "UINT64": ("actual_digital_input_bits", "actual_digital_output_bits"),
    "VECTOR3D": ("actual_tool_accelerometer", "payload_cog"),
    "VECTOR6D": (
        *("target_q", "target_qd", "target_qdd", "target_current", "target_moment"),
        *("actual_q", "actual_qd", "actual_current", "joint_control_output"),
        *("actual_TCP_pose", "actual_TCP_speed", "actual_TCP_force"),
        *("target_TCP_pose", "target_TCP_speed", "joint_temperatures", "actual_joint_voltage"),
        *("ft_raw_wrench", "payload_inertia", "actual_current_as_torque"),
    ),
    "VECTOR6INT32": ("joint_mode",),
}
_INPUTS_BY_TYPE: dict[str, tuple[str, ...]] = {
    "DOUBLE": (
        *("speed_slider_fraction", "standard_analog_output_0", "standard_analog_output_1"),
        *(f"input_double_register_{index}" for index in range(REGISTERS)),
    ),
    "INT32": tuple(f"input_int_register_{index}" for index in range(REGISTERS)),
    "UINT32": ("speed_slider_mask",),
    "UINT8": (
        *("standard_digital_output_mask", "standard_digital_output"),
        *("configurable_digital_output_mask", "configurable_digital_output"),
        *("tool_digital_output_mask", "tool_digital_output"),
        *("standard_analog_output_mask", "standard_analog_output_type"),
    ),
    "VECTOR6D": ("external_force_torque",),
}
OUTPUT_TYPES = {name: kind for kind, names in _OUTPUTS_BY_TYPE.items() for name in names}
INPUT_TYPES = {name: kind for kind, names in _INPUTS_BY_TYPE.items() for name in names}


@dataclass(frozen=True)
class Recipe:
    """An ordered choice of variables.

    names: of the variables. types: their RTDE types, NOT_FOUND for names that do not exist, IN_USE
    for inputs that another client writes.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]

    @staticmethod
    def parse(names: str, known: Mapping[str, str], used: Collection[str] = ()) -> "Recipe":
        """Recipe of names joined by commas; a trailing comma, as ur_rtde sends, is ignored.

        used: names of inputs that another client writes.
        """
        chosen = tuple(name for name in names.split(",") if name)
        known = {**known, **dict.fromkeys(used, "IN_USE")}
        return Recipe(chosen, tuple(known.get(name, "NOT_FOUND") for name in chosen))

    @property
    def valid(self) -> bool:
        """Whether every name exists and may be used."""
        return bool(self.names) and all(kind in _FORMATS for kind in self.types)

    def packer(self) -> struct.Struct:
        """How one sample of all the variables is packed."""
        return struct.Struct(">" + "".join(_FORMATS[kind][0] for kind in self.types))

    def flatten(self, values: Mapping[str, Value]) -> list[float]:
        """The variables' values as one flat list, in the recipe's order."""
        flat: list[float] = []
        for name in self.names:
            value = values[name]
            if isinstance(value, int | float):
                flat.append(value)
            else:
                flat.extend(value)
        return flat

    def unpack(self, payload: bytes) -> dict[str, tuple[float, ...]]:
        """Name → values, for as many variables as ``payload`` is long.

        ur_rtde sends frames that are shorter or longer than their recipe (a joint move with five
        joints, a request for forward kinematics); a controller takes what fits.
        """
        values: dict[str, tuple[float, ...]] = {}
        offset = 0
        for name, kind in zip(self.names, self.types, strict=True):
            packer = struct.Struct(">" + _FORMATS[kind][0])
            if offset + packer.size > len(payload):
                break
            values[name] = packer.unpack_from(payload, offset)
            offset += packer.size
        return values
