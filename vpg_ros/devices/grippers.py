"""The grippers there are: the only list of them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from vpg_ros.devices import gripper_data
from vpg_ros.devices.digital_output import DigitalOutput, Wiring
from vpg_ros.devices.gripper_data import GripperData
from vpg_ros.devices.interfaces import RemoteGripper
from vpg_ros.devices.onrobot import RG2
from vpg_ros.devices.robotiq import HAND_E, TWO_FINGER_85, Robotiq
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Pose

MODBUS_PORT = 502
PATIENCE = 2.0  # s


@dataclass(frozen=True)
class Settings:
    """Where grippers are reached; each reads what concerns it.

    robot_ip: address of the robot's controller. compute_box, compute_box_port: of OnRobot's
    Compute Box; "" for ``robot_ip``. wiring: of a gripper on digital outputs. patience: s of wall
    time for one answer.
    """

    robot_ip: str
    compute_box: str = ""
    compute_box_port: int = MODBUS_PORT
    wiring: Wiring = field(default_factory=Wiring)
    patience: float = PATIENCE


@dataclass(frozen=True)
class GripperModel:
    """How a gripper is reached, and what is known of it.

    connect: raises GRIPPER_NO_ANSWER.
    """

    connect: Callable[[Settings], RemoteGripper]
    data: GripperData

    @property
    def tool(self) -> Pose:
        """The point between the fingertips in the arm's ``tool0`` frame."""
        return self.data.tool


def _rg2(settings: Settings) -> RemoteGripper:
    return RG2(settings.robot_ip, call_timeout=settings.patience)


def _rg2_modbus(settings: Settings) -> RemoteGripper:
    # Imported here, because it takes its time and the other grippers do without.
    from vpg_ros.devices.onrobot_modbus import RG2Modbus

    address = settings.compute_box or settings.robot_ip
    return RG2Modbus(address, settings.compute_box_port, call_timeout=settings.patience)


def _robotiq_2f85(settings: Settings) -> RemoteGripper:
    return Robotiq(settings.robot_ip, TWO_FINGER_85, call_timeout=settings.patience)


def _robotiq_hande(settings: Settings) -> RemoteGripper:
    return Robotiq(settings.robot_ip, HAND_E, call_timeout=settings.patience)


def _digital_output(settings: Settings) -> RemoteGripper:
    return DigitalOutput(settings.robot_ip, settings.wiring, call_timeout=settings.patience)


_MODELS = {
    "rg2": GripperModel(_rg2, gripper_data.RG2),
    "rg2_modbus": GripperModel(_rg2_modbus, gripper_data.RG2),
    "robotiq_2f85": GripperModel(_robotiq_2f85, gripper_data.ROBOTIQ_2F85),
    "robotiq_hande": GripperModel(_robotiq_hande, gripper_data.ROBOTIQ_HANDE),
    "digital_output": GripperModel(_digital_output, gripper_data.DIGITAL_OUTPUT),
}
NAMES = tuple(_MODELS)


def get(name: str) -> GripperModel:
    """The gripper called ``name``; raises PARAMETER_INVALID with the names there are."""
    if name not in _MODELS:
        sentence = f"gripper is {name!r}; allowed: {', '.join(NAMES)}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence)
    return _MODELS[name]
