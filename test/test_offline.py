"""Learning offline: data sets, the exact softmax, the algorithms, estimates, the commands."""

import json
import math
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mcap_ros2.writer import Writer

from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.choices import DATASETS, OFFLINE_ALGORITHMS, OFFLINE_VARIANTS
from vpg_ros.cli.main import main
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning import env
from vpg_ros.learning.config import TrainingConfig
from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.evaluation import Evaluation, evaluate
from vpg_ros.learning.figures import Run
from vpg_ros.learning.interval import Estimate, bootstrap_mean
from vpg_ros.learning.kept import read_kept
from vpg_ros.learning.learner import CPU
from vpg_ros.learning.lock import alone
from vpg_ros.learning.offline import (
    algorithms,
    behaviour,
    datasets,
    estimates,
    experiment,
    logs,
    results,
)
from vpg_ros.learning.offline.actor import Actor
from vpg_ros.learning.offline.algorithm import Algorithm
from vpg_ros.learning.offline.behaviour import Mixture, scripted
from vpg_ros.learning.offline.boltzmann import (
    Boltzmann,
    BoltzmannPolicy,
    LikelyActions,
    log_probabilities,
)
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.credit import Credit, credits, mean_credit
from vpg_ros.learning.offline.critic import PlaceCritic
from vpg_ros.learning.offline.datasets import (
    KINDS,
    DatasetSpec,
    make_dataset,
    stored,
    without_help,
)
from vpg_ros.learning.offline.fqe import fitted_q_evaluation
from vpg_ros.learning.offline.importance import (
    effective_samples,
    importance_sampling,
    per_decision,
    trajectories,
)
from vpg_ros.learning.offline.log import Log, read_log
from vpg_ros.learning.offline.log_learner import LogLearner
from vpg_ros.learning.offline.matrix import Cell, Matrix
from vpg_ros.learning.offline.ranking import ranking
from vpg_ros.learning.offline.scenes import scene_values
from vpg_ros.learning.offline.synergy import synergy
from vpg_ros.learning.offline.train import OfflineTrainer
from vpg_ros.learning.offline.variants import VARIANTS
from vpg_ros.learning.online import OnlineConfig, OnlineLearning
from vpg_ros.learning.replay import Experience
from vpg_ros.learning.rewards import is_clear, reward
from vpg_ros.learning.rollout import Source
from vpg_ros.learning.state import load_state, save_state
from vpg_ros.learning.store import TransitionWriter, info, read_transitions, schema
from vpg_ros.learning.store.codec import encode
from vpg_ros.learning.store.reader import keep_first
from vpg_ros.learning.train import Trainer
from vpg_ros.learning.watch import Watch
from vpg_ros.motion import Outcome
from vpg_ros.policy import HeuristicPolicy, RandomPolicy
from vpg_ros.policy.acting import value_maps
from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS, load, load_policy
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.maps import ValueMaps, pixel_to_cell
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.risk import make_risk
from vpg_ros.resources import resource

NETWORK = NetworkConfig.of_repertoire()
SHAPE = DEFAULT_WORKSPACE.shape


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def short_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give episodes up after one action for each object."""
    monkeypatch.setattr(env, "ACTIONS_PER_OBJECT", 1)


def scene(*places: tuple[int, int]) -> Heightmap:
    """A block of 40 mm at each pixel (row, column)."""
    height = np.zeros(SHAPE, np.float32)
    for row, column in places:
        height[row - 10 : row + 10, column - 10 : column + 10] = 0.04
    return Heightmap(np.zeros((*SHAPE, 3), np.uint8), height, DEFAULT_WORKSPACE)


ONE, EMPTY = scene((110, 110)), scene()
PAIR, APART = scene((110, 100), (110, 121)), scene((110, 90), (110, 131))


def step(
    index: int,
    name: str,
    place: tuple[int, int, int],
    before: Heightmap = ONE,
    after: Heightmap = ONE,
    success: bool = False,
    episode: str = "one",
    probability: float = 0.5,
) -> Transition:
    """A step whose action is ``name`` at (row, column, rotation), with the reward it earns."""
    action = replace(primitives.get(name).action(*place, before), probability=probability)
    outcome = Outcome(success)
    earned = reward(action, outcome, before, after)
    return Transition(episode, index, before, action, outcome, earned, after, is_clear(after))


# A push parts two blocks, a grasp in the middle takes one; grasps beside a block fail.
GOOD = (
    step(0, "push", (110, 80, 0), PAIR, APART, success=True),
    step(1, "grasp", (110, 91, 0), APART, ONE, success=True),
    step(2, "grasp", (111, 111, 4), ONE, EMPTY, success=True),
)
BAD = tuple(step(i, "grasp", (101, 101 + 2 * i, i), ONE, ONE, episode="two") for i in range(4))


def write(path: Path, transitions: Sequence[Transition] = (*GOOD, *BAD)) -> Path:
    with TransitionWriter(path) as writer:
        for each in transitions:
            writer.write(each)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("store") / "a.mcap")


@pytest.fixture(scope="module")
def log(store: Path) -> Log:
    return read_log(store, NETWORK)


# -- data sets


def test_the_commands_offer_what_there_is() -> None:
    assert set(DATASETS) == set(KINDS)
    assert algorithms.names() == OFFLINE_ALGORITHMS
    assert tuple(VARIANTS) == OFFLINE_VARIANTS
    for each in VARIANTS.values():
        assert each.config(10, 0).updates == 10 and make_risk(each.risk, each.alpha)


def rows(folder: Path) -> list[tuple[object, ...]]:
    return [
        (t.episode, t.step, t.action, t.reward, float(np.nansum(t.after.height)))
        for t in read_transitions(folder)
    ]


def test_a_data_set_is_deterministic_resumable_and_begins_as_a_smaller_one(
    tmp_path: Path, short_episodes: None
) -> None:
    card = make_dataset(DatasetSpec("mixed", 12, seed=5), tmp_path / "whole").figures()
    make_dataset(DatasetSpec("mixed", 6, seed=5), tmp_path / "parts")
    begun = rows(tmp_path / "parts")
    again = ["dataset", "make", "--kind", "mixed", "--actions", "12", "--seed", "5"]
    assert main([*again, "--out", str(tmp_path / "parts")]) == 0
    whole = rows(tmp_path / "whole")
    assert rows(tmp_path / "parts") == whole
    assert whole[:6] == begun and len(whole) == 12
    assert card["transitions"] == 12 == sum(e["actions"] for e in card["primitives"].values())
    assert json.loads((tmp_path / "parts" / "card.json").read_text())["transitions"] == 12
    assert all(0 < t.action.probability <= 1 for t in read_transitions(tmp_path / "whole"))
    with pytest.raises(VpgError, match="kind 'mixed', not 'random'") as error:
        make_dataset(DatasetSpec("random", 12, seed=5), tmp_path / "whole")
    assert error.value.code is ErrorCode.STORE_MISMATCH


@pytest.mark.parametrize("place", ["index", "last", "middle"])
def test_a_damaged_data_set_is_made_whole(tmp_path: Path, short_episodes: None, place: str) -> None:
    spec, out = DatasetSpec("random", 18, seed=5), tmp_path / "set"
    make_dataset(replace(spec, actions=15), out)
    make_dataset(spec, out)
    whole = rows(out)
    first, last = sorted(out.glob("*.mcap"))
    damaged = first if place == "middle" else last
    with damaged.open("r+b") as file:
        file.truncate(file.seek(0, 2) - 10 if place == "index" else keep_first(damaged, 1)[1] + 20)
    make_dataset(spec, out)
    assert rows(out) == whole and len(read_log(out, NETWORK)) == 18


def test_of_more_actions_than_are_asked_for_all_are_kept(
    tmp_path: Path, short_episodes: None, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["dataset", "make", "--kind", "random", "--out", str(tmp_path)]
    assert main([*command, "--actions", "4"]) == 0
    made = rows(tmp_path)
    assert "already" not in capsys.readouterr().out
    for damage in (0, 10):
        with max(tmp_path.glob("*.mcap")).open("r+b") as file:
            file.truncate(file.seek(0, 2) - damage)
        assert main([*command, "--actions", "2"]) == 0
        assert "held more than 2 transitions already" in capsys.readouterr().out
        assert rows(tmp_path) == made and len(read_log(tmp_path, NETWORK)) == 4
        card = json.loads((tmp_path / "card.json").read_text())
        assert card["spec"]["actions"] == card["transitions"] == 4


@pytest.mark.parametrize("asked", [2, 4])
def test_what_is_readable_behind_a_damage_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int
) -> None:
    """Three before it and three behind it, one in its own file; none of them is made again."""
    spec, metadata = DatasetSpec("random", asked), {"kind": "random", "seed": 0, "camera": "ortho"}
    for number, steps in enumerate(([*GOOD, BAD[0], BAD[1]], BAD[2:])):
        path = tmp_path / f"{number:05d}.mcap"
        with TransitionWriter(path, {**metadata, "weights": ""}) as writer:
            for each in steps:
                writer.write(replace(each, episode="random-4-1000000"))
    first, second = sorted(tmp_path.glob("*.mcap"))
    data = bytearray(first.read_bytes())
    data[(keep_first(first, 3)[1] + keep_first(first, 4)[1]) // 2] ^= 1
    first.write_bytes(data)
    before = [path.read_bytes() for path in (first, second)]
    with pytest.raises(VpgError, match=r"of its 6 readable .* ask for 6 at least") as error:
        make_dataset(spec, tmp_path)
    assert error.value.code is ErrorCode.STORE_UNREADABLE
    assert [path.read_bytes() for path in sorted(tmp_path.glob("*.mcap"))] == before
    monkeypatch.setattr(datasets, "_Acting", lambda *_: pytest.fail("asked for enough"))
    with pytest.raises(pytest.fail.Exception):
        make_dataset(replace(spec, actions=6), tmp_path)


def test_a_folder_of_data_sets_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    write(tmp_path / "other" / "00000.mcap")
    with pytest.raises(VpgError, match=r"other in .* holds transitions") as error:
        make_dataset(DatasetSpec("random", 1), tmp_path)
    assert error.value.code is ErrorCode.STORE_MISMATCH
    assert not list(tmp_path.glob("*.mcap"))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"transitions": null}'])
def test_a_damaged_card_or_cell_is_no_traceback(tmp_path: Path, content: str) -> None:
    (tmp_path / "card.json").write_text(content)
    assert stored(tmp_path) == 0
    (tmp_path / "cell.json").write_text(content)
    with pytest.raises(VpgError, match=r"cell\.json is damaged") as error:
        read_kept(tmp_path / "cell.json", {})
    assert error.value.code is ErrorCode.STORE_UNREADABLE


def test_a_replay_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    spec = DatasetSpec("replay", 2)
    make_dataset(spec, tmp_path)
    (store,) = tmp_path.rglob("*.mcap")
    with store.open("r+b") as file:
        file.truncate(keep_first(store, 1)[1] + 20)
    with pytest.raises(VpgError, match=r"1 readable transitions of 2; .* dataset repair") as error:
        make_dataset(spec, tmp_path)
    assert error.value.code is ErrorCode.STORE_UNREADABLE


@pytest.mark.parametrize("kind", ["scripted", "mixed"])
def test_a_data_set_does_not_go_on_with_other_shares(
    tmp_path: Path, short_episodes: None, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    make_dataset(DatasetSpec(kind, 1), tmp_path)
    monkeypatch.setattr(behaviour, "FRESH", (0.5, 0.25, 0.25))
    with pytest.raises(VpgError, match=r"a data set of shares .* continue that one") as error:
        make_dataset(DatasetSpec(kind, 2), tmp_path)
    assert error.value.code is ErrorCode.STORE_MISMATCH


def test_a_data_set_of_an_earlier_version_goes_on(tmp_path: Path, short_episodes: None) -> None:
    """It names no shares."""
    make_dataset(DatasetSpec("scripted", 1), tmp_path / "new")
    (transition,) = read_transitions(tmp_path / "new")
    names = ("kind", "seed", "camera", "weights")
    metadata = {name: info(tmp_path / "new").metadata[name] for name in names}
    (tmp_path / "old").mkdir()
    with TransitionWriter(tmp_path / "old" / "00000.mcap", metadata) as writer:
        writer.write(transition)
    assert make_dataset(DatasetSpec("scripted", 2), tmp_path / "old").figures()["transitions"] == 2


def test_a_training_and_other_data_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "acted").mkdir()
    with TransitionWriter(tmp_path / "acted" / "00000.mcap", {"kind": "random"}) as writer:
        writer.write(GOOD[0])
    (tmp_path / "trained" / "training").mkdir(parents=True)
    for folder, kind, found in (("acted", "replay", "random"), ("trained", "random", "replay")):
        with pytest.raises(VpgError, match=f"kind '{found}', not '{kind}'; .* folder") as error:
            make_dataset(DatasetSpec(kind, 5), tmp_path / folder)
        assert error.value.code is ErrorCode.STORE_MISMATCH


def test_a_replay_of_each_size_has_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, int, str]] = []

    def make(spec: DatasetSpec, folder: Path, report: object) -> None:
        made.append((spec.kind, spec.actions, str(folder.relative_to(tmp_path / "data"))))

    monkeypatch.setattr(logs, "make_dataset", make)
    matrix = Matrix(("random", "replay"), (5, 9))
    found = logs.Logs(matrix, tmp_path, Watch())
    for kind, size in (("random", 5), ("replay", 5), ("replay", 9)):
        found.make(kind, size)
    assert made == [("random", 9, "random"), ("replay", 5, "replay/5"), ("replay", 9, "replay/9")]


def test_a_data_set_that_another_one_makes_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    monkeypatch.setattr(datasets, "_act", lambda *_: begun.set())
    write(tmp_path / "a.mcap")
    make = threading.Thread(target=make_dataset, args=(DatasetSpec("random", 5), tmp_path))
    with alone(tmp_path):
        make.start()
        assert not begun.wait(0.3)
    make.join(30.0)
    assert begun.is_set() and stored(tmp_path) == 7
    with alone(tmp_path, reading=True), alone(tmp_path, reading=True):
        pass  # readers do not wait for each other


def test_without_help_keeps_no_push_that_a_pick_followed() -> None:
    assert list(without_help(GOOD)) == list(GOOD[1:])
    useless = step(0, "push", (110, 80, 0), ONE, ONE)
    failed = step(1, "grasp", (101, 101, 0))
    assert list(without_help([useless, failed])) == [useless, failed]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"kind": "human"}, "kind is 'human'; it must be one of random"),
        ({"actions": 0}, "actions is 0; it must be > 0"),
        ({"camera": "x"}, "camera is 'x'"),
        ({"seed": 2**32}, "seed is 4294967296; it must be >= 0 and < 2"),
    ],
)
def test_bad_settings_of_a_data_set_are_refused(spec: dict[str, object], sentence: str) -> None:
    with pytest.raises(VpgError, match=sentence):
        DatasetSpec(**{"kind": "random", "actions": 5, **spec})  # type: ignore[arg-type]


def test_a_random_action_is_as_likely_as_it_says() -> None:
    """Every action of a primitive has the same probability; those of all sum to one."""
    decision = RandomPolicy(1).decide(ONE)
    counts = {name: int(mask.sum()) for name, mask in decision.maps.admissible.items()}
    seen = {}
    for seed in range(20):
        action = RandomPolicy(seed).decide(ONE).action
        seen[action.primitive] = action.probability
    assert set(seen) == {"grasp", "push"}
    assert sum(seen[name] * counts[name] for name in counts) == pytest.approx(1)


def test_a_mixture_adds_the_probabilities_of_its_parts() -> None:
    """The heuristic's own grasp may come from either part; a random one only from the other."""
    policy = Mixture([(0.75, HeuristicPolicy()), (0.25, RandomPolicy(5, ("grasp",)))], seed=0)
    count = int(policy.decide(ONE).maps.admissible["grasp"].sum())
    found = {policy.decide(ONE).action.probability for _ in range(30)}
    assert sorted(found) == pytest.approx([0.25 / count, 0.75 + 0.25 / count])


