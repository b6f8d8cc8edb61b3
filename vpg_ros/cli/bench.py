"""``vpg bench``: how long things take on this machine."""

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpg_ros.atomic import require_writable, write_json
from vpg_ros.choices import DEFAULT_ALPHA, DESIGNS, DEVICES, HEADS, RISKS, require_risk
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
        "one run, and compare each with the scalar head's; or, with --strategy or --primitives, of "
        "several strategies and repertoires, with their memory and operations.",
    )
    parser.add_argument("--head", help="value heads, separated by commas (default: all)")
    parser.add_argument(
        "--risk",
        help="risk measures, separated by commas (default: mean,cvar). The scalar head, which "
        "the others are compared with, is timed by the mean alone",
    )
    parser.add_argument(
        "--alpha",
        type=float,
        help=f"of the risk measures that have one (default {DEFAULT_ALPHA})",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        nargs="+",
        default=[],
        help="weights with a head other than the scalar one, timed beside the heads, which are "
        "random: a categorical one's careful decisions take longer the more it has learned",
    )
    parser.add_argument(
        "--strategy",
        help=f"designs, separated by commas, of {', '.join(DESIGNS)} (default: the first three)",
    )
    parser.add_argument(
        "--primitives",
        help="sizes of the repertoire: 2..7, or numbers separated by commas (default: 2..7). Grasp "
        "and push come first, then the five others, then any more that are registered",
    )
    parser.add_argument("--objects", type=int, default=10, help="objects on a table (default 10)")
    parser.add_argument("--tables", type=int, default=5, help="different tables (default 5)")
    parser.add_argument("--repeats", type=int, default=10, help="decisions on each (default 10)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--device", choices=DEVICES, default="cpu")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.set_defaults(run=run_decision)


def run_decision(options: argparse.Namespace) -> int:
    """Measure and print a row for each head and risk, or each strategy and repertoire."""
    for name in ("objects", "tables", "repeats", "threads"):
        value = getattr(options, name)
        require(value > 0, f"--{name} is {value}; it must be > 0")
    if options.json:
        require_writable(options.json)
    rows = _rows(options)
    _show(rows)
    if options.json:
        write_json(options.json, rows)
    return 0


def _rows(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What is measured, behind a spinner."""
    designs, counts = _designs(options)
    heads = _names("head", options.head, HEADS, HEADS)
    risks = _names("risk", options.risk, ("mean", "cvar"), RISKS)
    for risk in risks if options.alpha is not None else ():
        require_risk(risk, options.alpha)

    import torch
    from rich.console import Console

    from vpg_ros.learning import bench
    from vpg_ros.learning.bench_cost import costs

    torch.set_num_threads(options.threads)
    with Console().status("deciding"):
        tables = bench.tables(options.objects, options.tables)
        if not designs:
            alpha = DEFAULT_ALPHA if options.alpha is None else options.alpha
            ways = bench.ways_of_heads(heads, risks, options.device, options.checkpoint, alpha)
            return bench.compare(ways, tables, options.repeats)
        ways = bench.ways_of_designs(designs, counts, options.device)
        times = bench.compare(ways, tables, options.repeats)
        return [row | costs(way, tables) for row, way in zip(times, ways, strict=True)]


def _designs(options: argparse.Namespace) -> tuple[list[str], list[int]]:
    """The designs and sizes of repertoires asked for, none where heads are."""
    if options.strategy is None and options.primitives is None:
        return [], []
    for name in ("head", "risk", "alpha", "checkpoint"):
        value = getattr(options, name)
        shown = " ".join(map(str, value)) if isinstance(value, list) else value
        require(
            value in (None, []),
            f"--{name} is {shown!r}; it does not go with --strategy and --primitives",
        )
    known = tuple(DESIGNS)
    designs = _names("strategy", options.strategy, known[:3], known)
    return designs, _counts("2..7" if options.primitives is None else options.primitives)


def _counts(text: str) -> list[int]:
    """The numbers in 2..7 or 2,4,7, each one of primitives that there are."""
    from vpg_ros import primitives

    most = len(primitives.names())
    first, dots, last = text.partition("..")
    parts = (first, last) if dots else tuple(text.split(","))
    counts = [int(part) if part.isdecimal() else 0 for part in parts]
    require(
        all(1 <= count <= most for count in counts) and counts == sorted(set(counts)),
        f"--primitives is {text!r}; it must be numbers of 1 to {most}, such as 2..{most} or 2,4",
    )
    return list(range(counts[0], counts[1] + 1)) if dots else counts


def _names(
    option: str, text: str | None, default: Collection[str], known: Collection[str]
) -> list[str]:
    """The names in a list with commas, each a known one and there once."""
    names = list(default) if text is None else text.split(",")
    for name in names:
        allowed = ", ".join(known)
        require(name in known, f"--{option} is {name!r}; it must be of {allowed}, with commas")
        require(names.count(name) == 1, f"--{option} is {text!r}; {name} must be there once")
    return names


def _show(rows: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*rows[0], title="one decision")
    for row in rows:
        table.add_row(*map(_shown, row.values()))
    Console().print(table)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value / 1e9:.2f} G" if isinstance(value, int) and value >= 1e9 else str(value)
