"""config/real.yaml and the descriptions of parameters: what a user who sets up a cell reads."""

import re
from dataclasses import MISSING, fields
from importlib import import_module

import pytest

from vpg_ros.devices import grippers
from vpg_ros.devices.kinematics import HOME_JOINTS, kinematics
from vpg_ros.errors import VpgError
from vpg_ros.geometry import tool_down
from vpg_ros.motion import Carry, Motion
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.connect import connect_arm
from vpg_ros.nodes.motion_parameters import Parameters
from vpg_ros.nodes.parameter_file import load
from vpg_ros.nodes.parameters import Rules
from vpg_ros.resources import resource
from vpg_ros.sections import sections
from vpg_ros.system import NodeEntry, real

FILE = resource("config/real.yaml")
UNITS = re.compile(r"\b(m|s|N|kg|px|pixels?|rad|frames?|per)\b|m/s|rad/s|[²/,;]")
# Chosen for this cell; everything else in the file is what the node would take anyway.
CHOSEN = {"timeout", "max_unchanged", "settle_time", "connect_timeout", "updates_per_transition"}


def kinds(name: str) -> tuple[type, ...]:
    """The dataclasses of a node's parameters."""
    module = import_module(f"vpg_ros.nodes.{name}")
    (node,) = (
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, VpgNode)
        and each.__module__ == module.__name__
    )
    return node.PARAMETERS


def declared(name: str) -> dict[str, Rules]:
    rules = [
        (entry.name, entry.metadata["rules"]) for kind in kinds(name) for entry in fields(kind)
    ]
    return {rule.name or field: rule for field, rule in rules}


@pytest.mark.parametrize("entry", real().nodes, ids=lambda entry: entry.name)
def test_every_parameter_is_in_the_file_or_an_argument(entry: NodeEntry) -> None:
    given = sections(FILE, entry.name).keys()
    known = declared(entry.name).keys()
    assert known - given - entry.parameters.keys() == set()
    own = given - sections(FILE, "no_node").keys()
    assert own - known == set(), "the node does not know what the file tells it"


@pytest.mark.parametrize("entry", real().nodes, ids=lambda entry: entry.name)
def test_what_the_file_says_is_allowed_and_no_other_than_the_default(entry: NodeEntry) -> None:
    given = {"robot_ip": "192.168.1.10"}
    for kind in kinds(entry.name):
        values = load(kind, FILE, entry.name, given)
        for field in fields(kind):
            name = field.metadata["rules"].name or field.name
            if field.default is not MISSING and name not in CHOSEN:
                assert getattr(values, field.name) == field.default, name


@pytest.mark.parametrize("name", [entry.name for entry in real().nodes] + ["pybullet_node"])
def test_every_description_is_a_phrase(name: str) -> None:
    for parameter, rules in declared(name).items():
        words = UNITS.sub(" ", rules.description).split()
        assert len(words) >= 2, f"{parameter}: {rules.description}"


def test_a_force_below_the_gripper_s_least_is_refused_at_the_start() -> None:
    given = {"robot_ip": "192.168.1.10", "limits.gripper_force": 10.0}
    assert load(Parameters, FILE, "motion_node", given).gate.limits.gripper_force == 10.0
    strong = load(Parameters, FILE, "motion_node", given | {"gripper": "robotiq_2f85"})
    with pytest.raises(VpgError, match=r"gripper_force of motion_node is 10 N; allowed: .* 20 N"):
        _ = strong.gate


def test_the_centre_of_gravity_is_told_to_the_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpg_ros.nodes.connect.URArm", lambda *told, **_: told[2:])
    given = {"robot_ip": "192.168.1.10", "payload_cog": [0.0, 0.01, 0.07]}
    assert connect_arm(load(Parameters, FILE, "motion_node", given)) == (0.78, (0.0, 0.01, 0.07))
    with pytest.raises(VpgError, match="payload_cog of motion_node has 1 values; it needs 3"):
        connect_arm(load(Parameters, FILE, "motion_node", given | {"payload_cog": [0.1]}))


@pytest.mark.parametrize(
    ("model", "place"),
    [("ur3", (-0.2, 0.25, 0.2)), ("ur3e", (-0.2, 0.25, 0.2)), ("ur10e", (-0.5, 0.5, 0.3))],
)
def test_the_bin_is_where_it_is_told_if_the_arm_gets_there(
    model: str, place: tuple[float, float, float]
) -> None:
    tool = kinematics(model, grippers.get("rg2").data.tool)
    home = tool.inverse(tool_down(place[0], place[1], place[2] + 0.05, 0.0), HOME_JOINTS)
    given = {"robot_ip": "192.168.1.10", "robot_model": model, "home": home.tolist()}
    cell = load(Parameters, FILE, "motion_node", given | {"bin": list(place)})
    assert cell.gate.check(Motion("test", (Carry("carry", cell.bin_pose),), ()), home).steps
    for wrong, why in (
        ([-0.2, 0.25], "parameter bin of motion_node has 2 values; it needs 3"),
        ([-0.35, -0.45, 0.22], r"bin: step 'carry' goes to \(-0.350, -0.450, 0.220\) m, outside"),
    ):
        cell = load(Parameters, FILE, "motion_node", given | {"bin": wrong})
        with pytest.raises(VpgError, match=why):
            _ = cell.gate
