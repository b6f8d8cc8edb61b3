"""``vpg bench``: how long things take on this machine."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpg_ros.choices import DEVICES, HEADS, RISKS
from vpg_ros.errors import require

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand, with a subcommand of its own for each thing that can be measured."""
    parser = subparsers.add_parser("bench", help="measure how long things take")
    measured = parser.add_subparsers(dest="bench", metavar="WHAT", required=True)
    _add_decision(measured)


def _add_decision(measured: "Subparsers") -> None:
    parser = measured.add_parser(
        "decision",
        help="one decision: heightmap in, action out",
        description="Time one decision of several value heads and risk measures, interleaved in "
        "one run, and compare each with the scalar head's.",
    )
    parser.add_argument(
        "--head", default=",".join(HEADS), help="value heads, separated by commas (default: all)"
    )
    parser.add_argument(
        "--risk", default="mean,cvar", help="risk measures, separated by commas (mean,cvar)"
    )
    parser.add_argument("--objects", type=int, default=10, help="objects on a table (default 10)")
    parser.add_argument("--tables", type=int, default=5, help="different tables (default 5)")
    parser.add_argument("--repeats", type=int, default=10, help="decisions on each (default 10)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.set_defaults(run=run_decision)


def run_decision(options: argparse.Namespace) -> int:
    """Measure and print a row for each head and risk."""
    heads = _names("head", options.head, HEADS)
    risks = _names("risk", options.risk, RISKS)
    for name in ("objects", "tables", "repeats", "threads"):
        value = getattr(options, name)
        require(value > 0, f"--{name} is {value}; it must be > 0")

    import torch
    from rich.console import Console

    from vpg_ros.learning.bench import compare, tables, ways_of_heads
    from vpg_ros.run_folder import write_json

    torch.set_num_threads(options.threads)
    console = Console()
    with console.status("deciding"):
        ways = ways_of_heads(heads, risks, options.device)
        rows = compare(ways, tables(options.objects, options.tables), options.repeats)
    _show(console, rows)
    if options.json:
        write_json(options.json, rows)
    return 0


def _names(option: str, text: str, known: Sequence[str]) -> list[str]:
    """The names in a list with commas, each a known one."""
    names = text.split(",")
    for name in names:
        allowed = ", ".join(known)
        require(name in known, f"--{option} is {name!r}; it must be of {allowed}, with commas")
    return names


def _show(console: Any, rows: Sequence[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(*rows[0], title="one decision")
    for row in rows:
        table.add_row(*(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()))
    console.print(table)
