"""The study of value distributions: calibration, what is kept, its tables."""

import io
import json
import math
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from vpg_ros.action import Transition
from vpg_ros.cli.main import main
from vpg_ros.cli.study import watching
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning import env
from vpg_ros.learning.config import TrainingConfig
from vpg_ros.learning.differences import differences
from vpg_ros.learning.distributional import calibration as judging
from vpg_ros.learning.distributional import experiment, held_out, results
from vpg_ros.learning.distributional.calibration import LEVELS, Optimism, calibration, of_choices
from vpg_ros.learning.distributional.matrix import FAMILIES, MEASURES, Matrix
from vpg_ros.learning.kept import keep, kept, read_kept
from vpg_ros.learning.replay import Replay
from vpg_ros.learning.watch import Watch
from vpg_ros.motion import Outcome
from vpg_ros.policy.checkpoint import training_of
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.network import make_network
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.sim.scenes.base import check


def predicted(p: float) -> Distribution:
    """An outcome of 1 with probability p, else 0."""
    return Distribution(torch.tensor([0.0, 1.0]), torch.tensor([1 - p, p]))


def outcomes(p: float, count: int = 4000) -> list[float]:
    return [float(x) for x in np.random.default_rng(0).random(count) < p]


def test_true_probabilities_are_calibrated() -> None:
    found = calibration((predicted(p), each) for p in (0.3, 0.9) for each in outcomes(p))
    assert found is not None
    assert found.samples == 8000
    assert found.worst < 0.02


def test_overconfidence_shows() -> None:
    found = calibration((predicted(0.99), each) for each in outcomes(0.8))
    assert found is not None
    assert found.worst > 0.15
    assert found.observed[0] > LEVELS[0] + 0.1  # too many outcomes below the low quantiles


def test_quantiles_between_the_levels_are_calibrated() -> None:
    rng = np.random.default_rng(1)
    levels = torch.linspace(0.005, 0.995, 100)
    uniform = Distribution(3 * levels, torch.full((100,), 0.01))
    found = calibration((uniform, float(3 * rng.random())) for _ in range(3000))
    assert found is not None and found.worst < 0.05
    assert calibration([]) is None


def test_a_piece_is_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> dict[str, Any]:
        made.append(1)
        return {"value": 3}

    path = tmp_path / "deep" / "cell.json"
    for _ in range(2):
        assert kept(path, {"size": (1, 2)}, make)["value"] == 3
    assert len(made) == 1
    with pytest.raises(
        VpgError, match=r"settings: size \[1, 2\] there and \[1, 3\] here; choose another folder"
    ) as error:
        kept(path, {"size": (1, 3)}, make)
    assert error.value.code is ErrorCode.STORE_MISMATCH
    for damaged in ("{", "{}", '{"settings": [1]}'):
        path.write_text(damaged)
        with pytest.raises(VpgError, match="damaged"):
            kept(path, {"size": (1, 2)}, make)


def test_what_an_earlier_version_did_not_name_is_what_there_was(tmp_path: Path) -> None:
    path, training = tmp_path / "cell.json", asdict(TrainingConfig())
    earlier = {name: v for name, v in training.items() if name not in ("risk", "alpha")}
    keep(path, {"training": earlier, "runs": 2}, {"value": 3})
    assert read_kept(path, {"training": training, "runs": 2})["value"] == 3
    careful = asdict(TrainingConfig(head="implicit", risk="cvar"))
    told = "training.head 'scalar' there and 'implicit' here; training.risk 'mean' there and 'cvar'"
    with pytest.raises(VpgError, match=told):
        read_kept(path, {"training": careful, "runs": 2})


def test_settings_that_differ_are_named_and_no_others() -> None:
    there, here = {"a": {"b": 1, "c": 2}, "d": None}, {"a": {"b": 1, "c": 3}, "e": 0}
    told = "a.c 2 there and 3 here; d None there and not named here; e not named there and 0 here"
    assert differences(there, here) == told
    assert differences(here, here) == ""


def test_what_a_policy_chose_is_judged_by_itself() -> None:
    """Of three picks, two its own, one of which came to an accident."""
    heights = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    heights[100:120, 100:120] = 0.04
    scene = Heightmap(np.zeros((*heights.shape, 3), np.uint8), heights, DEFAULT_WORKSPACE)
    torch.manual_seed(0)
    network = make_network(NetworkConfig.of_repertoire(head="categorical"))
    policy = NetworkPolicy(network.eval(), torch.device("cpu"))
    action = policy.restricted_to(("grasp",)).decide(scene).action
    (expected,) = policy.distributions(scene, [action])

    def pick(chosen_by: str, accidents: int) -> Transition:
        outcome = Outcome(True, accidents=accidents)
        own = replace(action, policy=chosen_by)
        return Transition("one", 0, scene, own, outcome, 1.0, scene, False)

    picks = [pick("network", 0), pick("network", 1), pick("random", 1)]
    found = of_choices(policy, picks, cost=0.25)
    assert expected is not None
    assert found == Optimism(pytest.approx(float(expected.mean)), 0.5, 2)
    assert of_choices(policy, picks[2:], cost=0.25) is None


