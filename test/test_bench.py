"""``vpg bench``: the rows it writes, and what it refuses."""

import json
from pathlib import Path

import pytest

from vpg_ros.cli.main import main
from vpg_ros.learning.bench import ways_of_heads
from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS, save
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import make_network
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.resources import resource

QUICK = ("--tables", "1", "--repeats", "1", "--objects", "3")


def test_a_row_for_every_head_and_risk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "rows.json"
    arguments = ("--head", "scalar,categorical,implicit", "--risk", "mean,cvar")
    assert main(["bench", "decision", *QUICK, *arguments, "--json", str(target)]) == 0
    rows = json.loads(target.read_text())
    risks = [(head, risk) for head in ("categorical", "implicit") for risk in ("mean", "cvar")]
    assert [(row["head"], row["risk"]) for row in rows] == [("scalar", "mean"), *risks]
    assert rows[0]["ratio"] == 1 and all(row["ms"] > 0 and row["ratio"] > 0 for row in rows)
    assert "categorical" in capsys.readouterr().out


def test_heads_are_timed_by_the_measures_that_rows_name_and_learned_ones_beside(
    tmp_path: Path,
) -> None:
    path = tmp_path / "learned.safetensors"
    save(path, make_network(NetworkConfig.of_repertoire(head="quantile")))
    ways = ways_of_heads(["scalar", "implicit"], ["cvar", "wang"], learned=[path], alpha=0.5)
    found = [(way.labels["head"], way.labels["risk"]) for way in ways]
    expected = [(head, risk) for head in ("implicit", str(path)) for risk in ("cvar", "wang")]
    assert found == [("scalar", "mean"), *expected]
    for way in ways:
        (policy,) = way.policies
        assert isinstance(policy, NetworkPolicy) and policy.risk.name == way.labels["risk"]
        assert policy.risk.alpha == 0.5 or policy.risk.name == "mean"
    heads = [way.policies[0].config.head for way in ways]  # type: ignore[attr-defined]
    assert heads == ["scalar", "implicit", "implicit", "quantile", "quantile"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--head", "scalar,fuzzy"), "--head is 'fuzzy'; it must be of scalar, categorical"),
        (("--risk", "luck"), "--risk is 'luck'; it must be of mean, cvar"),
        (("--head", ""), "--head is ''; it must be of scalar, categorical"),
        (("--head", "scalar,scalar"), "--head is 'scalar,scalar'; scalar must be there once"),
        (("--primitives", ""), "--primitives is ''; it must be numbers of 1 to"),
        (("--tables", "0"), "--tables is 0; it must be > 0"),
        (("--alpha", "2"), "alpha is 2.0; for the risk 'cvar' it must be in [1e-06, 1]"),
        (("--alpha", "0.5", "--primitives", "2"), "--alpha is 0.5; it does not go with"),
        (("--checkpoint", "none.safetensors"), "none.safetensors"),
        (("--checkpoint", "a", "--primitives", "2"), "--checkpoint is 'a'; it does not go with"),
        (("--checkpoint", str(resource(SHIPPED_WEIGHTS))), "has a scalar head"),
        (("--json", "nowhere/rows.json"), "nowhere/rows.json cannot be written"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "decision", *QUICK, *arguments]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("vpg: ") and sentence in line
