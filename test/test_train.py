"""Training from outside: the command, its files, and what it makes of kills and bad input."""

import csv
import hashlib
import json
import math
import resource as limits
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vpg_ros.action import Transition
from vpg_ros.cli.main import main
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.config_file import read_config
from vpg_ros.learning.hierarchy import experiment
from vpg_ros.learning.learner import Learner
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.lock import alone
from vpg_ros.learning.progress import WINDOW, Progress, figures
from vpg_ros.learning.replay import Experience, Replay
from vpg_ros.learning.rollout import Rollout
from vpg_ros.learning.state import load_state, save_state
from vpg_ros.learning.store import info, read_transitions
from vpg_ros.learning.store.codec import encode
from vpg_ros.learning.train import Trainer
from vpg_ros.policy.checkpoint import load_policy
from vpg_ros.primitives.base import _REGISTRY
from vpg_ros.primitives.push import Push
from vpg_ros.resources import resource

ACTIONS = 12
SETTINGS = {
    "training": {
        "actions": ACTIONS,
        "warm_up": 5,
        "late": 8,
        "late_updates": 2,
        "save_after": 1,
        "camera": "ortho",
        "scenes": [{"name": "random", "weight": 1, "fewest": 1, "most": 2}],
    },
    "learner": {"batch": 4},
}
PATIENCE = 120.0  # s


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of settings for a very short training."""
    path = tmp_path_factory.mktemp("settings") / "short.yaml"
    path.write_text(yaml.safe_dump(SETTINGS))
    return path


@pytest.fixture(scope="module")
def whole(settings: Path) -> Path:
    """The folder of a training that was never stopped; its figures are beside it."""
    out = settings.with_name("whole")
    assert train(settings, out, "--record", "--json", str(out.with_suffix(".json"))) == 0
    return out


@pytest.fixture(scope="module")
def killed(settings: Path) -> Path:
    """The folder of a training that was killed half-way, with a kill -9."""
    out = settings.with_name("killed")
    process = subprocess.Popen(command(settings, out, "--record"), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while not (out / "state.pt").is_file() or len(curve(out)) < ACTIONS // 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    assert process.wait(PATIENCE) == -signal.SIGKILL
    return out


@pytest.fixture
def half(killed: Path, tmp_path: Path) -> Path:
    """A copy of it, to be continued."""
    return Path(shutil.copytree(killed, tmp_path / "half"))


def train(settings: Path, out: Path, *arguments: str) -> int:
    return main(["train", "--config", str(settings), "--out", str(out), *arguments])


def command(settings: Path, out: Path, *arguments: str) -> list[str]:
    own = [sys.executable, "-m", "vpg_ros.cli.main", "train"]
    return [*own, "--config", str(settings), "--out", str(out), *arguments]


def curve(out: Path) -> list[dict[str, str]]:
    """The curve's lines without the time, which no two runs share."""
    path = out / "curve.csv"
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def contents(out: Path) -> dict[str, str]:
    """A digest of every file that a training is continued from."""
    paths = [out / "state.pt", out / "weights.safetensors", *sorted(out.glob("replay/*.npz"))]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def recorded(out: Path) -> list[dict[str, Any]]:
    """Every field and pixel of the transitions that a training stored."""
    return [encode(transition) for transition in read_transitions(out / "transitions")]


# -- a training and its files


def test_later_actions_are_followed_by_fewer_updates(whole: Path) -> None:
    config = TrainingConfig(ACTIONS, late=8, late_updates=2)
    assert load_state(whole / "state.pt")["learner"]["updates"] == 8 * 3 + 4 * 2
    assert (config.all_updates, config.half_updates) == (32, 6 * 3)
    assert TrainingConfig().half_updates == 500 * 3 + 500 * 1


def test_a_training_stores_what_it_learned_from(whole: Path) -> None:
    lines = curve(whole)
    stored = list(read_transitions(whole / "transitions"))
    assert [each.action.primitive for each in stored] == [line["primitive"] for line in lines]
    assert [each.outcome.success for each in stored] == [line["success"] == "1" for line in lines]
    assert info(whole / "transitions").complete