def test_every_family_takes_its_objects() -> None:
    for name, objects in FAMILIES.items():
        check(name, objects)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"parts": ("risky",)}, "parts has 'risky'; each must be one of standard"),
        ({"risk_heads": ("scalar",)}, "scalar"),
        ({"runs": 0}, "runs is 0; it must be > 0"),
        ({"random_runs": 0}, "random_runs is 0; it must be > 0"),
        ({"challenging": -1}, "challenging is -1; it must be >= 0"),
        ({"seeds": (0, -1)}, "seed is -1; it must be >= 0 and < 2"),
        ({"seeds": (2**32,)}, "seed is 4294967296; it must be >= 0 and < 2"),
        ({"alpha": 0.0}, "alpha is 0.0; for the risk 'cvar' it must be in"),
        ({"alpha": math.nan}, "alpha is nan; for the risk 'cvar' it must be in"),
    ],
)
def test_a_wrong_matrix_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(VpgError, match=sentence):
        Matrix(**options)


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment", "distributional", "--out", str(tmp_path), "--parts", "all"]) == 1
    assert "parts has 'all'" in capsys.readouterr().err


@pytest.mark.parametrize("study", ["offline", "hierarchy", "distributional"])
def test_a_study_is_refused_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], study: str
) -> None:
    (tmp_path / "file").touch()
    assert main(["experiment", study, "--out", str(tmp_path / "file")]) == 1
    assert f"--out is '{tmp_path}/file' and cannot be made" in capsys.readouterr().err
    assert main(["experiment", study, "--out", str(tmp_path), "--seeds", "0", "0"]) == 1
    assert "--seeds is (0, 0); each must be there once" in capsys.readouterr().err


def played(count: int = 0, picked: int = 4) -> list[dict[str, Any]]:
    """Ten tables of as many accidents each."""
    run = {"case": "a", "objects": 4, "picked": picked, "lost": 0, "actions": 5, "grasps": 4}
    common = {**run, "grasp_successes": picked, "decision_ms": 9.0}
    return [{**common, "seed": i, "accidents": count} for i in range(10)]


def cell(head: str, seed: int, family: str = "", success: float = 0.9) -> dict[str, Any]:
    """A training: where there are accidents it heeds care, with half of them or one fewer."""
    return {
        "head": head,
        "seed": seed,
        "figures": {
            "actions": 100,
            "actions_to_90": 80 if seed else None,
            "grasp_success_last_100": success,
            "seconds": 60.0,
        },
        "calibration": {"observed": list(LEVELS), "samples": 5, "worst": 0.0},
        "family": family,
        "runs": {"mean": played(2 + 2 * seed), "cvar": played(1 + seed)},
    }


def test_results_are_written_whole(tmp_path: Path) -> None:
    cells = [cell("categorical", seed) for seed in (0, 1)]
    decided = {"head": "scalar", "risk": "mean", "ms": 60.0, "ratio": 1.0}
    risky = [cell("categorical", seed, family) for seed in (0, 1) for family in FAMILIES]
    text = results.write({"standard": cells, "risk": risky, "decision": [decided]}, tmp_path)
    assert (tmp_path / "results.png").stat().st_size > 1000
    assert (tmp_path / "results.md").read_text() == text
    assert "tangled" in text and "1.50 [" in text
    row = results.summary({"risk": risky})["risk"][0]
    assert [row[risk]["accidents"]["value"] for risk in MEASURES] == [3.0, 1.5]
    assert row["p_value"] == pytest.approx(0.205, abs=1e-3) and row["exact_p"] is None
    assert row["cvar"]["accidents"]["high"] > 7, "two trainings say little of others"
    (care,) = results.summary({"risk": risky})["care"]
    assert (row["seeds"], care["trainings"]) == (2, 10), "not the control's"
    assert care["accidents"]["value"] == 0.5 and "0.50 [0.4" in text
    assert 0.38 < care["accidents"]["low"] < 0.45 and 0.55 < care["accidents"]["high"] < 0.65
    assert care["completion"]["value"] == 0 and "+0.0 [-" in text


