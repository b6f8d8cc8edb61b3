"""Rollouts by worker processes: what they send, and that training goes on when they die."""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vpg_ros.cli.main import main
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.learning.ahead import ActAhead
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.episodes import pack, unpack
from vpg_ros.learning.learner import Learner
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.ray_cluster import connect, import_ray
from vpg_ros.learning.replay import Experience
from vpg_ros.learning.rollout import Rollout, Source
from vpg_ros.learning.rollout_workers import RolloutWorkers
from vpg_ros.learning.store import read_transitions
from vpg_ros.learning.train import TRANSITIONS, Trainer
from vpg_ros.policy import RandomPolicy
from vpg_ros.policy.config import NetworkConfig

CONFIG = TrainingConfig(
    actions=12,
    warm_up=6,
    save_after=4,
    camera="ortho",
    scenes=(SceneMix("random", 1.0, 1, 3),),
)
QUICK = LearnerConfig(batch=4, decay_updates=12)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """Ray on this machine, which the sources of these tests find running."""
    pytest.importorskip("ray", reason="requirements/scale.txt is not installed")
    ray = import_ray()
    try:
        connect(ray, 2, None)
    except VpgError:  # a machine that is very busy, for once
        connect(ray, 2, None)
    yield
    ray.shutdown()


def learner(seed: int = 0) -> Learner:
    return Learner(NetworkConfig.of_repertoire(), QUICK, DEFAULT_WORKSPACE, seed)


def two_workers(config: TrainingConfig, learner: Learner) -> Source:
    return RolloutWorkers(config, learner, 2)


@pytest.mark.parametrize("colour", [False, True])
def test_an_episode_comes_through_as_the_learner_needs_it(colour: bool) -> None:
    config = replace(CONFIG, camera="perspective", colour=colour, warm_up=100)
    rollout = Rollout(config, lambda: RandomPolicy(0))
    sent = list(rollout.episode(0, 0))
    rollout.close()
    packed = pack(sent, colour)
    assert packed is not None
    received = list(unpack(packed))
    assert len(received) == len(sent)
    for ours, theirs in zip(sent, received, strict=True):
        assert theirs.action == ours.action and theirs.outcome == ours.outcome
        assert (theirs.episode, theirs.step, theirs.reward, theirs.done) == (
            ours.episode,
            ours.step,
            ours.reward,
            ours.done,
        )
        kept, wanted = Experience.of(theirs, colour), Experience.of(ours, colour)
        assert np.array_equal(kept.height, wanted.height, equal_nan=True)
        assert np.array_equal(kept.next_height, wanted.next_height, equal_nan=True)
        assert np.array_equal(kept.colour, wanted.colour)
        assert kept.changed == wanted.changed
    size = sum(len(each.height) for each in packed.maps) / len(packed.maps)
    assert size < 0.5 * 4 * DEFAULT_WORKSPACE.rows * DEFAULT_WORKSPACE.columns


def test_what_is_recorded_comes_through_bit_for_bit() -> None:
    rollout = Rollout(replace(CONFIG, camera="perspective"), lambda: RandomPolicy(0))
    sent = list(rollout.episode(0, 0))
    rollout.close()
    packed = pack(sent, colour=True, exact=True)
    assert packed is not None
    for ours, theirs in zip(sent, unpack(packed), strict=True):
        for was, came in ((ours.before, theirs.before), (ours.after, theirs.after)):
            assert np.array_equal(came.height, was.height, equal_nan=True)
            assert np.array_equal(came.colour, was.colour) and came.colour.any()
            assert came.stamp == was.stamp


def test_what_is_learned_from_an_action_counts_from_the_second_one_after_it() -> None:
    """The next one is decided already, whether learning has begun or not."""
    actor = learner()
    scenes = (SceneMix("random", 1.0, 2, 2),)
    source = ActAhead(replace(CONFIG, warm_up=0, exploration=0.0, scenes=scenes), actor)
    try:
        before = [each.action for each in source.episode(0, 0)]
        episode = source.episode(0, 0)
        after = [next(episode).action]
        actor.network.load_state_dict(learner(1).network.state_dict())
        after += [each.action for each in episode]
    finally:
        source.close()
    assert after[:2] == before[:2]
    assert after[2] != before[2]


def test_workers_record_what_they_saw(cluster: None, tmp_path: Path) -> None:
    def source(config: TrainingConfig, learner: Learner) -> Source:
        return RolloutWorkers(config, learner, 1, whole=True)

    Trainer(CONFIG, tmp_path, QUICK, source, record=True).run()
    stored = list(read_transitions(tmp_path / TRANSITIONS))
    assert len(stored) == CONFIG.actions
    assert all(each.before.colour.any() for each in stored)


def test_nothing_is_sent_of_an_episode_without_actions() -> None:
    assert pack([], colour=False) is None


def test_two_workers_train(cluster: None, tmp_path: Path) -> None:
    trainer = Trainer(CONFIG, tmp_path, QUICK, two_workers)
    before = {k: v.clone() for k, v in trainer.learner.network.state_dict().items()}
    trainer.run()
    assert trainer.progress.actions == CONFIG.actions == len(trainer.learner.replay)
    assert trainer.learner.updates == CONFIG.actions * CONFIG.updates
    assert any(
        not torch.equal(v, before[k]) for k, v in trainer.learner.network.state_dict().items()
    )
    resumed = Trainer(CONFIG, tmp_path, QUICK)
    assert resumed.progress == trainer.progress


def test_a_worker_that_is_killed_is_replaced_and_its_episode_dropped(cluster: None) -> None:
    source = RolloutWorkers(CONFIG, learner(), 2)
    try:
        first = source.processes
        episodes = [list(source.episode(0, 0))]
        os.kill(first[0], signal.SIGKILL)
        while source.replaced == 0 or len(episodes) < 6:
            episodes.append(list(source.episode(len(episodes), 0)))
        second = source.processes
        episodes.append(list(source.episode(len(episodes), 0)))
    finally:
        source.close()
    assert first[1] in second and first[0] not in second and len(second) == 2
    played = [each[0].episode for each in episodes if each]
    assert len(set(played)) == len(played)  # none twice
    for episode in episodes:
        assert [each.step for each in episode] == list(range(len(episode)))  # none in part


def test_an_error_in_a_worker_is_the_error_of_the_training(cluster: None) -> None:
    many = TrainingConfig(scenes=(SceneMix("packed", 1.0, 1, 12),))
    object.__setattr__(many.scenes[0], "name", "heap")  # as on a node with another version
    source = RolloutWorkers(many, learner(), 1)
    try:
        with pytest.raises(VpgError, match="scene is 'heap'") as error:
            list(source.episode(0, 0))
    finally:
        source.close()
    assert error.value.code is ErrorCode.SCENE_UNKNOWN


def test_missing_ray_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["train", "--out", str(tmp_path), "--workers", "2"]) == 1
    assert "pip install" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--workers", "-1"], "--workers is -1"),
        (["--ray-address", "auto"], "takes --workers"),
        (["--workers", "1", "--ray-address", "nowhere"], "HOST:PORT"),
        (["--workers", "1", "--ray-address", "127.0.0.1:9"], "no Ray cluster answers"),
    ],
)
def test_bad_options_are_named(
    tmp_path: Path, arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray", reason="requirements/scale.txt is not installed")
    assert main(["train", "--out", str(tmp_path), *arguments]) == 1
    assert part in capsys.readouterr().err.splitlines()[-1]
