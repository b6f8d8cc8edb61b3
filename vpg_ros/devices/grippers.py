"""The grippers there are: the only list of them."""

from collections.abc import Callable
from dataclasses import dataclass

from vpg_ros.devices.interfaces import Gripper
from vpg_ros.devices.kinematics import RG2_TOOL
from vpg_ros.devices.onrobot import RG2
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Pose


@dataclass(frozen=True)
class GripperModel:
    """How a gripper is reached, and where it holds things.

    connect: from the address of the robot's controller; raises GRIPPER_NO_ANSWER.
    tool: point between the fingertips in the arm's ``tool0`` frame.
    """

    connect: Callable[[str], Gripper]
    tool: Pose


_MODELS = {"rg2": GripperModel(RG2, RG2_TOOL)}
NAMES = tuple(_MODELS)


def get(name: str) -> GripperModel:
    """The gripper called ``name``; raises PARAMETER_INVALID with the names there are."""
    if name not in _MODELS:
        sentence = f"gripper is {name!r}; allowed: {', '.join(NAMES)}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence)
    return _MODELS[name]