def test_a_training_leaves_weights_a_curve_and_figures(whole: Path) -> None:
    assert load_policy(whole / "weights.safetensors").checkpoint
    lines = curve(whole)
    assert [int(line["action"]) for line in lines] == list(range(1, ACTIONS + 1))
    grasps = [line["success"] == "1" for line in lines if line["primitive"] == "grasp"]
    assert float(lines[-1]["grasp_success_last_100"]) == pytest.approx(sum(grasps) / len(grasps))
    assert all(math.isfinite(float(line["loss"])) for line in lines)
    found = json.loads(whole.with_suffix(".json").read_text())
    assert found.keys() == {
        "seed",
        "actions",
        "actions_to_90",
        "actions_to_95",
        "grasp_success_last_100",
        "held_min",
        "seconds",
        "actions_per_minute",
    }
    assert found["actions"] == ACTIONS and found["actions_to_90"] is None
    assert found["actions_per_minute"] == pytest.approx(60 * ACTIONS / found["seconds"])


def trainer_of(settings: Path, out: Path) -> Trainer:
    """The training in ``out``, continued without a record."""
    training, learner = read_config(settings, {})
    return Trainer(training, out, learner)


def test_a_killed_training_ends_as_one_that_was_not(
    settings: Path, whole: Path, half: Path, tmp_path: Path
) -> None:
    begun = len(curve(half))
    assert ACTIONS // 2 <= begun < ACTIONS
    with (half / "curve.csv").open("a") as file:
        file.write(f"{begun + 1},gra")  # as far as a kill let it come
    figures_path = tmp_path / "figures.json"
    assert train(settings, half, "--resume", "--record", "--json", str(figures_path)) == 0
    assert curve(half) == curve(whole)
    assert recorded(half) == recorded(whole)
    weights = [load_policy(out / "weights.safetensors").checkpoint for out in (half, whole)]
    assert weights[0] == weights[1]
    expected = json.loads(whole.with_suffix(".json").read_text())
    for name, value in json.loads(figures_path.read_text()).items():
        assert value == expected[name] or name in ("seconds", "actions_per_minute")


@pytest.fixture
def unsaved(whole: Path, tmp_path: Path) -> Path:
    """The folder of a training that was killed before its first save: transitions alone."""
    out = tmp_path / "unsaved"
    shutil.copytree(whole / "transitions", out / "transitions")
    return out


