"""``vpg bench``: the rows it writes, and what it refuses."""

import json
from pathlib import Path

import pytest

from vpg_ros.cli.main import main

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


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--head", "scalar,fuzzy"), "--head is 'fuzzy'; it must be of scalar, categorical"),
        (("--risk", "luck"), "--risk is 'luck'; it must be of mean, cvar"),
        (("--head", ""), "--head is ''; it must be of scalar, categorical"),
        (("--head", "scalar,scalar"), "--head is 'scalar,scalar'; scalar must be there once"),
        (("--primitives", ""), "--primitives is ''; it must be numbers of 1 to"),
        (("--tables", "0"), "--tables is 0; it must be > 0"),
        (("--json", "nowhere/rows.json"), "nowhere/rows.json cannot be written"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "decision", *QUICK, *arguments]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("vpg: ") and sentence in line
