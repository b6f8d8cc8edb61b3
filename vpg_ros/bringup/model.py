"""The URDF of a system's robot and cell, as its arguments and its parameter file have them."""

from collections.abc import Mapping
from pathlib import Path

from vpg_ros.devices.calibration import load_camera_pose
from vpg_ros.devices.description import expand
from vpg_ros.system import System

_SLIDING = ' type="prismatic"'


def robot_description(system: System, values: Mapping[str, str]) -> str:
    """URDF text for robot_state_publisher: arm, gripper, workspace, and the calibrated camera.

    values: of the arguments, where given. The gripper's fingers are shown closed, because no joint
    state tells where they are. Raises CALIBRATION_MISSING, PARAMETER_INVALID.
    """
    from vpg_ros.nodes.parameter_file import load
    from vpg_ros.nodes.workspace_parameters import WorkspaceParameters

    calibration = values.get("calibration", "")
    urdf = expand(
        robot=True,
        cell=True,
        frames=True,
        workspace=load(WorkspaceParameters, system.parameters_path, "heightmap_node", {}).workspace,
        model=values.get("robot_model", "ur5"),
        gripper=values.get("gripper", "rg2"),
        camera=load_camera_pose(Path(calibration)) if calibration else None,
    )
    return urdf.replace(_SLIDING, ' type="fixed"')
