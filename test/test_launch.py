"""The launch files, with the real launch packages wherever these can be imported."""

import importlib.util
import json
from pathlib import Path

import pytest

REASON = "launch and launch_ros are not on PyPI; they come with a ROS installation"
pytest.importorskip("launch", reason=REASON)
pytest.importorskip("launch_ros", reason=REASON)

from launch import LaunchContext, LaunchService  # noqa: E402
from launch.actions import DeclareLaunchArgument  # noqa: E402
from launch_ros.actions import Node  # noqa: E402

from vpg_ros.system import SYSTEMS  # noqa: E402

FOLDER = Path(__file__).resolve().parents[1] / "launch"


def description(name: str):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.launch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


@pytest.mark.parametrize("name", SYSTEMS)
def test_arguments_are_those_of_the_system(name):
    declared = {argument.name: argument for argument in description(name).get_launch_arguments()}
    arguments = {argument.name: argument for argument in SYSTEMS[name]().arguments}
    assert set(declared) == {*arguments, "rviz"}
    assert declared.pop("rviz").default_value
    for key, argument in declared.items():
        assert argument.description
        assert bool(argument.default_value is None) == (arguments[key].default is None)


@pytest.mark.parametrize("name", SYSTEMS)
def test_nodes_are_those_of_the_system(name):
    actions = [action for action in description(name).entities if isinstance(action, Node)]
    executables = {action.node_executable for action in actions}
    assert executables == {node.name for node in SYSTEMS[name]().nodes}


def test_a_choice_that_there_is_not_is_refused():
    scene = next(
        entity
        for entity in description("sim").entities
        if isinstance(entity, DeclareLaunchArgument) and entity.name == "scene"
    )
    context = LaunchContext()
    context.launch_configurations["scene"] = "nowhere"
    with pytest.raises(RuntimeError, match="random"):
        scene.execute(context)


def test_the_parameter_file_comes_before_defaults_and_after_what_is_given(tmp_path):
    own = {"dry_run": True, "robot_model": "ur3e", "gripper": "robotiq_2f85"}
    file = tmp_path / "cell.yaml"
    file.write_text(json.dumps({"/**/motion_node": {"ros__parameters": own}}))
    context = LaunchContext()
    camera = tmp_path / "c.yaml"
    camera.write_text("camera_pose: {position: [0, 0, 1], quaternion: [1, 0, 0, 0]}")
    given = {"robot_ip": "192.0.2.1", "calibration": str(camera), "params": str(file)}
    context.launch_configurations.update(given | {"gripper": "rg2"})
    for entity in description("real").entities[: 1 + len(SYSTEMS["real"]().arguments)]:
        entity.execute(context)
    found = context.launch_configurations
    assert (found["dry_run"], found["robot_model"], found["gripper"]) == ("true", "ur3e", "rg2")


def test_a_camera_on_the_tool_with_another_home_is_refused_before_any_node(tmp_path):
    from vpg_ros.devices.calibration import OnTool, Quality, save
    from vpg_ros.errors import VpgError
    from vpg_ros.geometry import Pose

    camera, made = tmp_path / "c.yaml", "2026-01-01T00:00:00+00:00"
    on_tool = OnTool(Pose((0.0, 0.0, 0.0)), (0.0,) * 6)
    quality = Quality("eye_in_hand", made, 20, 0.3, 1e-4, 1e-4)
    save(camera, Pose((0.0, 0.0, 1.0)), quality, on_tool)
    context = LaunchContext()
    shipped = str(SYSTEMS["real"]().parameters_path)
    given = {"robot_ip": "192.0.2.1", "calibration": str(camera), "params": shipped}
    context.launch_configurations.update(given)
    with pytest.raises(VpgError, match="calibrate again, or set it back"):
        description("real").entities[0].execute(context)


def test_launching_with_a_wrong_choice_fails():
    from launch import LaunchDescription
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    source = PythonLaunchDescriptionSource(str(FOLDER / "sim.launch.py"))
    included = IncludeLaunchDescription(source, launch_arguments={"scene": "nowhere"}.items())
    service = LaunchService(noninteractive=True)
    service.include_launch_description(LaunchDescription([included]))
    assert service.run() != 0
