"""The one description of both systems agrees with the nodes, the files and itself."""

import importlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest
import rclpy
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rclpy.context import Context
from rclpy.node import Node
from test_real_parameters import kinds

from vpg_ros.argument import Argument
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.run_folder import new_run_folder
from vpg_ros.sim import scenes
from vpg_ros.system import PARAMS, SYSTEMS, real, sim

BOTH = pytest.mark.parametrize("system", [make() for make in SYSTEMS.values()], ids=SYSTEMS)
OUR_NODES = [node.name for node in sim().nodes]


def parameters_of(node: str) -> dict[str, type]:
    """ROS parameter → type of one of our nodes."""
    return {
        entry.metadata["rules"].name or entry.name: get_type_hints(kind)[entry.name]
        for kind in kinds(node)
        for entry in fields(kind)
    }


@BOTH
def test_every_node_is_an_entry_point(system):
    for node in system.nodes:
        assert callable(importlib.import_module(f"vpg_ros.nodes.{node.name}").main)


@BOTH
def test_arguments_set_parameters_that_exist_with_their_type(system):
    kinds = {argument.name: argument.kind for argument in system.arguments}
    for node in system.nodes:
        known = parameters_of(node.name)
        for parameter, argument in node.parameters.items():
            assert known[parameter] is kinds[argument], (node.name, parameter)


@BOTH
def test_every_argument_reaches_a_node(system):
    used = {argument for node in system.nodes for argument in node.parameters.values()}
    used |= {node.only_if[0] for node in system.nodes if node.only_if}
    assert used | {PARAMS} == {argument.name for argument in system.arguments}


@BOTH
def test_parameter_file_names_known_nodes_and_parameters(system):
    content = yaml.safe_load(system.parameters_path.read_text())
    for key, section in content.items():
        node = key.removeprefix("/**").removeprefix("/")
        if node in OUR_NODES:
            given_names = set(_flat(section["ros__parameters"])) - {"use_sim_time"}
            assert given_names <= set(parameters_of(node)), node
        else:
            assert node == ""


@BOTH
def test_no_argument_is_overruled_by_the_parameter_file(system):
    content = yaml.safe_load(system.parameters_path.read_text())
    for node in system.nodes:
        section = content.get(f"/**/{node.name}", {"ros__parameters": {}})
        assert not set(_flat(section["ros__parameters"])) & set(node.parameters), node.name


@BOTH
def test_limits_are_all_given_by_the_parameter_file(system):
    content = yaml.safe_load(system.parameters_path.read_text())
    section = _flat(content["/**/motion_node"]["ros__parameters"])
    limits = {name for name in parameters_of("motion_node") if name.startswith("limits.")}
    assert limits <= set(section)


def _flat(section: dict, prefix: str = "") -> dict:
    result = {}
    for name, value in section.items():
        if isinstance(value, dict):
            result |= _flat(value, f"{prefix}{name}.")
        else:
            result[prefix + name] = value
    return result


def test_defaults_pass_their_own_rules():
    for system in (sim(), real()):
        for argument in system.arguments:
            if argument.default is not None:
                text = str(argument.default)
                assert argument.parse(text.lower() if argument.kind is bool else text) == (
                    argument.default
                )


def test_scenes_are_those_registered():
    scene = next(argument for argument in sim().arguments if argument.name == "scene")
    assert scene.choices == scenes.names()


@pytest.mark.parametrize(
    ("given_arguments", "words"),
    [
        ({"scene": "nowhere"}, ("scene", "'nowhere'", "random")),
        ({"objects": "0"}, ("objects", "'0'", "at least 1")),
        ({"objects": "many"}, ("objects", "'many'", "whole number")),
        ({"time_scale": "-1"}, ("time_scale", "at least 0")),
        ({"record": "perhaps"}, ("record", "true or false")),
        ({"colour": "red"}, ("colour", "unknown")),
        ({"risk": "cvar", "alpha": "2"}, ("alpha is 2.0", "'cvar'", "[1e-06, 1]")),
        ({"risk": "mean_std", "alpha": "11"}, ("alpha", "at most 10")),
        ({"risk": "cvar", "policy": "heuristic"}, ("risk is 'cvar'", "heuristic")),
    ],
)
def test_wrong_arguments_are_named(given_arguments, words):
    with pytest.raises(VpgError) as failure:
        sim().resolve(given_arguments)
    assert failure.value.code is ErrorCode.PARAMETER_INVALID
    assert all(word in failure.value.message for word in words)