def test_the_script_pushes_after_what_failed() -> None:
    failed = [step(0, "grasp", (101, 101, 0)).action]
    fresh = [scripted(seed).decide(ONE).action.primitive for seed in range(40)]
    stuck = [scripted(seed).decide(ONE, failed).action.primitive for seed in range(40)]
    assert fresh.count("push") < 12 < 26 < stuck.count("push")


# -- the log


def test_a_log_knows_what_actions_came_to(log: Log) -> None:
    assert log.returns(0.8) == [0.8, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert log.by_episode() == [range(3), range(3, 7)]
    assert log.grasp_success() == pytest.approx(2 / 6)
    assert log.experiences[0].next_height is log.experiences[1].height  # kept once


def test_a_gap_in_an_episode_ends_what_follows(tmp_path: Path) -> None:
    log = read_log(write(tmp_path / "a.mcap", (GOOD[0], GOOD[2])), NETWORK)
    assert log.returns(0.8) == [0.0, 1.0]


def test_a_log_with_a_share_of_pushes_leaves_out_of_those_that_are_too_many(log: Log) -> None:
    pushes, steps = [0], list(zip(log.episodes, log.steps, strict=True))  # and six grasps
    for share, kept in ((0.1, 7), (0.25, 4), (0.5, 2)):
        found = log.with_push_share(share, seed=1)
        assert len(found) == kept and all(
            each in steps for each in zip(found.episodes, found.steps, strict=True)
        )
        assert [i for i in range(len(found)) if not found.picks(i)] == pushes
    with pytest.raises(VpgError, match=r"push_share is 0.5, .* 6 pick and 0 do not") as error:
        replace(log, experiences=log.experiences[1:], successes=log.successes[1:]).with_push_share(
            0.5, seed=1
        )
    assert error.value.code is ErrorCode.STORE_MISMATCH


def test_a_selection_leaves_out_actions_not_what_they_came_to(tmp_path: Path) -> None:
    """Two pushes, each with its pick, of which one is left out."""
    again = tuple(replace(each, episode="three") for each in GOOD[:2])
    log = read_log(write(tmp_path / "a.mcap", (*GOOD[:2], *again)), NETWORK)
    for seed in range(6):
        found = log.with_push_share(0.6, seed)
        pushes = [value for i, value in enumerate(found.returns(0.8)) if not found.picks(i)]
        assert len(pushes) == 2 and pushes == [0.8, 0.8]
        cloned = algorithms.get("filtered-bc")(found, NETWORK, QUICK).cloned()  # type: ignore[attr-defined]
        assert len(cloned) == len(found) == 3


def refused(path: Path, sentence: str, code: ErrorCode = ErrorCode.STORE_MISMATCH) -> None:
    with pytest.raises(VpgError, match=sentence) as error:
        read_log(path, NETWORK)
    assert error.value.code is code


def test_what_cannot_be_learned_from_is_refused_with_its_place(tmp_path: Path) -> None:
    unknown = replace(BAD[1], action=replace(BAD[1].action, primitive="juggle"))
    sentence = r"transition 1 .*step 1\).* 'juggle'.* grasp"
    refused(write(tmp_path / "a.mcap", (BAD[0], unknown)), sentence)
    turned = replace(BAD[0], action=replace(BAD[0].action, rotation=9))
    refused(write(tmp_path / "b.mcap", (turned,)), "transition 0 .* rotation 9; grasp has 8")
    far = replace(BAD[0], action=replace(BAD[0].action, row=224))
    refused(write(tmp_path / "c.mcap", (far,)), "pixel 224, 101")
    coarse = replace(DEFAULT_WORKSPACE, resolution=0.004)
    maps = (replace(each, workspace=coarse) for each in (BAD[0].before, BAD[0].after))
    before, after = maps
    other = replace(BAD[0], before=before, after=after)
    refused(write(tmp_path / "d.mcap", (other,)), r"0\.004 m a pixel; .* 0\.002")
    refused(write(tmp_path / "e.mcap", ()), "no transitions", ErrorCode.STORE_UNREADABLE)


def test_a_map_of_a_size_that_no_network_values_is_refused(tmp_path: Path) -> None:
    for rows, columns in ((225, 224), (6, 224)):
        workspace = replace(DEFAULT_WORKSPACE, rows=rows, columns=columns)
        height = np.full(workspace.shape, 0.04, np.float32)
        before = Heightmap(np.zeros((*workspace.shape, 3), np.uint8), height, workspace)
        action = replace(BAD[0].action, row=1, column=1)
        odd = replace(BAD[0], before=before, after=before, action=action)
        sentence = f"transition 0 .* {rows} × {columns} pixels; both must be multiples of 2, and 8"
        refused(write(tmp_path / f"{rows}.mcap", (odd,)), sentence)


@pytest.mark.parametrize(
    ("field", "value"), [("reward", "much"), ("done", "yes"), ("rotation", "3"), ("rows", "224")]
)
def test_a_field_of_another_type_is_refused_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str, value: str
) -> None:
    definition = re.sub(rf"\w+ {field}\n", f"string {field}\n", schema.DEFINITION)
    message = encode(BAD[0])
    for part in (
        message,
        message["action"],
        *(message[n]["workspace"] for n in ("before", "after")),
    ):
        if field in part:
            part[field] = value
    store = tmp_path / "other.mcap"
    with store.open("wb") as stream, Writer(stream) as writer:
        kind = writer.register_msgdef(schema.NAME, definition)
        writer.write_message(schema.TOPIC, kind, message, 0)
    refused(store, "other.mcap, transition 0: a stored transition is not what")
    assert main(["dataset", "repair", str(store), "--out", str(tmp_path / "out")]) == 1
    assert "other.mcap, transition 0: a stored" in capsys.readouterr().err