def test_recorded_transitions_are_not_begun_over(
    settings: Path, unsaved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = recorded(unsaved)
    assert train(settings, unsaved, "--record") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{unsaved / 'transitions'} holds {ACTIONS} transitions" in line
    assert f"[error {ErrorCode.STORE_MISMATCH.value}]" in line
    assert recorded(unsaved) == before
    assert [path.name for path in unsaved.iterdir()] == ["transitions"]


def test_a_training_that_was_never_saved_starts_over_beside_what_it_recorded(
    settings: Path, unsaved: Path
) -> None:
    shutil.copytree(unsaved / "transitions", unsaved / "transitions-before-1")
    before = recorded(unsaved)
    assert train(settings, unsaved, "--record", "--resume", "--actions", "2") == 0
    assert recorded(unsaved) == before[:2], "the same seed again"
    aside = unsaved / "transitions-before-2"
    assert [encode(each) for each in read_transitions(aside)] == before
    assert info(unsaved).transitions == 2


def test_a_record_with_a_gap_is_not_gone_on_with(
    settings: Path, half: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = load_state(half / "state.pt")
    begun = state["recorded"]
    save_state(half / "state.pt", state | {"recorded": begun - 1})  # as if one went unrecorded
    assert train(settings, half, "--resume", "--record") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"transitions holds {begun - 1} of the {begun} transitions that were learned" in line
    assert len(recorded(half)) >= begun, "what is there is not touched"


def test_two_do_not_train_in_one_folder(settings: Path, half: Path) -> None:
    with alone(half), pytest.raises(VpgError, match="is in use by another process") as error:
        trainer_of(settings, half).run()
    assert error.value.code is ErrorCode.STORE_MISMATCH


class Nothing:
    """A source of tables on which nothing can be done."""

    def episode(self, number: int, actions: int) -> Iterator[Transition]:
        return iter(())

    def close(self) -> None:
        pass


def test_scenes_without_an_admissible_action_end_the_training(tmp_path: Path) -> None:
    trainer = Trainer(TrainingConfig(), tmp_path, make_source=lambda *_: Nothing())
    with pytest.raises(VpgError, match=r"100 tables in a row .* primitives grasp, push") as error:
        trainer.run()
    assert error.value.code is ErrorCode.NO_ADMISSIBLE_ACTION


class Stopped(Exception):
    """Ends a training half-way."""


class Overtaking:
    """Episodes as two workers play them of whom the second one always finishes first."""

    def __init__(self, config: TrainingConfig) -> None:
        self._rollout = Rollout(config, lambda: pytest.fail("greedy"))
        self._begun: list[int] = []

    def episode(self, number: int, actions: int) -> Iterator[Transition]:
        self._begun.append(number)
        order = (len(self._begun) - 1) ^ 1  # 1, 0, 3, 2 …
        return self._rollout.episode(self._begun[0] + order, actions)

    def close(self) -> None:
        self._rollout.close()


def test_a_resumed_training_plays_no_episode_again(tmp_path: Path) -> None:
    one = (SceneMix("random", 1.0, 1, 1),)
    config = TrainingConfig(12, warm_up=12, updates=1, save_after=1, camera="ortho", scenes=one)

    def trainer() -> Trainer:
        rules = LearnerConfig(batch=2)
        return Trainer(config, tmp_path, rules, lambda config, _: Overtaking(config), record=True)

    def stop(progress: Progress) -> None:
        if progress.episodes == 1:
            raise Stopped

    with pytest.raises(Stopped):
        trainer().run(stop)
    trainer().run()
    stored = list(read_transitions(tmp_path / "transitions"))
    played = {(each.episode, each.step) for each in stored}
    assert len(stored) == config.actions == len(played)


def test_tensorboard_shows_each_action_once(settings: Path, half: Path) -> None:
    assert train(settings, half, "--resume") == 0
    events = EventAccumulator(str(half / "tensorboard"))
    events.Reload()
    for name in ("loss", "learning_rate", "grasp_success_last_100", "completion_last_100"):
        assert [event.step for event in events.Scalars(name)] == list(range(1, ACTIONS + 1)), name
    losses = [event.value for event in events.Scalars("loss")]
    assert losses == pytest.approx([float(line["loss"]) for line in curve(half)])
    rates = [event.value for event in events.Scalars("learning_rate")]
    assert rates == sorted(rates, reverse=True) and rates[-1] < rates[0]


def test_a_training_that_is_over_only_reports(
    settings: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(whole)
    path = tmp_path / "again.json"
    assert train(settings, whole, "--resume", "--json", str(path)) == 0
    assert contents(whole) == before
    assert path.read_text() == whole.with_suffix(".json").read_text()
    assert str(whole / "weights.safetensors") in capsys.readouterr().out


def test_a_trainings_head_is_one_word(settings: Path, tmp_path: Path) -> None:
    assert train(settings, tmp_path, "--head", "quantile", "--actions", "6") == 0
    assert load_policy(tmp_path / "weights.safetensors").config.head == "quantile"
    assert train(settings, tmp_path, "--resume", "--actions", "6") == 1  # another head


def steps(successes: list[bool]) -> Progress:
    progress = Progress()
    for number, success in enumerate(successes):
        progress.add("push", False, True, 0.5)  # counts as an action, not as a grasp
        progress.seconds = number + 1.0
        progress.add("grasp", success, success, 0.5)
    return progress


def test_figures_wait_for_a_full_window() -> None:
    assert figures(steps([True] * (WINDOW - 1)))["actions_to_90"] is None
    found = figures(steps([True] * WINDOW))
    assert found["actions_to_90"] == found["actions_to_95"] == 2 * WINDOW
    assert found["held_min"] == 1.0


def test_figures_tell_reaching_from_holding() -> None:
    start, dip = [False] * 10 + [True] * 100, [False] * 8 + [True] * 95
    found = figures(steps(start + dip))
    assert found["actions_to_90"] == 2 * 100
    assert found["actions_to_95"] == 2 * 105
    assert found["held_min"] == 0.92
    assert found["grasp_success_last_100"] == 0.95
    assert found["seconds"] == len(start + dip)


# -- settings


def test_the_shipped_settings_are_the_defaults() -> None:
    path = resource("config/train.yaml")
    training, learner = read_config(path)
    assert training == TrainingConfig()
    assert learner == replace(LearnerConfig(), decay_updates=TrainingConfig().half_updates)
    shown = yaml.safe_load(path.read_text().replace("# decay_updates", "decay_updates"))
    assert shown["training"].keys() == asdict(training).keys()
    assert shown["learner"].keys() == asdict(learner).keys()


def test_the_settings_for_seven_primitives_are_those_of_the_study() -> None:
    training, learner = read_config(resource("config/seven.yaml"))
    matrix = experiment.Matrix()
    wanted, rules = experiment.settings_of(experiment.VARIANTS["hierarchical-shared"], 0, matrix)
    assert (training, learner) == (wanted, rules)


def test_a_training_of_before_scenes_could_come_later_goes_on(settings: Path, half: Path) -> None:
    state = load_state(half / "state.pt")
    stored = json.loads(state["settings"])
    for mix in stored["training.scenes"]:
        del mix["after"]
    del stored["learner.realised"]
    save_state(half / "state.pt", state | {"settings": json.dumps(stored)})
    assert train(settings, half, "--resume") == 0


def test_a_loss_that_is_no_number_ends_the_training_before_it_is_saved(
    settings: Path, half: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(half)
    monkeypatch.setattr(Learner, "update", lambda self: math.nan)
    assert train(settings, half, "--resume") == 1
    assert "the loss is nan" in capsys.readouterr().err
    assert contents(half) == before


def test_options_win_over_the_file(settings: Path, tmp_path: Path) -> None:
    training, learner = read_config(settings, {"actions": 3, "seed": 7})
    assert (training.actions, training.seed, training.warm_up) == (3, 7, 5)
    assert (learner.batch, learner.decay_updates) == (4, training.updates)
    path = tmp_path / "rate.yaml"
    path.write_text("learner: {rate: 1e-3, decay_updates: 9}")
    assert read_config(path)[1] == replace(LearnerConfig(), rate=0.001, decay_updates=9)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("learner: {rat: 1}", ["section learner", "'rat'", "rate, final_rate"]),
        ("trainer: {}", ["the file", "'trainer'", "training, learner"]),
        ("training: {actions: many}", ["training.actions is 'many'", "integer"]),
        ("training: {actions: 1.5}", ["training.actions is 1.5", "integer"]),
        ("training: {actions: true}", ["training.actions is True", "integer"]),
        ("training: {actions: 0}", ["actions is 0", ">= 1"]),
        ("training: {exploration: 1.5}", ["exploration is 1.5", "in [0, 1]"]),
        ("training: {exploration: .nan}", ["exploration is nan", "in [0, 1]"]),
        ("training: {camera: x-ray}", ["camera is 'x-ray'", "perspective, ortho"]),
        ("learner: {gamma: 1}", ["gamma is 1", "in [0, 1)"]),
        ("learner: {rate: -1.0}", ["rate is -1.0", "> 0"]),
        ("learner: {final_rate: -1.0}", ["final_rate is -1.0", ">= 0"]),
        ("learner: {decay_updates: 0}", ["decay_updates is 0", ">= 1"]),
        ("learner: {clip: -1.0}", ["clip is -1.0", "> 0"]),
        ("learner: {averaging: 2.0}", ["averaging is 2.0", "in [0, 1]"]),
        ("learner: {weight_decay: -1}", ["weight_decay is -1", ">= 0"]),
        ("learner: {newest: 0}", ["newest is 0", ">= 1"]),
        ("learner: {newest_share: 3.0}", ["newest_share is 3.0", "in [0, 1]"]),
        ("learner: {refresh_every: 0}", ["refresh_every is 0", ">= 1"]),
        ("training: {scenes: []}", ["scenes is ()", "at least one"]),
        ("training: {scenes: [{name: random}]}", ["training.scenes.0.weight", "required"]),
        (
            "training: {scenes: [{name: heap, weight: 1, fewest: 1, most: 2}]}",
            ["scene is 'heap'", "random"],
        ),
        (
            "training: {scenes: [{name: random, weight: 1, fewest: 1, most: 99}]}",
            ["objects is 99", "1 to 40"],
        ),
        (
            "training: {scenes: [{name: random, weight: 1, fewest: 1, most: 2, colour: red}]}",
            ["training.scenes", "'colour'", "name, weight, fewest, most, after"],
        ),
        (
            "training: {scenes: [{name: random, weight: 1, fewest: 1, most: 2, after: -1}]}",
            ["after of scene 'random' is -1", ">= 0"],
        ),
        (
            "training: {scenes: [{name: random, weight: 1, fewest: 1, most: 2, after: 9}]}",
            ["at least one of them with after 0"],
        ),
        ("training: {seed: 99999999999999999999}", ["seed is 99999999999999999999", "< 2^32"]),
        ("training: [1]", ["section training is [1]", "mapping"]),
        ("training: {", ["is not YAML"]),
    ],
)
def test_bad_settings_are_one_sentence(
    tmp_path: Path, text: str, parts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    assert train(path, tmp_path / "out") == 1
    (line,) = capsys.readouterr().err.splitlines()
    for part in [str(path), *parts]:
        assert part in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--actions", "-1"], "actions is -1"),
        (["--json", "nowhere/figures.json"], "nowhere/figures.json cannot be written"),
        (["--json", "docs"], "docs cannot be written: it is a folder"),
        (["--out", "/dev/null/training"], "/dev/null/training"),
    ],
)
def test_bad_options_are_one_sentence(
    tmp_path: Path, arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--out", str(tmp_path / "out"), *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert part in line


# -- a training that must not be touched


@pytest.fixture
def refusal(settings: Path, half: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs the command on a half-done training and returns its one sentence."""

    def run(*arguments: str) -> str:
        before = contents(half)
        capsys.readouterr()
        assert train(settings, half, *arguments) == 1
        assert contents(half) == before
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1, error
        return error.rstrip("\n")

    return run


def test_a_training_is_not_begun_again_by_accident(refusal: Callable[..., str]) -> None:
    assert "--resume" in refusal()


def test_other_settings_are_named(refusal: Callable[..., str], half: Path) -> None:
    line = refusal("--resume", "--seed", "1", "--camera", "perspective")
    assert str(half) in line
    assert "training.seed 0 there and 1 here" in line
    assert "training.camera 'ortho' there and 'perspective' here" in line
    assert "warm_up" not in line


def test_other_learner_settings_are_named(refusal: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(yaml.safe_dump(SETTINGS | {"learner": {"batch": 5}}))
    assert "learner.batch 4 there and 5 here" in refusal("--config", str(path), "--resume")


def test_other_primitives_are_named(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(_REGISTRY, "nudge", Push())
    path = tmp_path / "other.yaml"
    training = SETTINGS["training"] | {"primitives": ["grasp", "push", "nudge"]}
    path.write_text(yaml.safe_dump(SETTINGS | {"training": training}))
    line = refusal("--config", str(path), "--resume")
    assert "network.primitives" in line and "nudge" in line


def test_another_workspace_is_named(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    finer = replace(DEFAULT_WORKSPACE, resolution=0.001)
    monkeypatch.setattr("vpg_ros.learning.train.DEFAULT_WORKSPACE", finer)
    assert "workspace.resolution 0.002 there and 0.001 here" in refusal("--resume")


def test_damage_anywhere_in_a_replay_is_named(tmp_path: Path) -> None:
    replay, rng = Replay(), np.random.default_rng(0)
    height, none = rng.normal(size=(12, 16)).astype(np.float16), np.zeros((0, 0, 3), np.uint8)
    replay.add(Experience(height, none, "grasp", 1, 2, 3, 0.5, True, False, height, none))
    replay.save(tmp_path)
    path = tmp_path / "00000.npz"
    data, named = path.read_bytes(), 0
    for at in range(0, len(data), 3):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            Replay().load(tmp_path, 1)
        except VpgError as error:
            assert str(path) in error.message and error.code is ErrorCode.STORE_UNREADABLE
            named += 1
    assert named > len(data) / 6, "some bytes do not matter"


def test_a_training_that_another_process_went_on_with_is_left_to_it(
    settings: Path, half: Path
) -> None:
    late = trainer_of(settings, half)
    trainer_of(settings, half).run()
    done = contents(half)
    with pytest.raises(VpgError, match="another process went on with") as error:
        late.run()
    assert error.value.code is ErrorCode.STORE_MISMATCH
    assert contents(half) == done


def test_a_training_from_a_log_is_not_gone_on_with(refusal: Callable[..., str], half: Path) -> None:
    state = load_state(half / "state.pt")
    save_state(half / "state.pt", state | {"settings": json.dumps({"algorithm": "dqn"})})
    assert "holds a training from a log" in refusal("--resume")


def test_weights_that_are_gone_are_written_again(
    settings: Path, whole: Path, tmp_path: Path
) -> None:
    again = Path(shutil.copytree(whole, tmp_path / "again"))
    weights = again / "weights.safetensors"
    weights.unlink()
    assert train(settings, again, "--resume", "--record") == 0
    assert weights.read_bytes() == (whole / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("name", ["state.pt", "replay/00000.npz"])
def test_a_damaged_training_is_named(refusal: Callable[..., str], half: Path, name: str) -> None:
    path = half / name
    path.write_bytes(path.read_bytes()[:100])
    assert str(path) in refusal("--resume")


def test_a_lost_replay_is_named(
    settings: Path, half: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(half / "replay")
    before = contents(half)
    assert train(settings, half, "--resume") == 1
    assert str(half / "replay") in capsys.readouterr().err
    assert contents(half) == before


def test_a_reward_that_is_no_number_is_not_learned_from(
    refusal: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Learner.add

    def without_number(self: Learner, transition: Transition) -> None:
        add(self, replace(transition, reward=math.nan))

    monkeypatch.setattr(Learner, "add", without_number)
    assert "is nan; it must be finite" in refusal("--resume")


def test_a_disk_that_tensorboard_finds_full_is_one_sentence(half: Path, tmp_path: Path) -> None:
    program = f"""
        import sys
        from pathlib import Path
        from types import SimpleNamespace
        from vpg_ros.errors import VpgError
        from vpg_ros.learning.board import Board
        from vpg_ros.learning.progress import Progress
        from vpg_ros.learning.state import load_state
        progress = Progress.of(load_state(Path({str(half / "state.pt")!r}))["progress"])
        learner = SimpleNamespace(rate=1.0)
        board = Board(Path({str(tmp_path)!r}), SimpleNamespace(progress=progress, learner=learner))
        try:
            for _ in range(1000):
                board.add()
            board.close()
        except VpgError as error:
            sys.exit(error.sentence)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        preexec_fn=lambda: limits.setrlimit(limits.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert "Traceback" not in done.stderr and done.returncode == 1, done.stderr
    assert f"[error {ErrorCode.DISK_FULL.value}]" in done.stderr.splitlines()[-1]


def test_a_full_disk_leaves_the_last_save(settings: Path, whole: Path, half: Path) -> None:
    before = contents(half)
    done = subprocess.run(
        command(settings, half, "--resume"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        # Room for each tensor that goes to the actor through shared memory, none for the weights.
        preexec_fn=lambda: limits.setrlimit(limits.RLIMIT_FSIZE, (300_000, 300_000)),
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]  # PyBullet writes one when it is imported
    assert "cannot be written" in line and f"[error {ErrorCode.DISK_FULL.value}]" in line
    assert contents(half)[str(half / "state.pt")] == before[str(half / "state.pt")]
    assert train(settings, half, "--resume") == 0
    assert curve(half) == curve(whole)
