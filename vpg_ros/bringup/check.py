"""What can be said to be wrong before any process is started."""

from collections.abc import Mapping
from pathlib import Path

from vpg_ros.argument import Value
from vpg_ros.bringup.model import motion_parameters
from vpg_ros.devices.calibration import load_home, require_home
from vpg_ros.errors import ErrorCode, require
from vpg_ros.installation import require_ros, require_vpg_msgs
from vpg_ros.system import System


def check(system: System, values: Mapping[str, Value]) -> None:
    """Raise the error of the first argument or installed package that cannot work."""
    require_ros()
    require_vpg_msgs()
    system.chosen_parameters(values)
    checkpoint = str(values["checkpoint"])
    require(
        not checkpoint or Path(checkpoint).is_file(),
        f"checkpoint is {checkpoint!r}: no such file",
        ErrorCode.CHECKPOINT_MISSING,
    )
    if system.name == "sim":
        from vpg_ros.sim.scenes.base import check as check_scene

        check_scene(str(values["scene"]), int(values["objects"]))
    else:
        check_calibration(system, values)


def check_calibration(system: System, values: Mapping[str, Value]) -> None:
    """Raise CALIBRATION_MISSING unless the file says where the camera is, with this home."""
    path = Path(str(values["calibration"]))
    made = load_home(path)
    if made is not None:
        require_home(path, made, motion_parameters(system, values).gate.home)