REQUIRED = {"robot_ip": "192.0.2.1", "calibration": "c.yaml"}


@pytest.mark.parametrize("missing", ["robot_ip", "calibration", PARAMS])
def test_a_robot_needs_its_address_its_calibration_and_the_cell_s_own_limits(missing):
    given = REQUIRED | {PARAMS: str(real().parameters_path)}
    real().resolve(given)
    del given[missing]
    with pytest.raises(VpgError, match=f"{missing} is not given"):
        real().resolve(given)


CELL = """
/**/motion_node: {ros__parameters: {dry_run: true, robot_model: ur3e, gripper: rg2}}
/heightmap_node: {ros__parameters: {realsense: {serial: "0815"}}}
motion_node: {ros__parameters: {gripper: robotiq_2f85}}
"""


def cell(folder: Path, more: str = "") -> dict[str, str]:
    """The arguments that a robot needs, with a parameter file that sets other ones."""
    (folder / "cell.yaml").write_text(real().parameters_path.read_text() + CELL + more)
    return REQUIRED | {PARAMS: str(folder / "cell.yaml")}


def test_the_parameter_file_comes_before_an_argument_s_default(tmp_path):
    values = real().resolve(cell(tmp_path) | {"learn": "true"})
    found = [values[name] for name in ("dry_run", "robot_model", "gripper", "camera_serial")]
    assert found == [True, "ur3e", "robotiq_2f85", "0815"]
    nodes = real().node_parameters(values)
    assert nodes["motion_node"]["dry_run"] is True and nodes["learner_node"]["dry_run"] is True


def test_an_argument_that_is_given_comes_before_the_parameter_file(tmp_path):
    given = {"dry_run": "false", "robot_model": "ur5", "gripper": "rg2"}
    told = cell(tmp_path) | given
    values = real().resolve(told)
    assert {name: values[name] for name in given} == given | {"dry_run": False}
    (tmp_path / "own.yaml").write_text(json.dumps(real().file_content(values)))
    files = ("--params-file", told[PARAMS], "--params-file", str(tmp_path / "own.yaml"))
    context = Context()
    rclpy.init(args=["--ros-args", *files], context=context)
    options = {"automatically_declare_parameters_from_overrides": True}
    node = Node("motion_node", context=context, **options)
    try:
        assert [node.get_parameter(name).value for name in given] == [False, "ur5", "rg2"]
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def test_a_parameter_file_of_two_minds_is_refused(tmp_path):
    given = cell(tmp_path, "learner_node: {ros__parameters: {dry_run: false}}\n")
    with pytest.raises(VpgError, match="sets dry_run of learner_node to 'false' and of another"):
        real().resolve(given)
    assert real().resolve(given | {"dry_run": "true"})["dry_run"] is True


def test_hardware_and_simulation_differ_in_one_node():
    assert {node.name for node in sim().nodes} - {node.name for node in real().nodes} == {
        "pybullet_node"
    }


@given(st.floats(0.0, 1e3, allow_nan=False))
def test_numbers_survive_the_way_through_text(value):
    assert Argument("x", float, 0.0, "", low=0.0).parse(repr(value)) == value


@given(st.text(max_size=8))
def test_any_text_is_parsed_or_refused_with_one_sentence(text):
    argument = Argument("x", int, 0, "something", low=0, high=9)
    try:
        value = argument.parse(text)
    except VpgError as error:
        value, refusal = None, error.message
    assert value in range(10) if value is not None else "whole number" in refusal


def test_files_are_found():
    assert Path(sim().parameters_path).is_file() and Path(real().parameters_path).is_file()


def test_runs_that_start_together_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(lambda _: new_run_folder(), range(64)))
    assert len(set(folders)) == 64
    assert all(folder.is_dir() and folder.parent == tmp_path / "runs" for folder in folders)