def test_one_training_has_no_interval_over_trainings() -> None:
    content = results.summary(
        {"standard": [cell("categorical", 1)], "risk": [cell("categorical", 1, "glazed")]}
    )
    (learned,), (row,) = content["standard"], content["risk"]
    assert learned["last_100"] == {"value": 0.9, "low": None, "high": None}
    assert row["p_value"] is None and row["exact_p"] < 0.05
    text = results.markdown(content)
    assert "90.0 [–, –]" in text and "| 80 [–, –] |" in text


def test_what_was_not_reached_is_not_shown_as_if_it_was() -> None:
    def shown(seeds: tuple[int, ...]) -> str:
        content = results.summary({"standard": [cell("categorical", seed) for seed in seeds]})
        return results.markdown(content)

    assert "| 1 | 100 | 0 | – | – |" in shown((0,))
    assert "| 2 | 100 | 1 | ≥ 90 | – |" in shown((0, 1))


def test_heads_are_compared_with_the_scalar_one_by_seed() -> None:
    """Of seeds 1 and 2, which both trained; one of them solves all of what its pair does not."""
    scalar = [cell("scalar", seed, success=0.8) for seed in (1, 2)]
    others = [cell("quantile", seed, success=0.7 + 0.1 * seed) for seed in (1, 2, 3)]
    for each in (*scalar, *others):
        each["runs"] = {"challenging": played(), "random": []}
    scalar[0]["runs"]["challenging"] = played(picked=3)
    content = results.summary({"standard": [*scalar, *others]})
    (first, second), (base, ours) = content["standard"], content["benchmark"]
    assert first["differences"]["last_100"]["value"] is None
    found = second["differences"]["last_100"]
    assert found["value"] == pytest.approx(0.05) and found["high"] == pytest.approx(0.685, abs=1e-3)
    assert second["differences"]["actions_to_90"]["value"] == 0.0
    assert (base["scenes"], base["completion"]["value"], ours["completion"]["value"]) == (
        *("challenging", 0.5, 1.0),
    )
    assert base["differences"]["completion"] is None
    assert ours["differences"]["completion"] == {"value": 0.5, "low": -1.0, "high": 1.0}
    assert ours["differences"]["grasp_success"]["value"] == pytest.approx(0.125)
    assert ours["differences"]["efficiency"]["value"] == pytest.approx(0.1)
    assert ours["seeds"] == 3 and ours["completion"]["trials"] == 30
    assert "| quantile | challenging | 3 | 30 |" in results.markdown(content)


def test_trainings_that_are_off_both_ways_are_not_taken_for_calibrated() -> None:
    bold, shy = (cell("categorical", seed) for seed in (0, 1))
    bold["calibration"]["observed"] = [level - 0.09 for level in LEVELS]
    shy["calibration"]["observed"] = [level + 0.09 for level in LEVELS]
    (row,) = results.summary({"standard": [bold, shy]})["calibration"]
    assert row["worst"] == pytest.approx(0.0) and row["worst_training"] == pytest.approx(0.09)
    assert "| 0 | 9 |" in results.markdown(results.summary({"standard": [bold, shy]}))


def test_results_of_one_part_have_its_table_alone(tmp_path: Path) -> None:
    text = results.write(
        {"decision": [{"head": "scalar", "risk": "mean", "ms": 1.0, "ratio": 1.0}]}, tmp_path
    )
    assert "One decision." in text and "accidents" not in text


TINY = Matrix(
    parts=("standard", "risk"),
    heads=("scalar",),
    risk_heads=("categorical",),
    seeds=(0,),
    actions=2,
    challenging=0,
    random_runs=1,
    families=("cracked",),
    risk_actions=2,
    runs=1,
    alpha=0.3,
    held_out=2,
    repeats=1,
)


CRACKED = Path("risk", "categorical", "seed-0", "cracked")
SCALAR = Path("standard", "scalar", "seed-0")


@pytest.fixture(scope="module")
def judged() -> list[Transition]:
    """What the study judges calibration on."""
    return []


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, judged: list[Transition]) -> Path:
    """A tiny study of two parts, of short episodes."""
    out = tmp_path_factory.mktemp("study")

    def of_picks(policy: Any, transitions: list[Transition], cost: float) -> Any:
        judged.extend(transitions)
        return judging.of_picks(policy, transitions, cost)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(env, "ACTIONS_PER_OBJECT", 1)
        patch.setattr(held_out, "of_picks", of_picks)
        experiment.run(TINY, out)
    return out


