"""The repertoire: what is registered beside it changes nothing, what is named in it is used."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.config_file import read_config
from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.gym_env import TableGym
from vpg_ros.learning.rollout import Rollout
from vpg_ros.policy import RandomPolicy
from vpg_ros.policy.checkpoint import load_policy, save
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.exploration import Exploration, explore
from vpg_ros.policy.network import make_network
from vpg_ros.primitives.base import _REGISTRY
from vpg_ros.primitives.push import Push

THREE = ("push", "nudge", "grasp")


class Nudge(Push):
    """Another primitive."""

    name = "nudge"


@pytest.fixture
def nudge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(_REGISTRY, "nudge", Nudge())


def scene() -> Heightmap:
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    height[90:110, 100:120] = 0.04
    return Heightmap(np.zeros((*height.shape, 3), np.uint8), height, DEFAULT_WORKSPACE)


def explored(names: tuple[str, ...] = primitives.DEFAULT_REPERTOIRE) -> list[Action]:
    rng = np.random.default_rng(0)
    return [explore(rng, 0.8, scene(), names=names).action for _ in range(30)]


def test_registering_a_primitive_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_there_is() -> tuple[object, ...]:
        actions = [RandomPolicy(seed).decide(scene()).action for seed in range(10)]
        torch.manual_seed(0)
        weights = make_network(NetworkConfig.of_repertoire()).state_dict()
        gym = TableGym(camera="ortho")
        return actions, explored(), {k: v.tolist() for k, v in weights.items()}, gym.action_space

    before = all_there_is()
    monkeypatch.setitem(_REGISTRY, "nudge", Nudge())
    assert all_there_is() == before


def test_a_random_action_in_place_of_another_has_no_known_probability() -> None:
    """That of its draw is not how likely it was: it may have been drawn from fewer primitives."""
    exploration = Exploration(0)
    drawn = [exploration.decide(RandomPolicy(), 0.9, scene()).action for _ in range(20)]
    assert {action.probability for action in explored()} == {0.0}
    assert 0 < sum(action.probability == 0.0 for action in drawn) < 20


@pytest.mark.usefixtures("nudge")
def test_what_the_repertoire_names_is_tried() -> None:
    assert {action.primitive for action in explored()} == {"grasp", "push"}
    assert {action.primitive for action in explored(THREE)} == set(THREE)
    assert {action.primitive for action in explored(("push", "nudge"))} == {"push", "nudge"}
    mixes = (SceneMix("row", 1.0, 3, 3),)
    config = TrainingConfig(
        warm_up=6, other_share=1.0, primitives=("nudge",), camera="ortho", scenes=mixes
    )
    rollout = Rollout(config, lambda: pytest.fail("greedy"))
    steps = [step for step, _ in zip(rollout.episode(0, 0), range(3), strict=False)]
    assert {step.action.primitive for step in steps} == {"nudge"}


@pytest.mark.usefixtures("nudge")
def test_a_checkpoint_knows_its_repertoire(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save(path, make_network(NetworkConfig.of_repertoire(THREE)))
    policy = load_policy(path, "cpu")
    assert policy.names == THREE
    assert tuple(policy.decide(scene()).maps.values) == THREE
    assert Player("network", path).load().names == THREE


@pytest.mark.usefixtures("nudge")
def test_an_action_of_gymnasium_is_a_place_in_the_repertoire() -> None:
    table = TableGym("row", 1, camera="ortho", names=THREE)
    assert table.action_space.nvec[0] == 3
    table.reset(seed=0)
    table.step(np.array([1, 0, 50, 50]))
    assert table.transition.action.primitive == "nudge"


def test_the_settings_of_a_training_name_it(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("training:\n  primitives: [push]\n")
    training, _ = read_config(path)
    assert training == replace(TrainingConfig(), primitives=("push",))


MODULE = """
from vpg_ros.primitives import register
from vpg_ros.primitives.push import Push

@register
class Nudge(Push):
    name = "nudge"
"""


def vpg_beside(module: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command where a package with ``module`` is installed."""
    about = folder / "nudging-1.0.dist-info"
    about.mkdir()
    (folder / "nudging.py").write_text(module)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nudging\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[vpg_ros.primitives]\nnudge = nudging\n")
    return subprocess.run(
        [sys.executable, "-m", "vpg_ros.cli.main", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120.0,
    )


def test_the_commands_know_a_primitive_of_an_installed_package(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    training = "{primitives: [nudge], actions: 2, warm_up: 2, camera: ortho, scenes: [SCENE]}"
    scene = "{name: random, weight: 1, fewest: 1, most: 1}"
    settings.write_text(f"training: {training.replace('SCENE', scene)}")
    where = ("--config", str(settings), "--out", str(tmp_path / "out"))
    done = vpg_beside(MODULE, tmp_path, "train", *where)
    assert done.returncode == 0, done.stderr
    with pytest.raises(VpgError, match="primitive 'nudge'"):  # which is not registered here
        load_policy(tmp_path / "out" / "weights.safetensors")


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        ("import not_there", "entry point nudge = nudging (vpg_ros.primitives) of nudging cannot"),
        (MODULE.replace('"nudge"', '"push"'), "nudging.Nudge is 'push', which vpg_ros.primitives"),
    ],
)
def test_a_package_that_cannot_be_loaded_is_named(
    module: str, sentence: str, tmp_path: Path
) -> None:
    done = vpg_beside(module, tmp_path, "bench", "decision", "--primitives", "2")
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 1 and line.startswith("vpg: ") and sentence in line


@pytest.mark.parametrize("name", ["my.wave", "pick up", "", "2nd"])
def test_a_name_must_be_one_that_a_topic_can_have(name: str) -> None:
    with pytest.raises(VpgError, match=f"Wave is {name!r}; it must be letters") as error:
        primitives.register(type("Wave", (Push,), {"name": name}))
    assert error.value.code is ErrorCode.PARAMETER_INVALID


@pytest.mark.parametrize("name", ["clear", "type", "training"])
def test_a_primitive_may_be_called_as_a_method_of_networks_is(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_REGISTRY, name, Nudge())
    network = make_network(NetworkConfig.of_repertoire(("grasp", name), trunks="separate"))
    assert network.part(name) is network.members[1]
    assert "parts.grasp.encode_fine.0.weight" in network.state_dict()


@pytest.mark.parametrize(
    ("text", "names"),
    [("", ("grasp", "push")), ("push", ("push",)), (" push,grasp ", ("push", "grasp"))],
)
def test_a_repertoire_is_written_as_names_and_commas(text: str, names: tuple[str, ...]) -> None:
    assert primitives.parse_repertoire(text) == names


@pytest.mark.parametrize(
    ("names", "code", "sentence"),
    [
        (("push", "throw"), ErrorCode.UNKNOWN_PRIMITIVE, "'throw'.*known primitives: .*grasp"),
        (("push", "push"), ErrorCode.PARAMETER_INVALID, "'push, push'.*each once"),
        ((), ErrorCode.PARAMETER_INVALID, "at least one"),
    ],
)
def test_no_repertoire(names: tuple[str, ...], code: ErrorCode, sentence: str) -> None:
    for make in (primitives.repertoire, lambda names: TrainingConfig(primitives=names)):
        with pytest.raises(VpgError, match=sentence) as error:
            make(names)
        assert error.value.code is code
