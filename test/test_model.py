"""What robot_state_publisher is told follows arguments, parameter file and calibration."""

from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from vpg_ros.bringup.model import robot_description
from vpg_ros.devices.description import expand, fixed_frames
from vpg_ros.devices.kinematics import MODELS, kinematics
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, Pose, Workspace
from vpg_ros.system import SYSTEMS, real, sim


def origins(urdf: str) -> dict[str, np.ndarray]:
    """Place of each joint's frame in its parent, m."""
    return {
        joint.attrib["name"]: np.array(joint.find("origin").attrib["xyz"].split(), dtype=float)
        for joint in ElementTree.fromstring(urdf).findall("joint")
    }


def joint_types(urdf: str) -> set[str]:
    return {joint.attrib["type"] for joint in ElementTree.fromstring(urdf).findall("joint")}


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_defaults_describe_the_cell(name: str) -> None:
    urdf = robot_description(SYSTEMS[name](), {})
    assert fixed_frames(urdf)["camera_color_optical_frame"].position == (-0.72, 0.0, 0.80)
    assert joint_types(urdf) == {"revolute", "fixed"}, "nobody publishes the fingers' joints"


@pytest.mark.parametrize("model", MODELS)
def test_the_arm_has_the_model_s_lengths(model: str) -> None:
    arm = kinematics(model)
    places = origins(robot_description(real(), {"robot_model": model}))
    assert places["shoulder_pan_joint"][2] == pytest.approx(arm.d[0])
    assert places["elbow_joint"][0] == pytest.approx(arm.a[1])
    assert places["wrist_1_joint"] == pytest.approx([arm.a[2], 0.0, arm.d[3]])
    assert places["wrist_3_joint"][1] == pytest.approx(arm.d[5])


def test_a_gripper_without_a_drawing_reaches_to_its_fingertips() -> None:
    places = origins(robot_description(real(), {"gripper": "robotiq_2f85"}))
    assert places["gripper-tcp"][2] == pytest.approx(0.163)
    assert "left_finger_joint" not in places
    long = expand(True, False, True, DEFAULT_WORKSPACE, tool_length=0.25)
    assert origins(long)["gripper-tcp"][2] == pytest.approx(0.25)
    assert origins(long)["left_finger_joint"][2] == pytest.approx(0.25)


def test_the_camera_is_where_the_calibration_has_it(tmp_path) -> None:
    file = tmp_path / "cell.yaml"
    pose = Pose((-0.5, 0.1, 1.2), (0.70711, -0.70711, 0.0, 0.0))
    file.write_text(
        f"camera_pose: {{position: {list(pose.position)}, quaternion: {list(pose.quaternion)}}}"
    )
    urdf = robot_description(real(), {"calibration": str(file)})
    found = fixed_frames(urdf)["camera_color_optical_frame"]
    assert np.allclose(found.matrix, pose.matrix, atol=1e-4)
    with pytest.raises(VpgError) as caught:
        robot_description(real(), {"calibration": str(tmp_path / "none.yaml")})
    assert caught.value.code is ErrorCode.CALIBRATION_MISSING


def test_robot_and_workspace_are_those_of_the_parameter_file(tmp_path) -> None:
    content = yaml.safe_load(real().parameters_path.read_text())
    content["/**"]["ros__parameters"]["workspace"] |= {"origin_x": -0.6, "table_z": 0.05}
    content["/**/motion_node"]["ros__parameters"] |= {"tool_length": 0.31, "bin": [-0.4, 0.3, 0.3]}
    file = tmp_path / "cell.yaml"
    file.write_text(yaml.safe_dump(content))
    urdf = robot_description(real(), {"params": str(file), "robot_model": "ur10e"})
    places = origins(urdf)
    assert places["gripper-tcp"][2] == pytest.approx(0.31)
    assert places["shoulder_pan_joint"][2] == pytest.approx(kinematics("ur10e").d[0])
    assert fixed_frames(urdf)["table"].position[2] == pytest.approx(0.05)
    assert middle(urdf, "bin") == pytest.approx((-0.4, 0.3))
    with pytest.raises(VpgError, match=r"argument params is '.*none\.yaml': no such file"):
        robot_description(real(), {"params": str(tmp_path / "none.yaml")})


def middle(urdf: str, link: str) -> NDArray[np.float64]:
    """x y in m of the middle between the walls of ``link``."""
    walls = ElementTree.fromstring(urdf).findall(f"link[@name='{link}']/visual/origin")
    centres = np.array([wall.attrib["xyz"].split() for wall in walls], dtype=float)
    return np.asarray(centres[:, :2].mean(axis=0))


def test_the_tray_lies_around_the_workspace() -> None:
    moved = Workspace(-0.6, -0.1, 0.05, 0.002, 100, 100)
    urdf = expand(True, True, True, moved)
    assert fixed_frames(urdf)["table"].position[2] == pytest.approx(0.05)
    assert middle(urdf, "tray_rim") == pytest.approx(moved.centre)
    assert "prismatic" in joint_types(expand(True, False, True, DEFAULT_WORKSPACE))
    assert robot_description(sim(), {}) == robot_description(sim(), {"seed": "3"})
