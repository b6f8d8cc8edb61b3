"""The grippers that the emulator can carry: a device for every driver in ``devices/grippers``."""

from collections.abc import Callable

from vpg_ros.sim.controller import robotiq
from vpg_ros.sim.controller.digital_gripper import DigitalGripper
from vpg_ros.sim.controller.gripper import GripperDevice
from vpg_ros.sim.controller.rg2_urcap import UrCap
from vpg_ros.sim.controller.robot import Robot


def _compute_box(robot: Robot) -> GripperDevice:
    # Imported here, because it takes its time and the other grippers do without.
    from vpg_ros.sim.controller.rg2_compute_box import ComputeBox

    return ComputeBox(robot.gripper)


_DEVICES: dict[str, Callable[[Robot], GripperDevice]] = {
    "rg2": lambda robot: UrCap(robot.gripper),
    "rg2_modbus": _compute_box,
    "robotiq_2f85": lambda robot: robotiq.Robotiq(robot, robotiq.TWO_FINGER_85),
    "robotiq_hande": lambda robot: robotiq.Robotiq(robot, robotiq.HAND_E),
    "digital_output": DigitalGripper,
}
NAMES = tuple(_DEVICES)


def device(name: str, robot: Robot) -> GripperDevice:
    """The gripper called ``name`` at the end of ``robot``."""
    return _DEVICES[name](robot)
