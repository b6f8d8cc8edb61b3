"""Evaluation: the figures and their intervals, runs, worker processes, the log, the command."""

import json
import multiprocessing
import pickle
import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.cli.main import main
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.cases import FamilyCase, find_cases
from vpg_ros.learning.env import TableEnv
from vpg_ros.learning.evaluate import Player, evaluate_run
from vpg_ros.learning.evaluation import Evaluation, evaluate
from vpg_ros.learning.figures import Run, by_original, mcnemar, over_all, summary
from vpg_ros.learning.workers import Worker, play
from vpg_ros.policy import Decision, Policy
from vpg_ros.policy.checkpoint import save
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.maps import admissible_cells
from vpg_ros.policy.network import make_network
from vpg_ros.policy.selection import TRIED_RADIUS, TRIED_ROTATIONS, without_tried
from vpg_ros.resources import resource

PLAYERS = {
    "network": Player(),
    "network, grasps only": Player(primitives=("grasp",)),
    "random": Player("random"),
    "random, pushes only": Player("random", primitives=("push",)),
    "heuristic": Player("heuristic"),
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def env() -> TableEnv:
    return TableEnv(camera="ortho")


def run(picked: int, actions: int, grasps: int, objects: int = 4, **changes: Any) -> Run:
    """A run in which every successful grasp picked one object."""
    return replace(Run("a", 0, objects, picked, 0, actions, grasps, picked, 10.0), **changes)


def test_the_network_plays_by_the_risk_asked_for(env: TableEnv, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path, table = tmp_path / "weights.safetensors", env.reset("random", 3, seed=0)
    save(path, make_network(NetworkConfig.of_repertoire(head="categorical")))

    def worth(risk: str, alpha: float) -> float:
        player = Player(checkpoint=path, risk=risk, alpha=alpha)
        return player.load().policy(0).decide(table).action.value

    assert worth("cvar", 0.1) < worth("cvar", 0.5) < worth("mean", 0.5) - 0.01


# -- figures

COMPLETED = (run(4, 4, 4), run(4, 16, 8))
FAILED = run(1, 10, 6, lost=3)


def test_the_original_takes_ratios_from_completed_runs_alone() -> None:
    figures = by_original([*COMPLETED, FAILED])
    assert figures["completion"].value == pytest.approx(2 / 3)
    assert figures["grasp_success"].value == pytest.approx((4 / 4 + 4 / 8) / 2)
    pushed = replace(run(0, 2, 0), grasp_successes=0, solved=True)
    assert by_original([*COMPLETED, pushed])["grasp_success"] == figures["grasp_success"]
    assert figures["action_efficiency"].value == pytest.approx((4 / 4 + 4 / 16) / 2)


def test_failed_runs_count_over_all() -> None:
    figures = over_all([*COMPLETED, FAILED])
    assert figures["completion"].value == pytest.approx(2 / 3)
    assert figures["grasp_success"].value == pytest.approx(9 / 18)
    assert figures["action_efficiency"].value == pytest.approx(9 / 30)


def test_a_run_that_lost_an_object_is_not_completed() -> None:
    assert run(4, 4, 4).completed
    assert not run(3, 4, 4).completed
    assert not run(3, 4, 4, lost=1).completed


def test_intervals_are_wilsons() -> None:
    """(p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n), Wilson (1927)."""
    share, n, z = 9 / 18, 18, 1.959964
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    centre, scale = share + z**2 / (2 * n), 1 + z**2 / n
    figure = over_all([*COMPLETED, FAILED])["grasp_success"]
    assert figure.low == pytest.approx((centre - half) / scale, abs=1e-6)
    assert figure.high == pytest.approx((centre + half) / scale, abs=1e-6)
    assert figure.trials == 18


def test_what_nothing_is_known_of_has_no_value() -> None:
    figures = summary([FAILED])
    assert figures["completion"]["value"] == 0.0
    for name in ("grasp_success", "action_efficiency"):
        assert figures[name] == {"value": None, "low": None, "high": None, "trials": 0}
        assert figures["all_runs"][name]["value"] > 0


@st.composite
def some_runs(draw: st.DrawFn) -> list[Run]:
    picked = st.integers(0, 5)
    runs = []
    for seed in range(draw(st.integers(1, 8))):
        count = draw(picked)
        grasps = count + draw(st.integers(0, 20))
        actions = grasps + draw(st.integers(0, 20))
        runs.append(run(count, actions, grasps, objects=5, seed=seed, case=f"case {seed % 2}"))
    return runs


@given(some_runs())
def test_every_value_lies_in_its_interval(runs: list[Run]) -> None:
    figures = summary(runs)
    for part in (figures, figures["all_runs"], *figures["cases"]):
        for name in ("completion", "grasp_success", "action_efficiency"):
            found = part[name]
            if found["value"] is not None:
                assert 0 <= found["low"] <= found["value"] + 1e-9
                assert found["value"] - 1e-9 <= found["high"] <= 1


def test_cases_are_told_apart() -> None:
    runs = [run(4, 4, 4), replace(FAILED, case="b"), run(4, 8, 4, seed=1)]
    figures = summary(runs)
    assert [(case["name"], case["runs"]) for case in figures["cases"]] == [("a", 2), ("b", 1)]
    assert [case["completion"]["value"] for case in figures["cases"]] == [1.0, 0.0]
    assert figures["cases"][0]["action_efficiency"]["value"] == pytest.approx((1 + 0.5) / 2)
    assert figures["lost"] == 3
    assert [each["completed"] for each in figures["runs"]] == [True, False, True]
    json.dumps(figures, allow_nan=False)


def test_policies_are_compared_table_by_table() -> None:
    """Of 9 tables on which they differ, one policy completes 8: p = 2 (C(9,0) + C(9,1)) / 2⁹."""
    first = [run(4 if seed != 3 else 1, 4, 4, seed=seed) for seed in range(20)]
    second = [run(4 if seed in (3, *range(9, 20)) else 1, 4, 4, seed=seed) for seed in range(30)]
    assert mcnemar(first, second) == pytest.approx(20 / 512)
    assert mcnemar(second, first) == pytest.approx(20 / 512)
    assert mcnemar(first, first) == 1.0


# -- runs


class Recorder:
    """A policy that keeps what it was asked and what it answered."""

    name, checkpoint = "recorder", ""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.asked: list[tuple[Heightmap, Sequence[Action]]] = []
        self.answered: list[Decision] = []

    def decide(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> Decision:
        self.asked.append((heightmap, list(tried)))
        self.answered.append(self._policy.decide(heightmap, tried))
        return self.answered[-1]


def recorded(env: TableEnv, player: Player, seed: int = 1) -> tuple[Recorder, Run]:
    """One run on blocks in touch, where much is tried in vain."""
    recorder = Recorder(player.load().policy(seed))
    return recorder, evaluate_run(env, recorder, FamilyCase("packed", 3), seed)


@pytest.mark.parametrize("name", PLAYERS)
def test_every_player_has_the_same_masks_and_repeats_nothing(env: TableEnv, name: str) -> None:
    player = PLAYERS[name]
    recorder, played = recorded(env, player)
    names = player.load().names
    assert played.actions == len(recorder.answered)
    for (heightmap, tried), decision in zip(recorder.asked, recorder.answered, strict=True):
        masks = admissible_cells(heightmap, names, decision.maps.cell)
        allowed = without_tried(masks, tried, heightmap, decision.maps.cell)
        assert decision.maps.admissible.keys() == decision.maps.values.keys() == allowed.keys()
        for primitive, mask in allowed.items():
            assert np.array_equal(decision.maps.admissible[primitive], mask)
        assert not any(repeats(decision.action, other) for other in tried)
    steps = zip(recorder.answered, pairwise(recorder.asked), strict=False)
    for decision, ((_, before), (_, after)) in steps:
        assert after == [each for each in (*before, decision.action) if each in after]


def repeats(action: Action, other: Action) -> bool:
    """Whether two actions are the same within what counts as the same."""
    rotations = primitives.get(action.primitive).rotations
    turn = (action.rotation - other.rotation) % rotations
    distance = 0.002 * np.hypot(action.row - other.row, action.column - other.column)
    return (
        action.primitive == other.primitive
        and min(turn, rotations - turn) <= TRIED_ROTATIONS
        and bool(distance <= TRIED_RADIUS)
    )


def test_what_was_tried_in_vain_is_passed_on(env: TableEnv) -> None:
    player = Player("random", primitives=("grasp",))
    runs = (recorded(env, player, seed)[0] for seed in range(9))
    assert any(tried for recorder in runs for _, tried in recorder.asked)


def test_a_restricted_network_values_what_it_may_as_before(env: TableEnv) -> None:
    heightmap = env.reset("random", 4, seed=0)
    whole = Player().load().policy(0).decide(heightmap).maps
    part = Player(primitives=("grasp",)).load().policy(0).decide(heightmap)
    assert part.action.primitive == "grasp"
    assert np.array_equal(part.maps.values["grasp"], whole.values["grasp"])


def test_a_run_counts_what_happened(env: TableEnv) -> None:
    played = evaluate_run(
        env, Player("heuristic").load().policy(5), FamilyCase("random", 2), seed=5
    )
    assert (played.case, played.seed, played.objects) == ("random-2", 5, 2)
    assert played.picked + played.lost <= 2
    assert played.grasp_successes <= played.grasps == played.actions
    assert (played.picked, played.lost) == (env.world.picked, env.world.lost)


def test_the_challenging_cases_have_names_and_objects_of_their_own() -> None:
    cases = find_cases("challenging")
    assert len(cases) == 11
    assert len({case.name for case in cases}) == 11
    assert find_cases(cases[3].name) == cases[3:4]
    with pytest.raises(VpgError, match="objects is 5"):
        find_cases("challenging", 5)


def test_a_folder_of_cases_is_played(env: TableEnv, tmp_path: Path) -> None:
    shutil.copy(resource("scenes/challenging/blocks/cube.obj"), tmp_path)
    for name, x in (("a", -0.50), ("b", -0.45)):
        line = f"cube.obj 0.5 0.5 0.5 {x} 0.0 0.02 0 0 0\n"
        (tmp_path / f"{name}.txt").write_text(line)
    cases = find_cases(str(tmp_path))
    assert [(case.name, case.objects) for case in cases] == [("a", 1), ("b", 1)]
    tables = [case.reset(env, seed).filled for case in cases for seed in (0, 0, 1)]
    assert np.array_equal(tables[0], tables[1])
    assert not np.array_equal(tables[0], tables[2])
    assert evaluate_run(env, Player("heuristic").load().policy(0), cases[0], 0).completed
    for case in find_cases(str(tmp_path), jitter=False):
        first, second = (case.reset(env, seed).filled for seed in (0, 1))
        assert np.array_equal(first, second), "no seed moves what stands where the case says"
    with pytest.raises(VpgError, match="jitter is False; tables of 'random' are drawn anew"):
        find_cases("random", jitter=False)


def test_the_shipped_weights_clear_a_table(env: TableEnv) -> None:
    played = evaluate_run(env, Player().load().policy(0), FamilyCase("random", 5), seed=100)
    assert played.completed
    assert played.grasp_successes >= 5


def test_weights_that_change_meanwhile_end_an_evaluation() -> None:
    with pytest.raises(VpgError, match=r"holds [0-9a-f]{12}, and held another when") as error:
        Worker(Player(), "ortho", "another")
    assert error.value.code is ErrorCode.CHECKPOINT_MISMATCH
    tasks = [(FamilyCase("random", 1), seed) for seed in range(2)]
    with pytest.raises(VpgError, match="and held another when"):
        list(play(Player(), "ortho", "another", tasks, jobs=2))


# -- whole evaluations

RANDOM = Evaluation(Player("random"), "random", objects=1, runs=3, camera="ortho")


def without_times(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures less those of the clock."""
    if isinstance(figures, dict):
        return {k: without_times(v) for k, v in figures.items() if k != "decision_ms"}
    return [without_times(each) for each in figures] if isinstance(figures, list) else figures


def test_a_killed_worker_is_told_and_the_same_evaluation_continues(tmp_path: Path) -> None:
    """In the end the runs are those of one process that was not disturbed."""
    log = tmp_path / "runs.jsonl"

    def kill(_: Run) -> None:
        for process in multiprocessing.active_children():
            process.kill()

    long = replace(RANDOM, runs=8)
    with pytest.raises(VpgError, match="worker process was killed") as error:
        evaluate(long, log, jobs=2, report=kill)
    assert error.value.code is ErrorCode.PROCESS_DIED
    assert not multiprocessing.active_children()
    kept = log.read_text().splitlines()
    assert 2 <= len(kept) < 9
    with log.open("a") as file:
        file.write('{"case": "random-1", "se')
    heard: list[Run] = []
    figures = evaluate(long, log, report=heard.append)
    assert sorted(each.seed for each in heard) == list(range(8))
    assert log.read_text().splitlines()[: len(kept)] == kept
    assert without_times(figures) == without_times(evaluate(long))
    assert len(log.read_text().splitlines()) == 9


def test_runs_on_file_are_not_played_again(tmp_path: Path) -> None:
    log = tmp_path / "new" / "runs.jsonl"
    first = evaluate(replace(RANDOM, runs=2), log)
    again = evaluate(RANDOM, log)
    assert again["runs"][:2] == first["runs"]  # even the times are the same
    assert [each["seed"] for each in again["runs"]] == again["seeds"] == [0, 1, 2]
    assert evaluate(replace(RANDOM, runs=1), log)["runs"] == first["runs"][:1]


def test_a_log_that_another_evaluation_writes_is_left_to_it(tmp_path: Path) -> None:
    log, told = tmp_path / "runs.jsonl", []

    def begin_another(_: Run) -> None:
        before = log.read_bytes()
        with pytest.raises(VpgError, match=f"{log} is in use by another process") as error:
            evaluate(RANDOM, log)
        told.append(error.value.code)
        assert log.read_bytes() == before

    evaluate(replace(RANDOM, runs=1), log, report=begin_another)
    assert told == [ErrorCode.STORE_MISMATCH]
    assert evaluate(replace(RANDOM, runs=1), log)["seeds"] == [0]


@pytest.fixture(scope="module")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of one run of RANDOM."""
    log = tmp_path_factory.mktemp("log") / "runs.jsonl"
    evaluate(replace(RANDOM, runs=1), log)
    return log


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (replace(RANDOM, objects=2), "cases"),
        (replace(RANDOM, camera="perspective"), "camera 'ortho' there and 'perspective' here"),
        (replace(RANDOM, player=Player("random", primitives=("push",))), "primitives"),
        (replace(RANDOM, player=Player()), "policy 'random' there and 'network' here"),
    ],
)
def test_other_settings_do_not_mix(one_run: Path, other: Evaluation, named: str) -> None:
    log, before = one_run, one_run.read_bytes()
    with pytest.raises(VpgError, match=named) as error:
        evaluate(other, log)
    assert error.value.code is ErrorCode.STORE_MISMATCH
    assert log.read_bytes() == before


@pytest.mark.parametrize("content", ["something else\n", "something else", '{"other": 1}'])
def test_a_file_that_is_no_log_is_left_alone(tmp_path: Path, content: str) -> None:
    log = tmp_path / "runs.jsonl"
    log.write_text(content)
    with pytest.raises(VpgError, match="no log of evaluation runs"):
        evaluate(RANDOM, log)
    assert log.read_text() == content


def test_errors_come_back_from_other_processes() -> None:
    error = pickle.loads(pickle.dumps(VpgError(ErrorCode.SCENE_INVALID, "too many")))
    assert (error.code, error.message) == (ErrorCode.SCENE_INVALID, "too many")


# -- the command

QUICK = ("--runs", "1", "--objects", "1", "--camera", "ortho")


def test_the_command_writes_all_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "figures.json"
    command = ["evaluate", "--primitives", "grasp", *QUICK, "--seed", "7", "--json", str(target)]
    assert main(command) == 0
    shown = capsys.readouterr().out
    figures = json.loads(target.read_text())
    for part in (figures, figures["all_runs"], *figures["cases"]):
        for name in ("completion", "grasp_success", "action_efficiency"):
            assert {"value", "low", "high"} <= part[name].keys()
    assert (figures["policy"], figures["primitives"]) == ("network", ["grasp"])
    assert (figures["scenes"], figures["seeds"]) == ("random", [7])
    assert len(figures["checkpoint"]) == 12
    assert figures["decision_ms"] > 0
    assert figures["runs"][0]["grasps"] == figures["runs"][0]["actions"]
    assert f"{100 * figures['completion']['value']:.1f} [" in shown
    assert target.with_suffix(".jsonl").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--scenes", "pile"), "scenes is 'pile'"),
        (("--scenes", "docs"), "docs holds no case"),
        (("--scenes", "challenging", "--objects", "3"), "objects is 3"),
        (("--objects", "0"), "objects is 0"),
        (("--runs", "0"), "runs is 0"),
        (("--seed", "-1"), "seed is -1"),
        (("--jobs", "0"), "jobs is 0"),
        (("--primitives", "throw"), "throw"),
        (("--policy", "heuristic", "--primitives", "push"), "push"),
        (("--policy", "random", "--risk", "cvar"), "risk is 'cvar'; the random policy"),
        (("--risk", "cvar"), "risk is 'cvar'; these weights have a scalar head"),
        (("--risk", "cvar", "--alpha", "2"), "alpha is 2.0; for the risk 'cvar'"),
        (("--alpha", "0.3"), "--alpha is 0.3, which --risk mean does not heed; --risk may be cvar"),
        (("--risk", "mean", "--alpha", "1"), "--alpha is 1.0, which --risk mean does not heed"),
        (("--checkpoint", "nowhere.safetensors"), "nowhere.safetensors"),
        (("--json", "runs.jsonl"), "runs.jsonl"),
        (("--json", "/proc/figures.json"), "/proc/figures.json"),
        (("--json", "docs"), "docs cannot be written: it is a folder"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", *QUICK, *arguments]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("vpg: ")
    assert sentence in line
