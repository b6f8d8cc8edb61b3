"""The URDF of a system's robot and cell, as its arguments and its parameter file have them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vpg_ros.argument import Value
from vpg_ros.devices.calibration import load_camera_pose
from vpg_ros.devices.description import expand
from vpg_ros.system import PARAMS, System

if TYPE_CHECKING:
    from vpg_ros.nodes.motion_parameters import Parameters

_SLIDING = ' type="prismatic"'


def motion_parameters(system: System, values: Mapping[str, Value]) -> "Parameters":
    """What the arguments and the parameter file tell motion_node of robot and cell."""
    from vpg_ros.nodes.motion_parameters import Parameters
    from vpg_ros.nodes.parameter_file import load

    told = {name: values[name] for name in ("robot_model", "gripper") if name in values}
    return load(Parameters, _file(system, values), "motion_node", {"robot_ip": "", **told})


def _file(system: System, values: Mapping[str, Value]) -> Path:
    return system.chosen_parameters({PARAMS: str(system.parameters_path), **values})


def robot_description(system: System, values: Mapping[str, str]) -> str:
    """URDF text for robot_state_publisher: arm, gripper, workspace, and the calibrated camera.

    values: of the arguments, where given. The gripper's fingers are shown closed, because no joint
    state tells where they are. Raises CALIBRATION_MISSING, PARAMETER_INVALID.
    """
    from vpg_ros.nodes.parameter_file import load
    from vpg_ros.nodes.workspace_parameters import WorkspaceParameters

    path, motion = _file(system, values), motion_parameters(system, values)
    calibration = values.get("calibration", "")
    urdf = expand(
        robot=True,
        cell=True,
        frames=True,
        workspace=load(WorkspaceParameters, path, "heightmap_node", {}).workspace,
        model=motion.robot_model,
        gripper=motion.gripper,
        tool_length=motion.kinematics.tool.position[2],
        bin_position=motion.bin_pose.position,
        camera=load_camera_pose(Path(calibration)) if calibration else None,
    )
    return urdf.replace(_SLIDING, ' type="fixed"')
