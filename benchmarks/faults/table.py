"""What a run of faults shows and writes."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.faults.trial import Result
from vpg_ros.atomic import write_json
from vpg_ros.errors import ErrorCode


def write(path: Path, content: Any) -> None:
    """Replace a JSON file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)


def write_results(path: Path, results: Sequence[Result]) -> None:
    """All results so far, so that a kill loses none."""
    write(path, [asdict(result) for result in results])


def read_results(path: Path) -> list[Result]:
    """What ``write_results`` wrote; nothing where there is no such file."""
    return [Result(**each) for each in json.loads(path.read_text())] if path.exists() else []


def results_table(results: Sequence[Result]) -> Table:
    """One line a fault, the worst of its repetitions."""
    table = Table("fault", "code", "passed", "stop s", "recover s", title="Faults")
    for name in dict.fromkeys(result.fault for result in results):
        same = [result for result in results if result.fault == name]
        passed = sum(result.passed for result in same)
        colour = "green" if passed == len(same) else "red"
        table.add_row(
            name,
            f"{ErrorCode(same[0].code).name} {same[0].code}",
            f"[{colour}]{passed} of {len(same)}[/]",
            f"{max(result.stop_s for result in same):.1f}",
            f"{max(result.recover_s for result in same):.1f}",
        )
    return table