def with_height(value: float, name: str = "before") -> Transition:
    """One of which a patch of a map has that height."""
    height = getattr(BAD[1], name).height.copy()
    height[90:120, 90:120] = value
    changed = replace(getattr(BAD[1], name), height=height)
    return replace(BAD[1], **{name: changed})  # type: ignore[arg-type]


BROKEN = {
    "heights that are none": with_height(math.inf),
    "heights that are none;": with_height(-math.inf),
    "has heights that are none": with_height(1e6),
    "has heights that are none;": with_height(2.5, "after"),
    "rotation 99": replace(BAD[1], action=replace(BAD[1].action, rotation=99)),
    "pixel 224, 103": replace(BAD[1], action=replace(BAD[1].action, row=224)),
    "the reward nan": replace(BAD[1], reward=math.nan),
    "the reward 50": replace(BAD[1], reward=50.0),
    "the reward -3": replace(BAD[1], reward=-3.0),
    "a scene with nothing on it": replace(BAD[1], before=EMPTY),
    "the probability nan": replace(BAD[1], action=replace(BAD[1].action, probability=math.nan)),
    "the probability inf": replace(BAD[1], action=replace(BAD[1].action, probability=math.inf)),
    "the probability -0.5": replace(BAD[1], action=replace(BAD[1].action, probability=-0.5)),
    "the probability 1.5": replace(BAD[1], action=replace(BAD[1].action, probability=1.5)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_repaired_can_be_learned_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    store = write(tmp_path / "a.mcap", (BAD[0], BROKEN[what], BAD[2]))
    refused(store, f"transition 1 .*{what}")
    out = tmp_path / "mended"
    assert main(["dataset", "repair", str(store), "--out", str(out)]) == 0
    assert "transition 1: it " in (said := capsys.readouterr().out) and what in said
    assert read_log(out, NETWORK).steps == (0, 2)


def test_a_sum_of_probabilities_may_round_above_one(tmp_path: Path) -> None:
    certain = replace(BAD[0], action=replace(BAD[0].action, probability=1 + 2e-16))
    assert read_log(write(tmp_path / "a.mcap", (certain,)), NETWORK).probabilities[0] > 1


def test_another_workspace_is_refused_in_another_file_too(tmp_path: Path) -> None:
    shifted = replace(DEFAULT_WORKSPACE, origin_x=DEFAULT_WORKSPACE.origin_x + 0.1)
    maps = (replace(each, workspace=shifted) for each in (BAD[0].before, BAD[0].after))
    before, after = maps
    (tmp_path / "set").mkdir()
    write(tmp_path / "set" / "00000.mcap", BAD[:1])
    write(tmp_path / "set" / "00001.mcap", (replace(BAD[0], before=before, after=after),))
    refused(tmp_path / "set", r"00001\.mcap holds a transition of .*; it must be of ")


def test_a_missing_field_is_refused_with_its_place(tmp_path: Path) -> None:
    definition = schema.DEFINITION.replace("float64 reward\n", "")
    with (tmp_path / "old.mcap").open("wb") as stream, Writer(stream) as writer:
        kind = writer.register_msgdef(schema.NAME, definition)
        writer.write_message(schema.TOPIC, kind, encode(BAD[0]), 0)
    refused(tmp_path / "old.mcap", "old.mcap, transition 0: .*reward")


def test_actions_of_earlier_versions_have_no_known_probability(tmp_path: Path) -> None:
    definition = schema.DEFINITION.replace("float64 probability\n", "")
    with (tmp_path / "old.mcap").open("wb") as stream, Writer(stream) as writer:
        kind = writer.register_msgdef(schema.NAME, definition)
        writer.write_message(schema.TOPIC, kind, encode(BAD[0]), 0)
    assert read_log(tmp_path / "old.mcap", NETWORK).probabilities == (0.0,)


def test_a_truncated_store_is_refused_and_repaired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    cut = write(folder / "00000.mcap", GOOD)
    with cut.open("r+b") as file:
        file.truncate(keep_first(cut, 2)[1] + 20)  # in the middle of the third one
    unknown = replace(BAD[1], action=replace(BAD[1].action, primitive="juggle"))
    write(folder / "00001.mcap", (BAD[0], unknown, BAD[2]))
    refused(folder, "00000.mcap was cut off or is damaged: its last", ErrorCode.STORE_UNREADABLE)
    assert len(list(read_transitions(cut))) == 2
    out = tmp_path / "mended"
    assert main(["dataset", "repair", str(folder), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "00000.mcap was cut off" in said and "00001.mcap, transition 1: " in said
    log = read_log(out, NETWORK)
    assert len(log) == 4 and info(out).complete
    assert main(["dataset", "repair", str(folder), "--out", str(out)]) == 1
    assert "choose another folder" in capsys.readouterr().err


def chunks(path: Path, count: int) -> list[int]:
    """Where each of ``count`` transitions begins in a store, and where the last one ends."""
    first = path.read_bytes().index(b"zstd") - 41  # what stands before it in a chunk
    return [first, *(keep_first(path, each)[1] for each in range(1, count + 1))]


@pytest.mark.parametrize(
    ("lost", "zeros"), [([1], False), ([0], False), ([1], True), ([0, 1], True), ([2, 3, 4], True)]
)
def test_a_damage_costs_the_transitions_that_it_meets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lost: list[int], zeros: bool
) -> None:
    """A bit that is not what it was, or sectors of zeros, lengths of records among them."""
    whole = [*GOOD, *BAD]
    store = write(tmp_path / "a.mcap", whole)
    begin, end = (chunks(store, 7)[each] for each in (lost[0], lost[-1] + 1))
    data = bytearray(store.read_bytes())
    if zeros:
        data[begin + 3 : end - 20] = bytes(end - begin - 23)
    else:
        data[(begin + end) // 2] ^= 1
    store.write_bytes(data)
    refused(store, "a.mcap was cut off or is damaged", ErrorCode.STORE_UNREADABLE)
    out = tmp_path / "mended"
    assert main(["dataset", "repair", str(store), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert f"{7 - len(lost)} transitions are in" in said and said.count("lost: ") == 1
    assert "a.mcap is damaged: " in said and "cut off" not in said
    found = [(each.episode, each.step) for each in read_transitions(out, whole=True)]
    assert found == [(t.episode, t.step) for i, t in enumerate(whole) if i not in lost]


def test_a_repair_keeps_the_workspace_of_most(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shifted = replace(DEFAULT_WORKSPACE, origin_x=DEFAULT_WORKSPACE.origin_x + 0.1)
    before, after = (replace(each, workspace=shifted) for each in (ONE, ONE))
    (tmp_path / "set").mkdir()
    strays = [replace(each, before=before, after=after) for each in BAD[:2]]
    for number, each in enumerate(strays):
        write(tmp_path / "set" / f"{number:05d}.mcap", [each])
    write(tmp_path / "set" / "00002.mcap")
    out = tmp_path / "mended"
    assert main(["dataset", "repair", str(tmp_path / "set"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "7 transitions are in" in said and "2 do not fit" in said
    assert said.count("lost: ") == said.count("2 transitions are of Workspace(origin_x=") == 1
    assert len(read_log(out, NETWORK)) == 7


@pytest.mark.parametrize("size", [0, 70, 400])
def test_what_has_nothing_to_be_repaired_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], size: int
) -> None:
    store = write(tmp_path / "a.mcap")
    with store.open("r+b") as file:
        file.truncate(size)
    assert main(["dataset", "repair", str(store), "--out", str(tmp_path / "out")]) == 1
    reason = "a.mcap was cut off" if size > 70 else "it holds no transitions"
    assert f"is readable: {reason}" in capsys.readouterr().err.replace(str(tmp_path) + "/", "")


def test_a_store_of_which_nothing_fits_says_why_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = write(tmp_path / "a.mcap", [replace(BAD[0], reward=math.nan)] * 9)
    assert main(["dataset", "repair", str(store), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.count("has the reward nan") == 3 and "; and 6 more [error 600]" in said


def test_one_unreadable_transition_costs_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = [encode(each) for each in GOOD]
    messages[1]["before"]["height"]["encoding"] = "16UC1"
    with (tmp_path / "a.mcap").open("wb") as stream, Writer(stream) as writer:
        kind = writer.register_msgdef(schema.NAME, schema.DEFINITION)
        for message in messages:
            writer.write_message(schema.TOPIC, kind, message, 0)
    refused(tmp_path / "a.mcap", "transition 1: .*16UC1")
    out = tmp_path / "mended"
    assert main(["dataset", "repair", str(tmp_path / "a.mcap"), "--out", str(out)]) == 0
    assert "2 transitions are in" in (said := capsys.readouterr().out) and "1 do not fit" in said
    assert [each.step for each in read_transitions(out)] == [0, 2]


# -- the Boltzmann policy


def maps(**values: list[float]) -> ValueMaps:
    arrays = {name: np.array(each, np.float32).reshape(1, 1, -1) for name, each in values.items()}
    return ValueMaps(arrays, {name: np.ones(a.shape, np.bool_) for name, a in arrays.items()})


def test_probabilities_are_those_of_a_softmax_over_all_primitives() -> None:
    found = maps(grasp=[0.1, 0.3], push=[0.2])
    found.admissible["grasp"][0, 0, 0] = False
    chances = log_probabilities(found, 0.1)
    expected = np.exp([3.0, 2.0]) / np.exp([3.0, 2.0]).sum()
    assert np.exp(chances["grasp"]).ravel() == pytest.approx([0, expected[0]])
    assert np.exp(chances["push"]).ravel() == pytest.approx(expected[1:])
    other = maps(grasp=[9.0, 0.5], push=[1.0])
    assert LikelyActions.of(found, 0.1).expected(other) == pytest.approx(expected @ [0.5, 1.0])


def test_draws_are_as_likely_as_they_say() -> None:
    network = load_policy(resource(SHIPPED_WEIGHTS), "cpu")
    policy = BoltzmannPolicy(network, seed=0, temperature=0.02)
    decision = policy.decide(ONE)
    action, found = decision.action, network.maps(ONE)
    place = (action.rotation, *pixel_to_cell(action.row, action.column, found.cell))
    again = np.exp(log_probabilities(found, 0.02)[action.primitive][place])
    assert action.probability == pytest.approx(again) and 0 < again < 1
    # A draw weighed with the inverse of its probability counts the admissible actions.
    count = sum(int(mask.sum()) for mask in network.maps(ONE).admissible.values())
    flat = BoltzmannPolicy(network, seed=0, temperature=1e6).decide(ONE).action
    assert 1 / flat.probability == pytest.approx(count, rel=1e-3)


def test_values_with_gradients_are_those_of_acting(log: Log) -> None:
    """The exact sums over a scene are of the values that the policy would choose by."""
    network, _ = load(resource(SHIPPED_WEIGHTS))
    each = log.experiences[0]
    heightmap = each.before(log.workspace)
    found = scene_values(network, each, heightmap)
    acted = value_maps(network, CPU, heightmap)
    values = np.concatenate([acted.values[n][acted.admissible[n]] for n in NETWORK.names])
    assert len(found.values) == len(values)
    # bfloat16, where the processor has it, keeps two to three digits.
    assert np.abs(found.values.detach().numpy() - values).mean() < 0.01
    exact = 0.05 * np.log(np.exp(found.values.detach().numpy().astype(float) / 0.05).sum())
    assert found.soft_maximum(0.05).item() == pytest.approx(exact, abs=1e-4)
    likely = (found.at_action.item() - exact) / 0.05
    assert found.log_probability(0.05).item() == pytest.approx(likely, abs=1e-2)
    found.log_probability(0.05).backward()
    gradients = [p.grad for p in network.parameters()]
    assert any(g is not None and bool(g.abs().sum() > 0) for g in gradients)


# -- algorithms

QUICK = OfflineConfig(updates=3, batch=6, scenes=1)


QUANTILES = [(name, head) for name in ("dqn", "double-dqn") for head in ("quantile", "implicit")]


@pytest.mark.parametrize(
    ("name", "head"), [*((name, "scalar") for name in OFFLINE_ALGORITHMS), *QUANTILES]
)
def test_an_algorithm_continues_as_if_it_had_not_been_stopped(
    name: str, head: str, log: Log, tmp_path: Path
) -> None:
    settings = replace(QUICK, head=head)

    class Stop(Exception):
        pass

    def stop(trainer: OfflineTrainer) -> None:
        if trainer.updates == 2:
            trainer.save()
            raise Stop

    whole = OfflineTrainer(name, log, settings, tmp_path / "whole")
    weights = whole.run()
    with pytest.raises(Stop):
        OfflineTrainer(name, log, settings, tmp_path / "parts").run(stop)
    parts = OfflineTrainer(name, log, settings, tmp_path / "parts")
    assert parts.updates == 2
    assert parts.run().read_bytes() == weights.read_bytes()
    assert parts.losses == whole.losses and all(np.isfinite(whole.losses))
    policy = load_policy(weights, "cpu")
    assert policy.config.head == head
    assert policy.decide(ONE).action.primitive in NETWORK.names


@pytest.mark.parametrize(("name", "head"), QUANTILES)
def test_quantiles_of_what_failed_in_a_log_come_down(name: str, head: str, log: Log) -> None:
    """Below those of what worked; before any update all have a mean of 0.5."""
    network = NetworkConfig.of_repertoire(head=head)
    settings = replace(QUICK, updates=120, head=head, rate=2e-3)
    algorithm = algorithms.get(name)(log, network, settings)
    for _ in range(settings.updates):
        algorithm.update()
    policy = NetworkPolicy(algorithm.network, CPU)

    def expected(transition: Transition) -> Distribution:
        (found,) = policy.distributions(transition.before, [transition.action])
        assert found is not None
        return found

    good, bad = expected(GOOD[2]), expected(BAD[0])
    assert float(bad.mean) < 0.4 and float(good.mean) > float(bad.mean) + 0.1


def probability(log: Log, name: str, index: int, updates: int = 25) -> float:
    """ln π of an action of the log after a little cloning, less that of an untrained network."""
    config = OfflineConfig(updates=updates, scenes=1, rate=2e-3)
    algorithm = algorithms.get(name)(log, NETWORK, config)
    each = log.experiences[index]

    def now() -> float:
        with torch.no_grad():
            values = scene_values(algorithm.network, each, each.before(log.workspace))
        return float(values.log_probability(config.temperature))

    begun = now()
    for _ in range(updates):
        algorithm.update()
    return now() - begun


def test_cloning_makes_what_was_done_likely(tmp_path: Path) -> None:
    log = read_log(write(tmp_path / "a.mcap", GOOD[2:]), NETWORK)
    assert probability(log, "bc", 0) > 0.3


def test_filtered_cloning_leaves_out_what_failed(log: Log, tmp_path: Path) -> None:
    algorithm = algorithms.get("filtered-bc")(log, NETWORK, QUICK)
    assert list(algorithm.cloned()) == [0, 1, 2]  # type: ignore[attr-defined]
    hopeless = read_log(write(tmp_path / "a.mcap", BAD), NETWORK)
    with pytest.raises(VpgError, match=r"no action of the 4 .* led to a pick"):
        algorithms.get("filtered-bc")(hopeless, NETWORK, QUICK)


def test_pushes_are_learned_from_once_picks_have_been(log: Log) -> None:
    settings = replace(QUICK, updates=4, picks_first=0.5)
    learner = LogLearner(log, NETWORK, settings)
    assert all(each.primitive == "grasp" for each in held(learner)) and len(held(learner)) == 6
    for _ in range(3):
        learner.update()
    assert sorted(each.primitive for each in held(learner)) == ["grasp"] * 6 + ["push"]
    resumed = LogLearner(log, NETWORK, settings)
    resumed.restore(learner.state())
    assert [id(each) for each in held(resumed)] == [id(each) for each in held(learner)]
    assert len(held(LogLearner(log, NETWORK, replace(settings, picks_first=0.0)))) == 7


def test_an_accident_in_a_log_costs_what_it_is_told_to(tmp_path: Path) -> None:
    broke = replace(GOOD[1], outcome=replace(GOOD[1].outcome, accidents=1))
    log = read_log(write(tmp_path / "a.mcap", (GOOD[0], broke, GOOD[2], *BAD)), NETWORK)

    def returns(cost: float) -> dict[float, int]:
        settings = replace(QUICK, accident_cost=cost, picks_first=0.5)
        learner = LogLearner(log, NETWORK, settings)
        means = [round(learner.targets.of(i).mean, 3) for i in range(len(learner.replay))]
        return {mean: means.count(mean) for mean in means}

    assert returns(0.0) == {1.0: 2, 0.0: 4}
    assert returns(0.25) == {1.0: 1, 0.0: 1, 0.2: 4}  # fractions of the way from −0.25 to 1


def test_places_are_valued_by_picks_until_pushes_are(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []

    def look(critic: PlaceCritic, drawn: Sequence[Experience], *_: object) -> float:
        seen.append({each.primitive for each in drawn})
        return 0.0

    monkeypatch.setattr(PlaceCritic, "update", look)
    settings = replace(QUICK, updates=4, batch=32, picks_first=0.5)
    algorithm = algorithms.get("iql")(log, NETWORK, settings)
    for _ in range(4):
        algorithm.update()
    assert seen == [{"grasp"}] * 3 + [{"grasp", "push"}], "the critic knows pushes after the third"


def test_an_actor_expects_nothing_of_pushes_until_they_are_valued(log: Log) -> None:
    algorithm = algorithms.get("awac")(log, NETWORK, replace(QUICK, updates=4, picks_first=0.5))

    def expected(push_value: float) -> float:
        """What a place is worth with every push valued so."""
        head = algorithm.critic._average.part("push").head  # type: ignore[attr-defined]
        with torch.no_grad():
            for parameter in head.parameters():
                if parameter.dim() == 1:
                    parameter[list(NETWORK.channels("push"))] = push_value
        return float(algorithm.place_value(PAIR, 110, 100, 0.15))  # type: ignore[attr-defined]

    assert expected(9.0) == expected(-9.0)
    for _ in range(3):
        algorithm.update()
    assert expected(9.0) > expected(-9.0) + 0.1


def test_conservatism_leaves_pushes_alone_until_they_are_valued(log: Log) -> None:
    def pushes(conservatism: float, picks_first: float) -> torch.Tensor:
        """The weights that only values of pushes are made with."""
        config = replace(QUICK, conservatism=conservatism, picks_first=picks_first)
        algorithm = algorithms.get("cql")(log, NETWORK, config)
        algorithm.update()
        found = [p for p in algorithm.network.parameters() if len(p) == NETWORK.outputs]
        return torch.cat([p.detach()[NETWORK.channels("push")].flatten() for p in found])

    torch.testing.assert_close(pushes(5.0, 0.9), pushes(0.0, 0.9), rtol=0, atol=0)
    assert not torch.equal(pushes(5.0, 0.0), pushes(0.0, 0.0))


def held(learner: LogLearner) -> list[Experience]:
    return [learner.replay[i] for i in range(len(learner.replay))]


def test_a_place_is_worth_what_was_done_within_reach(log: Log) -> None:
    """Grasps of a single block in the middle succeed, those of a pair in a corner fail."""
    near = replace(log.experiences[2], column=150)
    far = replace(near, row=40, column=50)
    both = scene((111, 150), (40, 40), (40, 61))
    height = both.height.astype(np.float16)
    good, bad = (replace(each, height=height) for each in (near, far))
    critic = PlaceCritic(NETWORK, log.workspace, 0.1, rate=4e-3, seed=0)
    for _ in range(60):
        critic.update([good, bad] * 4, torch.tensor([1.0, 0.0] * 4), expectile=0.5)
    assert critic.value(both, 111, 150) > 0.7 > 0.3 > critic.value(both, 40, 50)
    assert critic.value(both, 200, 200) == 0.0  # nothing stands there


def test_an_expectile_is_of_the_better_actions_where_it_is_high(log: Log) -> None:
    """At one place an action is worth 1 and another one nothing."""
    each = log.experiences[2]

    def value(expectile: float) -> float:
        critic = PlaceCritic(NETWORK, log.workspace, 0.05, rate=1e-2, seed=0)
        for _ in range(40):
            critic.update([each] * 4, torch.tensor([1.0, 0.0] * 2), expectile)
        return critic.value(each.before(log.workspace), each.row, each.column)

    assert value(0.9) > 0.7 > 0.3 > value(0.1)


def with_push(log: Log, name: str) -> tuple[LogLearner, int, Algorithm]:
    """An algorithm, its learner of values, which knows pushes, and where the push is in there."""
    algorithm = algorithms.get(name)(log, NETWORK, replace(QUICK, picks_first=0.0))
    learner = algorithm.critic if hasattr(algorithm, "critic") else algorithm._learner  # type: ignore[attr-defined]
    (push,) = (i for i, each in enumerate(held(learner)) if each.primitive == "push")
    return learner, push, algorithm


def test_two_networks_choose_and_value_where_the_algorithm_is_double(log: Log) -> None:
    """The learning weights prefer what the averaged ones value least."""

    def target(name: str) -> float:
        learner, push, _ = with_push(log, name)
        for member in learner._network.members:
            for parameter in member.head.parameters():
                parameter.data.neg_()
        return learner.targets.of(push).mean

    assert target("double-dqn") == target("cql") < target("dqn") - 1e-3


@pytest.mark.parametrize("name", ["iql", "awac"])
def test_what_a_push_leaves_is_worth_what_the_algorithm_makes_of_the_place(
    log: Log, name: str
) -> None:
    """No maximum over actions."""
    learner, push, algorithm = with_push(log, name)
    each = learner.replay[push]
    worth = algorithm.place_value(each.after(log.workspace), each.row, each.column, 0.15)  # type: ignore[attr-defined]
    greedy, other, _ = with_push(log, "dqn")
    assert learner.targets.of(push).mean == pytest.approx(QUICK.gamma * worth, rel=1e-4)
    assert abs(greedy.targets.of(other).mean - QUICK.gamma * worth) > 1e-3


@pytest.mark.parametrize("name", ["iql", "awac"])
def test_what_carries_things_far_is_worth_what_lies_far_away(tmp_path: Path, name: str) -> None:
    """Of a push and of a stack in the same place all that is left is a block 0.18 m away."""
    both, left = scene((110, 100), (40, 40)), scene((40, 40))
    steps = [
        step(0, each, (110, 100, 0), both, left, success=True, episode=each)
        for each in ("push", "stack")
    ]
    config = replace(QUICK, primitives=("grasp", "push", "stack"), picks_first=0.0)
    log = read_log(write(tmp_path / "a.mcap", steps), config.network)
    algorithm = algorithms.get(name)(log, config.network, config)
    targets = algorithm.critic.targets  # type: ignore[attr-defined]
    assert targets.of(0).mean == 0.0 < 0.1 < targets.of(1).mean
    assert math.isfinite(algorithm.update())


@pytest.mark.parametrize("name", ["iql", "awac"])
def test_an_actor_does_what_is_better_than_its_place(
    log: Log, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Actions that picked are worth 1, others nothing, and every place a quarter."""
    seen: dict[bool, float] = {}

    def look(actor: Actor, indices: Sequence[int], weights: Sequence[float]) -> float:
        seen.update({log.successes[i]: each for i, each in zip(indices, weights, strict=True)})
        return 0.0

    def values(self: Algorithm, indices: Sequence[int]) -> torch.Tensor:
        return torch.tensor([float(log.successes[i]) for i in indices])

    kind = algorithms.get(name)
    monkeypatch.setattr(Actor, "update", look)
    monkeypatch.setattr(kind, "values", values)
    monkeypatch.setattr(kind, "place_value", lambda *_: 0.25)
    kind(log, NETWORK, replace(QUICK, scenes=20, sharpness=2.0)).update()
    assert seen == {True: pytest.approx(math.exp(1.5)), False: pytest.approx(math.exp(-0.5))}


def test_conservatism_lowers_what_was_not_done(log: Log) -> None:
    """The soft maximum over all actions comes down towards the values of those in the log."""

    def gap(conservatism: float) -> float:
        config = OfflineConfig(updates=9, scenes=1, batch=4, conservatism=conservatism)
        algorithm = algorithms.get("cql")(log, NETWORK, config)
        for _ in range(9):
            algorithm.update()
        each = log.experiences[2]
        with torch.no_grad():
            found = scene_values(algorithm.network, each, each.before(log.workspace))
        return float(found.soft_maximum(0.05) - found.at_action)

    assert gap(5.0) < gap(0.0) - 0.02


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("filtered-bc", {"gamma": 0.5, "push_reward": 0.1, "augment": False, "picks_first": 0.0}),
        ("dqn", {"conservatism": 0.2}),
    ],
)
def test_what_an_algorithm_does_not_heed_makes_no_difference(
    log: Log, name: str, changes: dict[str, object]
) -> None:
    settings = (QUICK, replace(QUICK, **changes))  # type: ignore[arg-type]
    plain, changed = (algorithms.get(name)(log, NETWORK, each) for each in settings)
    assert not {*changes} & {*plain.heeds}
    assert [plain.update() for _ in range(2)] == [changed.update() for _ in range(2)]


def test_variants_are_trained_of_algorithms_that_they_concern() -> None:
    variants = ("plain", "few-pushes", "short-sighted", "less-conservative", "cautious")
    matrix = Matrix(("random",), (9,), ("bc", "dqn", "cql", "iql"), variants, (0,))
    found = [(cell.algorithm, cell.variant) for cell in matrix.cells()]
    of_data = [(name, variant) for name in matrix.algorithms for variant in variants[:2]]
    of_values = [(name, "short-sighted") for name in ("dqn", "cql", "iql")]
    others = [("cql", "less-conservative"), ("dqn", "cautious"), ("cql", "cautious")]
    assert sorted(found) == sorted([*of_data, *of_values, *others])
    assert len(found) + len(matrix.skipped()) == 20


def test_a_pick_is_worth_more_than_a_push_before_it_in_every_variant() -> None:
    for variant in VARIANTS.values():
        config = variant.config(1, 0)
        assert config.push_reward + config.gamma < 1


def test_unknown_algorithms_and_bad_settings_are_refused(log: Log, tmp_path: Path) -> None:
    with pytest.raises(VpgError, match="algorithm is 'sac'; it must be one of awac, bc"):
        OfflineTrainer("sac", log, QUICK, tmp_path)
    with pytest.raises(VpgError, match=r"expectile is 1.5; it must be in \(0, 1\)"):
        OfflineConfig(expectile=1.5)
    with pytest.raises(VpgError, match=r"head is 'categorical', of which bc learns nothing.*cql"):
        OfflineTrainer("bc", log, replace(QUICK, head="categorical"), tmp_path)
    with pytest.raises(VpgError, match=r"accident_cost is 0\.5, of which iql learns nothing"):
        OfflineTrainer("iql", log, replace(QUICK, accident_cost=0.5), tmp_path)
    with pytest.raises(VpgError, match=r"accident_cost is -1; it must be in \[0, 1000\]"):
        OfflineConfig(accident_cost=-1)
    with pytest.raises(VpgError, match=r"push_reward is 1e\+308; it must be in \[0, 1\]"):
        OfflineConfig(push_reward=1e308)
    with pytest.raises(VpgError, match="variants is cautious; of awac it must be one that changes"):
        Matrix(algorithms=("awac",), variants=("cautious",))
    OfflineTrainer("dqn", log, QUICK, tmp_path).save()
    with pytest.raises(VpgError, match=r"gamma 0\.8 there and 0\.5 here") as error:
        OfflineTrainer("dqn", log, replace(QUICK, gamma=0.5), tmp_path)
    assert error.value.code is ErrorCode.STORE_MISMATCH


@pytest.mark.parametrize(
    ("name", "value"),
    [("sharpness", math.inf), ("conservatism", math.inf)]
    + [("temperature", value) for value in (1e-30, 0.0, math.inf, math.nan)],
)
def test_settings_of_a_training_are_finite(name: str, value: float) -> None:
    with pytest.raises(VpgError, match=f"{name} is {value}; it must be"):
        OfflineConfig(**{name: value})  # type: ignore[arg-type]


def test_the_largest_weight_is_reached_however_sharp(log: Log) -> None:
    """With this seed picks are valued above their places from the first update on."""
    found = algorithms.get("iql")(log, NETWORK, replace(QUICK, sharpness=1e6, seed=1))
    assert 0 < found.update() < math.inf


def test_a_loss_that_is_no_number_ends_the_training_before_it_is_saved(
    log: Log, tmp_path: Path
) -> None:
    with pytest.raises(VpgError, match="the loss is nan after 2 updates") as error:
        OfflineTrainer("dqn", log, replace(QUICK, rate=1e30), tmp_path).run()
    assert error.value.code is ErrorCode.LEARNING_DIVERGED
    assert [each.name for each in tmp_path.iterdir()] == [".lock"]


def test_a_finished_training_writes_its_weights_again(log: Log, tmp_path: Path) -> None:
    weights = OfflineTrainer("bc", log, QUICK, tmp_path).run()
    before = weights.read_bytes()
    weights.unlink()
    assert OfflineTrainer("bc", log, QUICK, tmp_path).run().read_bytes() == before


def test_weights_of_another_training_are_not_overwritten(log: Log, tmp_path: Path) -> None:
    """Those of the same one are: a kill may come between them and the first state."""
    OfflineTrainer("bc", log, QUICK, tmp_path).save()
    (tmp_path / "state.pt").unlink()
    weights = tmp_path / "weights.safetensors"
    before = weights.read_bytes()
    others = (("dqn", log, QUICK), ("bc", with_other_maps(log), QUICK))
    for name, data, config in (*others, ("bc", log, replace(QUICK, seed=1))):
        with pytest.raises(VpgError, match=r"weights\.safetensors is of another") as error:
            OfflineTrainer(name, data, config, tmp_path)
        assert error.value.code is ErrorCode.STORE_MISMATCH and weights.read_bytes() == before
    weights.write_bytes(Path(resource(SHIPPED_WEIGHTS)).read_bytes())
    with pytest.raises(VpgError, match="is of another training"):
        OfflineTrainer("bc", log, QUICK, tmp_path)
    weights.write_bytes(before)
    OfflineTrainer("bc", log, QUICK, tmp_path).save()


def test_a_damaged_state_is_named_without_advice_of_pytorch(log: Log, tmp_path: Path) -> None:
    OfflineTrainer("bc", log, QUICK, tmp_path).save()
    state = tmp_path / "state.pt"
    for damage in (b"<html>", bytes(2000), state.read_bytes()[:-500], b""):
        state.write_bytes(damage)
        with pytest.raises(VpgError, match=r"state\.pt is damaged") as error:
            OfflineTrainer("bc", log, QUICK, tmp_path)
        assert error.value.code is ErrorCode.STORE_UNREADABLE
        assert "weights_only" not in error.value.message and "\n" not in error.value.message


def test_one_process_trains_in_a_folder_at_a_time(log: Log, tmp_path: Path) -> None:
    trainer = OfflineTrainer("bc", log, QUICK, tmp_path)
    with alone(tmp_path), pytest.raises(VpgError, match="is in use by another process") as error:
        trainer.run()
    assert error.value.code is ErrorCode.STORE_MISMATCH and trainer.updates == 0


def with_other_maps(log: Log) -> Log:
    """The same actions with the same rewards, on a table that has one block more."""
    changed = [each.height.copy() for each in log.experiences]
    for height in changed:
        height[20:40, 20:40] = 0.04
    pairs = zip(log.experiences, changed, strict=True)
    return replace(log, experiences=tuple(replace(each, height=height) for each, height in pairs))


def test_a_training_does_not_go_on_with_other_maps(log: Log, tmp_path: Path) -> None:
    OfflineTrainer("bc", log, QUICK, tmp_path).save()
    with pytest.raises(VpgError, match=r"data '.*' there and '.*' here") as error:
        OfflineTrainer("bc", with_other_maps(log), QUICK, tmp_path)
    assert error.value.code is ErrorCode.STORE_MISMATCH


def test_a_training_of_an_earlier_version_goes_on(log: Log, tmp_path: Path) -> None:
    """Its settings name the data by the actions alone."""
    OfflineTrainer("bc", log, QUICK, tmp_path).save()
    state = load_state(tmp_path / "state.pt")
    settings = json.loads(state["settings"]) | {"data": "67dda8b5c06e"}
    save_state(tmp_path / "state.pt", {**state, "settings": json.dumps(settings)})
    OfflineTrainer("bc", log, QUICK, tmp_path).save()
    assert json.loads(load_state(tmp_path / "state.pt")["settings"])["data"] != "67dda8b5c06e"


def test_iql_of_an_earlier_version_goes_on(log: Log) -> None:
    """It knew one reach alone."""
    trained, again, fresh = (algorithms.get("iql")(log, NETWORK, QUICK) for _ in range(3))
    for _ in range(2):
        trained.update()
    state = trained.state()
    (state["places"],) = state["places"]
    again.restore(state)
    place = (ONE, 110, 110, 0.15)
    values = [each.place_value(*place) for each in (trained, again, fresh)]  # type: ignore[attr-defined]
    assert values[0] == values[1] != values[2]


# -- estimates


def test_importance_sampling_of_the_policy_itself_is_the_mean_return() -> None:
    rewards = [np.array([0.0, 1.0]), np.array([1.0, 0.0, 1.0])]
    same = [np.ones(2), np.ones(3)]
    weights, earned = trajectories(same, rewards, 0.5)
    assert per_decision(weights, earned) == pytest.approx((0.5 + 1.25) / 2)
    assert effective_samples(weights[:, -1]) == pytest.approx(2)


@pytest.mark.parametrize("chance", [0.0, math.nan])
def test_importance_sampling_takes_known_probabilities(log: Log, chance: float) -> None:
    network, _ = load(resource(SHIPPED_WEIGHTS))
    unknown = replace(log, probabilities=(chance, *log.probabilities[1:]))
    with pytest.raises(VpgError, match="the probability of 1 of 7 actions is not known"):
        importance_sampling(unknown, Boltzmann(network), 0.8, seed=0)


def test_importance_sampling_follows_the_policy_evaluated() -> None:
    """Two arms drawn alike, of which the second one pays; the policy takes it 9 times in 10."""
    rng = np.random.default_rng(0)
    arms = rng.integers(0, 2, 4000)
    ratios = [np.array([0.9 if arm else 0.1]) / 0.5 for arm in arms]
    rewards = [np.array([float(arm)]) for arm in arms]
    weights, earned = trajectories(ratios, rewards, 0.9)
    for weighted in (True, False):
        assert per_decision(weights, earned, weighted) == pytest.approx(0.9, abs=0.03)
    assert effective_samples(weights[:, -1]) < 4000


def test_an_action_weighs_as_much_as_it_is_likelier_than_in_the_log(tmp_path: Path) -> None:
    """Two episodes of the same pick, which who acted took half and a quarter of the times."""
    place, chances = (111, 111, 4), {"one": 0.5, "two": 0.25}
    picks = [step(0, "grasp", place, ONE, EMPTY, True, *each) for each in chances.items()]
    log = read_log(write(tmp_path / "a.mcap", picks), NETWORK)
    policy = Boltzmann(load(resource(SHIPPED_WEIGHTS))[0], temperature=0.2)
    # As the log has it, in half the digits, which a network in float32 tells apart.
    found = policy.maps(log.experiences[0].before(log.workspace))
    row, column, rotation = place
    cell = (rotation, *pixel_to_cell(row, column, found.cell))
    likely = float(np.exp(log_probabilities(found, 0.2)["grasp"][cell]))
    estimate = importance_sampling(log, policy, 0.9, seed=0, weighted=False)
    assert estimate.value == pytest.approx((likely / 0.5 + likely / 0.25) / 2)


def test_importance_sampling_takes_whole_episodes_of_who_might_have_done_otherwise(
    tmp_path: Path,
) -> None:
    certain = [replace(each, episode="sure") for each in GOOD]
    certain[1] = step(1, "grasp", (110, 91, 0), APART, ONE, True, "sure", probability=1.0)
    parts = [replace(each, episode="gap") for each in (GOOD[0], GOOD[2])]
    tail = [replace(each, episode="tail") for each in GOOD[1:]]
    cut = BAD[:2]  # the log ends before the episode does
    store = write(tmp_path / "a.mcap", (*GOOD, *certain, *parts, *tail, *cut))
    mixed = read_log(store, NETWORK)
    assert [mixed.episodes[run.start] for run in mixed.whole_episodes()] == ["one", "sure"]
    policy = Boltzmann(load(resource(SHIPPED_WEIGHTS))[0])
    estimate = importance_sampling(mixed, policy, 0.5, seed=0)
    assert estimate.samples == 1
    assert estimate.value == pytest.approx(0.5 + 0.25)  # the return of that one episode
    assert (estimate.low, estimate.high) == (0.0, 2.0)  # which says nothing of any other
    sure = read_log(write(tmp_path / "b.mcap", certain), NETWORK)
    with pytest.raises(VpgError, match="might have acted otherwise") as error:
        importance_sampling(sure, policy, 0.5, seed=0)
    assert error.value.code is ErrorCode.STORE_MISMATCH


def test_fitted_q_evaluation_stays_within_what_can_be_earned(log: Log) -> None:
    network, _ = load(resource(SHIPPED_WEIGHTS))
    config = OfflineConfig(updates=2, batch=4)
    estimate = fitted_q_evaluation(log, Boltzmann(network), config)
    assert estimate.samples == 2
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1 / (1 - config.gamma)


@pytest.mark.parametrize(("success", "least", "most"), [(True, 3.4, 5.0), (False, 0.0, 1.4)])
def test_fitted_q_evaluation_looks_to_the_end(
    tmp_path: Path, success: bool, least: float, most: float
) -> None:
    """A table on which every action earns, or none does, for ever: 1 / (1 − γ) = 5, or 0.

    One look ahead from a first guess of 2.5 would come to 3 or 2.
    """
    places = ((111, 111, 4), (101, 101, 0), (119, 111, 4))
    steps = [step(i, "grasp", place, success=success) for i, place in enumerate(places)]
    forever = [replace(each, reward=float(success)) for each in steps]
    network, _ = load(resource(SHIPPED_WEIGHTS))
    config = OfflineConfig(updates=160, batch=8)
    known = read_log(write(tmp_path / "a.mcap", forever), NETWORK)
    estimate = fitted_q_evaluation(known, Boltzmann(network), config)
    assert least < estimate.value < most


def test_all_policies_are_ranked_on_the_same_tables(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[Heightmap] = []

    def look(source: Source, gamma: float, episodes: int, seed: int) -> Estimate:
        first.append(next(iter(source.episode(0, 0))).before)
        return Estimate(0.0, 0.0, 0.0, 1, 1.0)

    monkeypatch.setattr(estimates, "fitted_q_evaluation", lambda *_: look)
    monkeypatch.setattr(estimates, "asdict", lambda each: {})
    monkeypatch.setattr(estimates, "true_return", look)
    for seed in (0, 1):
        config = OfflineConfig(seed=seed)
        estimates.estimates(log, resource(SHIPPED_WEIGHTS), config, "ortho", 1)
    np.testing.assert_array_equal(first[0].height, first[1].height)


def test_ranks_are_compared() -> None:
    assert ranking([1.0, 2.0, 3.0], [0.1, 0.2, 0.9]).spearman == pytest.approx(1)
    worst = ranking([3.0, 2.0, 1.0], [0.1, 0.2, 0.9])
    assert worst.spearman == pytest.approx(-1) and worst.regret == pytest.approx(0.8)
    with pytest.raises(VpgError, match="at least two"):
        ranking([1.0], [1.0])


def test_an_interval_holds_the_mean_and_narrows() -> None:
    values = np.random.default_rng(0).normal(3.0, 1.0, 400)
    few, many = (bootstrap_mean(values[:count], 0) for count in (25, 400))
    assert many.low < values.mean() < many.high
    assert many.high - many.low < 0.5 * (few.high - few.low)


# -- synergy


COMPLETED = Run("a", 0, 3, 3, 0, 5, 5, 3, 1.0)


def test_synergy_is_what_pushes_add() -> None:
    def runs(picked: Sequence[int]) -> list[Run]:
        return [replace(COMPLETED, seed=i, picked=each) for i, each in enumerate(picked)]

    found = synergy(runs([3] * 9 + [1]), runs([3] * 2 + [1] * 8))
    assert found.difference == pytest.approx(0.7) and found.p_value < 0.05


def content(cell: Cell, gains: int = 10) -> dict[str, object]:
    """Of a training that completes ten tables, ``gains`` of them with pushes alone."""
    free = [replace(COMPLETED, seed=i) for i in range(10)]
    picks = [replace(each, picked=0 if i < gains else 3) for i, each in enumerate(free)]
    shares = dict.fromkeys(("completion", "grasp_success", "action_efficiency"), 1.0)
    return {
        **asdict(cell),
        **dict.fromkeys(("random", "challenging"), shares),
        **dict.fromkeys(("behaviour_grasp_success", "training_seconds"), 0.5),
        "credit": mean_credit([]),
        "runs": {"all": [asdict(r) for r in free], "picks": [asdict(r) for r in picks]},
    }


def test_evidence_of_synergy_counts_trainings_not_tables() -> None:
    """Two trainings of ten tables: 9 and 1 of them gain, where pooled tables would be sure."""

    def found(*gains: int) -> dict[str, float]:
        cells = (Cell("random", 12, "dqn", "plain", seed) for seed in range(len(gains)))
        (row,) = results.summary([content(*each) for each in zip(cells, gains, strict=True)])
        evidence: dict[str, float] = row["synergy"]
        return evidence

    assert found(9, 1)["p_value"] == pytest.approx(0.430, abs=1e-3)
    assert found(9, 1)["mcnemar_p"] is None and found(9, 1)["runs"] == 20
    assert (found(9, 1)["completion"], found(9, 1)["picks_only"]) == (1.0, 0.5)
    assert found(9)["p_value"] is None and found(9)["mcnemar_p"] == pytest.approx(2 / 512)
    assert found(0, 0)["p_value"] is None and found(9, 9)["p_value"] is None


def test_credit_is_given_for_the_push_that_a_pick_followed() -> None:
    policy = load_policy(resource(SHIPPED_WEIGHTS), "cpu")
    useless = step(0, "push", (110, 80, 0), ONE, ONE, episode="three")
    credit, other = credits([GOOD, BAD, (useless, step(1, "grasp", (101, 101, 0)))], policy)
    assert credit.opened and not other.opened
    assert mean_credit([credit, other])["other_push"] == other.push
    before = policy.maps(GOOD[0].before)
    assert credit.push == before.values["push"][0, 55, 40]
    assert (credit.pick_before, credit.pick_after) == best_picks(policy, GOOD[0])


def best_picks(policy: NetworkPolicy, push: Transition) -> tuple[float, float]:
    """The highest values of grasps at most 0.15 m from a push, before and after it."""
    rows, columns = np.mgrid[0 : SHAPE[0] : 2, 0 : SHAPE[1] : 2] + 1
    off = np.hypot(rows - push.action.row, columns - push.action.column) * 0.002
    looked = [policy.maps(each) for each in (push.before, push.after)]
    before, after = (m.values["grasp"][m.admissible["grasp"] & (off <= 0.15)] for m in looked)
    return float(before.max()), float(after.max())


def test_credit_is_of_what_lies_within_reach_of_a_push() -> None:
    """Beside the pair there is a block that can be grasped before and after, 0.2 m away."""
    policy = load_policy(resource(SHIPPED_WEIGHTS), "cpu")
    before, after = scene((40, 100), (40, 121), (140, 110)), scene((40, 90), (40, 131), (140, 110))
    push = step(0, "push", (40, 80, 0), before, after, success=True)
    near = step(1, "grasp", (40, 91, 0), after, scene((40, 131), (140, 110)), success=True)
    far = step(1, "grasp", (141, 111, 0), after, scene((40, 90), (40, 131)), success=True)
    (credit,) = credits([(push, near), (push, far)], policy)
    assert (credit.pick_before, credit.pick_after) == best_picks(policy, push)
    whole = policy.maps(before)
    assert credit.pick_before < whole.values["grasp"][whole.admissible["grasp"]].max()


@pytest.mark.parametrize(
    ("name", "known"), [("bc", False), ("filtered-bc", False), ("iql", True), ("awac", True)]
)
def test_credit_is_of_values_not_of_what_is_likely(log: Log, name: str, known: bool) -> None:
    algorithm = algorithms.get(name)(log, NETWORK, QUICK)
    assert (algorithm.valuing is not None) is known
    assert algorithm.valuing is not algorithm.network
    cell = content(Cell("random", 7, name, "plain", 0))
    (row,) = results.summary([cell | {"credit": mean_credit([]) if known else None}])
    assert ("credit" in row) is known


# -- commands


def test_the_commands_show_and_train(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, figures = str(store), tmp_path / "figures.json"
    assert main(["dataset", "info", data]) == 0
    assert "by unknown" in capsys.readouterr().out
    train = ["train-offline", "--dataset", data, "--algorithm", "dqn", "--updates", "2"]
    out = ["--out", str(tmp_path / "offline"), "--json", str(figures)]
    assert main([*train, *out]) == 0
    assert json.loads(figures.read_text())["transitions"] == 7
    assert load_policy(tmp_path / "offline" / "weights.safetensors", "cpu").checkpoint
    missing = str(tmp_path / "missing")
    assert main(["train", "--out", str(tmp_path / "on"), "--init", missing]) == 1
    assert missing in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--out", "--json"])
@pytest.mark.parametrize("place", ["/proc/x", "{}/file/x", "{}/file", "{}/" + "x" * 300])
def test_what_could_not_be_written_is_refused_before_the_log_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, place: str
) -> None:
    """A file is no folder to write to, and a folder no file."""
    in_the_way = tmp_path / "file"
    if (option, place) == ("--json", "{}/file"):
        in_the_way.mkdir()
    else:
        in_the_way.touch()
    command = ["train-offline", "--dataset", str(tmp_path / "none"), "--algorithm", "bc"]
    wanted = {"--out": str(tmp_path / "out"), option: place.format(tmp_path)}
    assert main([*command, *(word for pair in wanted.items() for word in pair)]) == 1
    said = capsys.readouterr().err
    assert place.format(tmp_path) in said and "cannot be" in said and "[error 900]" in said


def test_figures_are_of_what_was_learned_from(store: Path, tmp_path: Path) -> None:
    """With half of it pushes, of seven actions of which one is a push two are left."""
    command = ["train-offline", "--dataset", str(store), "--algorithm", "bc", "--updates", "1"]
    figures = tmp_path / "figures.json"
    command += ["--push-share", "0.5", "--out", str(tmp_path / "out"), "--json", str(figures)]
    assert main(command) == 0
    found = json.loads(figures.read_text())
    assert found["transitions"] == 2 and found["behaviour_grasp_success"] in (0.0, 1.0)


def test_a_training_begins_with_given_weights(log: Log, tmp_path: Path) -> None:
    weights = OfflineTrainer("dqn", log, replace(QUICK, updates=1), tmp_path / "offline").run()
    begun = Trainer(TrainingConfig(), tmp_path / "on", init=weights)
    expected, _ = load(weights)
    for name, value in begun.learner.network.state_dict().items():
        torch.testing.assert_close(value, expected.state_dict()[name])
    begun.save()
    with pytest.raises(VpgError, match=r"init .* there and not named here"):
        Trainer(TrainingConfig(), tmp_path / "on")
    with pytest.raises(VpgError, match=r"weights of .* this training has") as error:
        Trainer(TrainingConfig(trunks="separate"), tmp_path / "other", init=weights)
    assert error.value.code is ErrorCode.CHECKPOINT_MISMATCH


@pytest.mark.parametrize("name", OFFLINE_ALGORITHMS)
def test_a_training_goes_on_with_values_alone(
    log: Log, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """What imitates has none."""
    trainer = OfflineTrainer(name, log, QUICK, tmp_path)
    trainer.save()
    weights = tmp_path / "weights.safetensors"
    if trainer.algorithm.valuing is trainer.algorithm.network:
        Trainer(TrainingConfig(), tmp_path / "on", init=weights)
        OnlineLearning(OnlineConfig(), tmp_path / "on", DEFAULT_WORKSPACE, weights)
        return
    begin = ["train", "--out", str(tmp_path / "on"), "--actions", "1", "--init", str(weights)]
    assert main(begin) == 1
    sentence = f"learned by {name}, whose outputs are no values"
    assert sentence in (said := capsys.readouterr().err) and "cql, double-dqn, dqn" in said
    with pytest.raises(VpgError, match=sentence) as error:
        OnlineLearning(OnlineConfig(), tmp_path / "on", DEFAULT_WORKSPACE, weights)
    assert error.value.code is ErrorCode.CHECKPOINT_MISMATCH


def test_the_experiment_makes_trains_and_plays_what_is_missing(
    tmp_path: Path, short_episodes: None
) -> None:
    tiny = Matrix(
        *(("random",), (6,), ("dqn",), ("cautious",), (0,)),
        updates=1,
        scenes="challenging-06",
        runs=1,
        random_runs=1,
        estimating=0,
    )
    said: list[str] = []

    class Ear(Watch):
        def begin(self, text: str, total: int) -> None:
            said.append(text)

    online, found = experiment.run(tiny, tmp_path, Ear())
    cell = "random, 6, dqn, cautious, seed 0"
    training = [f"{cell}: training", f"{cell}: playing"]
    compared = ["the shipped weights: playing", "who acts in random: playing"]
    assert said == [*compared, "data set random", *training]
    assert online["algorithm"] == "online" and found["variant"] == "cautious"
    assert 0 <= found["random"]["completion"] <= 1
    assert [run["case"] for run in found["runs"]["all"]] == ["challenging-06"]
    chance = evaluate(Evaluation(Player("random"), "random", runs=1, camera="ortho"))
    shares = {name: each["value"] for name, each in chance["all_runs"].items()}
    assert found["behaviour"] == shares, "who acts in the data plays the same tables"
    assert experiment.run(tiny, tmp_path, Ear()) == [online, found] and len(said) == 5
    (*_, larger) = experiment.run(replace(tiny, sizes=(6, 9)), tmp_path, Ear())
    assert said[5] == "data set random" and stored(tmp_path / "data" / "random") == 9
    assert larger["size"] == 9
    with pytest.raises(VpgError, match="choose another folder") as error:
        experiment.run(replace(tiny, updates=3), tmp_path, Ear())
    assert error.value.code is ErrorCode.STORE_MISMATCH
    assert len(said) == 8, "it is refused before anything is done"


def test_a_training_that_fails_stops_no_other_and_is_tried_again(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    diverged = VpgError(ErrorCode.LEARNING_DIVERGED, "the loss is nan after 2 updates")
    failing, cameras, written = {"cql"}, set[str](), list[object]()

    def train(cell: Cell, log: Log, matrix: Matrix, *_: object) -> dict[str, object]:
        cameras.add(matrix.camera)
        if (tmp_path / "results.json").is_file():
            written.append(json.loads((tmp_path / "results.json").read_text()))
        if cell.algorithm in failing:
            raise diverged
        return content(cell)

    online = content(Cell("", 0, "online", "plain", 0))
    monkeypatch.setattr(experiment, "train_and_measure", train)
    monkeypatch.setattr(experiment, "measured", lambda *_: {**online, "dataset": None})
    monkeypatch.setattr(experiment, "behaved", lambda *_: {"random": online["random"]})
    monkeypatch.setattr(logs.Logs, "read", lambda *_: log)
    command = ["experiment", "offline", "--out", str(tmp_path), "--camera", "perspective"]
    command += ["--datasets", "random", "--sizes", "7", "--algorithms", "cql", "dqn"]
    assert main([*command, "--seeds", "0"]) == 1
    assert cameras == {"perspective"}
    assert [each["failed"][0]["algorithm"] for each in written] == ["cql"]  # type: ignore[index]
    assert (tmp_path / "results.md").read_text() in capsys.readouterr().out  # nothing is cut off
    line = "| random | 7 | cql | 0 | the loss is nan after 2 updates [error 701] |"
    assert line in (tmp_path / "results.md").read_text()
    failing.clear()
    assert main([*command, "--seeds", "0"]) == 0
    results_now = json.loads((tmp_path / "results.json").read_text())
    assert results_now["failed"] == [] and len(results_now["cells"]) == 3
    assert len(written) == 2, "what did not fail is not trained again"


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_are_none_are_refused_before_anything_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    command = ["experiment", "offline", "--quick", "--out", str(tmp_path / "out"), "--seeds"]
    assert main([*command, str(seed)]) == 1
    sentence = f"seed is {seed}; it must be >= 0 and < 2^32 [error 900]"
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_two_that_share_a_folder_make_a_cell_once(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Cell] = []

    def train(cell: Cell, *_: object) -> dict[str, object]:
        trained.append(cell)
        time.sleep(0.3)
        return content(cell)

    monkeypatch.setattr(experiment, "train_and_measure", train)
    monkeypatch.setattr(logs.Logs, "read", lambda *_: log)
    matrix = Matrix(("random",), (7,), ("dqn",), ("plain",), (0,))
    (cell,) = matrix.cells()
    found = logs.Logs(matrix, tmp_path, Watch())
    arguments = (cell, matrix, tmp_path, found)
    both = [threading.Thread(target=experiment.complete, args=arguments) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join(30.0)
    assert trained == [cell] and experiment.pending(matrix, tmp_path) == []


def test_results_are_one_file_with_tables_and_a_picture(tmp_path: Path) -> None:
    names = ("random", "challenging")
    shares = {"completion": 1.0, "grasp_success": 0.5, "action_efficiency": None}
    truths = (0.2, 0.9)
    cells = [
        {
            **asdict(Cell("random", 12, "dqn", "cautious", seed)),
            **dict.fromkeys(names, shares),
            "behaviour_grasp_success": 0.3,
            "behaviour": {**shares, "grasp_success": 0.4},
            "training_seconds": 60.0,
            "runs": {"all": [asdict(COMPLETED)], "picks": [asdict(replace(COMPLETED, picked=0))]},
            "credit": mean_credit([Credit(True, 0.5, 0.25, 0.75, 0.5)]),
            "estimates": {
                "fqe": {"value": truth, "effective": 9.0},
                "wis": None,
                "true": {"value": truth},
            },
        }
        for seed, truth in enumerate(truths)
    ]
    online = {name: cells[0][name] for name in (*names, "runs")} | {"algorithm": "online"}
    text = results.write([online, *cells], tmp_path, [("bc", "cautious"), ("iql", "cautious")])
    assert text.endswith("the variant changes nothing there: cautious (bc, iql).\n")
    name = "random | 12 | dqn, cautious"
    assert f"| {name} | 2 | 30.0 | 40.0 | 100.0 | 50.0 | 100.0 | 1.0 |" in text
    assert f"| {name} | 2 | 100.0 | 0.0 | +100.0 [+7.0, +100.0] | 2 | – | – | 50.0 | – |" in text
    assert "| – | – | online | 1 | 100.0 | 0.0 | +100.0 [-12.2, +100.0] | 1 | – | 1 |" in text
    assert f"| {name} | 1 | 0.50 | 0.50 | 0.25 | 0.75 | 0 | – |" in text
    assert "| – | – | online | 1 | – | – | – | 50.0 | 100.0 | – |" in text
    (other,) = results.summary([{**cells[0], "behaviour": None}])
    assert "behaviour" not in other, "of a training's own transitions nobody else acted"
    assert (tmp_path / "results.md").read_text() == text
    assert "| random | 12 | fqe | 2 | 9.0 | +1.00 | 0.00 |" in text and "wis" not in text
    content = json.loads((tmp_path / "results.json").read_text())
    assert [row["seeds"] for row in content["rows"]] == [1, 2] and len(content["cells"]) == 3
    assert (tmp_path / "results.png").stat().st_size > 1000
    (tmp_path / "results.png").unlink()
    (tmp_path / "results.png").mkdir()
    with pytest.raises(VpgError, match=r"results\.png cannot be written"):
        results.write([online, *cells], tmp_path)
