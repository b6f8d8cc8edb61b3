"""The study of value distributions: calibration, what is kept, its tables."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vpg_ros.action import Transition
from vpg_ros.cli.main import main
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.distributional import results
from vpg_ros.learning.distributional.calibration import LEVELS, Optimism, calibration, of_choices
from vpg_ros.learning.distributional.experiment import FAMILIES, MEASURES, Matrix
from vpg_ros.learning.kept import kept
from vpg_ros.motion import Outcome
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
    with pytest.raises(VpgError, match="choose another folder") as error:
        kept(path, {"size": (1, 3)}, make)
    assert error.value.code is ErrorCode.STORE_MISMATCH
    path.write_text("{")
    with pytest.raises(VpgError, match="damaged"):
        kept(path, {"size": (1, 2)}, make)


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


def cell(head: str, seed: int, family: str = "") -> dict[str, Any]:
    """A training that heeds care: half of the accidents."""

    def played(count: int) -> list[dict[str, Any]]:
        run = {"case": "a", "objects": 4, "picked": 4, "lost": 0, "actions": 5, "grasps": 4}
        common = {**run, "grasp_successes": 4, "decision_ms": 9.0, "completed": True}
        return [{**common, "seed": i, "accidents": count} for i in range(10)]

    return {
        "head": head,
        "seed": seed,
        "figures": {
            "actions": 100,
            "actions_to_90": 80 if seed else None,
            "grasp_success_last_100": 0.9,
            "seconds": 60.0,
        },
        "calibration": {"observed": list(LEVELS), "samples": 5, "worst": 0.0},
        "family": family,
        "runs": {"mean": played(2), "cvar": played(1)},
    }


def test_results_are_written_whole(tmp_path: Path) -> None:
    cells = [cell("categorical", seed) for seed in (0, 1)]
    decided = {"head": "scalar", "risk": "mean", "ms": 60.0, "ratio": 1.0}
    risky = [cell("categorical", seed, family) for seed in (0, 1) for family in FAMILIES]
    text = results.write({"standard": cells, "risk": risky, "decision": [decided]}, tmp_path)
    assert (tmp_path / "results.png").stat().st_size > 1000
    assert (tmp_path / "results.md").read_text() == text
    assert "tangled" in text and "1.00 [" in text
    row = results.summary({"risk": risky})["risk"][0]
    assert [row[risk]["accidents"]["value"] for risk in MEASURES] == [2.0, 1.0]
    assert row["p_value"] < 0.05
    (care,) = results.summary({"risk": risky})["care"]
    assert (row["seeds"], care["trainings"]) == (2, 8), "not the control's"
    assert care["accidents"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert care["completion"]["value"] == 0 and "0.50 [0.50, 0.50]" in text
    learned = results.summary({"standard": cells})["standard"][0]
    assert (learned["reached_90"], learned["actions_to_90"]["value"]) == (1, 90.0)


def test_results_of_one_part_have_its_table_alone(tmp_path: Path) -> None:
    text = results.write(
        {"decision": [{"head": "scalar", "risk": "mean", "ms": 1.0, "ratio": 1.0}]}, tmp_path
    )
    assert "One decision." in text and "accidents" not in text