@pytest.fixture(autouse=True)
def short_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "ACTIONS_PER_OBJECT", 1)


def kept_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_study_plays_the_weights_by_the_mean_and_with_care(study: Path) -> None:
    said = {}
    for risk in MEASURES:
        about, run = map(json.loads, (study / CRACKED / f"cracked-{risk}.jsonl").open())
        said[risk] = tuple(about["settings"].get(name) for name in ("risk", "alpha"))
        assert run["case"] == "cracked-4"
    assert said == {"mean": (None, None), "cvar": ("cvar", 0.3)}


def test_the_study_plays_what_learned_on_the_standard_scenes(study: Path) -> None:
    about, run = map(json.loads, (study / SCALAR / "random.jsonl").open())
    assert run["case"] == "random-10" and "risk" not in about["settings"]
    (learned,) = experiment.collect(TINY, study)["standard"]
    assert [each["case"] for each in learned["runs"]["random"]] == ["random-10"]


def test_an_accident_of_the_study_costs_a_quarter_of_a_pick(study: Path) -> None:
    """But on the standard scenes, where there are none."""
    cracked, standard = (
        training_of(study / folder / "training" / "weights.safetensors")["learner"]
        for folder in (CRACKED, SCALAR)
    )
    assert (cracked["accident_cost"], cracked["gamma"]) == (0.25, 0.5)
    assert standard["accident_cost"] == 0


def test_calibration_is_of_tables_that_were_not_learned_from(
    study: Path, judged: list[Transition]
) -> None:
    replay = Replay()
    replay.load(study / CRACKED / "training" / "replay", TINY.risk_actions)
    learned = [replay[i].height for i in range(TINY.risk_actions)]
    assert len(judged) == TINY.held_out, "none of a scalar head, which expects no distribution"
    heights = [np.nan_to_num(each.before.height).astype(np.float16) for each in judged]
    assert not any(np.array_equal(ours, theirs) for ours in heights for theirs in learned)
    assert not (study / SCALAR / "calibration.json").exists()


def test_the_study_is_done_once_and_goes_on(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    shutil.copytree(study, out)
    before = kept_in(out)
    (out / CRACKED / "cell.json").unlink()  # as of one that was killed at its end
    experiment.run(TINY, out)
    assert kept_in(out) == before
    first = results.write(experiment.collect(TINY, out), out)
    said: list[str] = []

    class Ear(Watch):
        def begin(self, text: str, total: int) -> None:
            said.append(f"{text} {total}")

        def advance(self, done: int) -> None:
            said.append(f"{done}")

    more = replace(TINY, parts=("standard",), heads=("scalar", "implicit"))
    experiment.run(more, out, Ear())
    cell = "standard scenes, implicit, seed 0:"
    trained, calibrated = ([f"{cell} {part} 2", "1", "2"] for part in ("training", "calibration"))
    assert said == [*trained, *calibrated, f"{cell} playing random 1", "1"]
    assert kept_in(out).items() >= before.items()
    second = results.write(experiment.collect(more, out), out)
    assert "| implicit | random |" in second and "| implicit | random |" not in first
    assert "| categorical | cracked |" in second, "of a part that was not asked for"
    with pytest.raises(VpgError, match="choose another folder"):
        experiment.run(replace(TINY, random_runs=2), out)
    assert experiment.collect(replace(TINY, random_runs=2), out)["standard"] == []


def test_decisions_are_kept_of_every_way_once(tmp_path: Path) -> None:
    """Of what was timed again, the row that was timed with the heads asked for."""

    def timed(heads: tuple[str, ...], ms: float) -> None:
        rows = [{"head": head, "risk": "mean", "ms": ms, "ratio": 1.0} for head in heads]
        settings = {"heads": heads, "repeats": 1}
        kept(tmp_path / f"decision-{'-'.join(heads)}.json", settings, lambda: {"rows": rows})

    timed(("scalar", "categorical"), 1.0)
    timed(("scalar",), 2.0)
    found = experiment.collect(TINY, tmp_path)["decision"]
    assert [(row["head"], row["ms"]) for row in found] == [("scalar", 2.0), ("categorical", 1.0)]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_step_is_shown_on_a_bar_or_told_in_a_line(terminal: bool) -> None:
    shown = io.StringIO()
    with watching(Console(file=shown, force_terminal=terminal, width=80)) as watch:
        done = watch.each("glazed, implicit, seed 0: training", 1200)
        for part in range(3):
            done(part)
    assert "glazed, implicit, seed 0: training" in shown.getvalue().replace("\n", " ") or terminal
    assert ("3/1200" in shown.getvalue()) == terminal
