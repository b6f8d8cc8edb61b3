"""Clear tables through the whole ROS graph, one seed after the other, and add the results up.

    .venv/bin/python benchmarks/tables.py --seeds 10 --objects 10 --json tables.json

Each run is a ``vpg sim`` of its own. The figures are those of its summary.json: tables cleared,
grasp success over all grasps of all runs, and the medians of decision time and action time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

_DEADLINE = 900.0  # s of wall time for one run


def run(seed: int, arguments: list[str], folder: Path) -> dict[str, Any]:
    """The summary of one ``vpg sim``; an empty one when it left none."""
    target = folder / f"seed-{seed}"
    command = [sys.executable, "-m", "vpg_ros.cli.main", "sim", "--seed", str(seed)]
    subprocess.run(
        [*command, "--run-dir", str(target), *arguments],
        stdout=subprocess.DEVNULL,
        timeout=_DEADLINE,
        check=False,
    )
    summary = target / "summary.json"
    return dict(json.loads(summary.read_text())) if summary.is_file() else {"cleared": False}


def figures(summaries: list[dict[str, Any]]) -> dict[str, Any]:
    """What the runs come to together."""
    grasps = sum(s.get("grasps") or 0 for s in summaries)
    won = sum((s.get("grasps") or 0) * (s.get("grasp_success") or 0.0) for s in summaries)
    decisions = [s["decision_ms"] for s in summaries if s.get("decision_ms")]
    actions = [s["action_seconds"] for s in summaries if s.get("action_seconds")]
    return {
        "runs": len(summaries),
        "cleared": sum(bool(s["cleared"]) for s in summaries),
        "grasps": grasps,
        "grasp_success": won / grasps if grasps else None,
        "decision_ms": median(decisions) if decisions else None,
        "action_seconds": median(actions) if actions else None,
        "summaries": summaries,
    }


def show(console: Console, total: dict[str, Any]) -> None:
    """A row a run, and the sums."""
    columns = ("seed", "cleared", "picked", "lost", "actions", "grasp_success", "decision_ms")
    table = Table(*columns, title=f"{total['cleared']} of {total['runs']} tables cleared")
    for summary in total["summaries"]:
        table.add_row(*(str(summary.get(column)) for column in columns))
    console.print(table)
    console.print({name: total[name] for name in total if name != "summaries"})


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds, from 0")
    parser.add_argument("--objects", type=int, default=10)
    parser.add_argument("--scene", default="random")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    arguments = ["--objects", str(options.objects), "--scene", options.scene]
    console, summaries = Console(), []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            with console.status(f"seed {seed}"):
                summaries.append(run(seed, arguments, Path(folder)))
    total = figures(summaries)
    show(console, total)
    if options.json:
        options.json.write_text(json.dumps(total, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
