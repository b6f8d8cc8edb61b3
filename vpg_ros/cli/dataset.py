"""``vpg dataset``: look into a store of transitions, or export it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vpg_ros.action import Transition
    from vpg_ros.viz.report import DecisionRecord

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    description = "Look into recorded transitions, an MCAP file or a folder of them; export them."
    parser = subparsers.add_parser(
        "dataset", help="look into recorded transitions", description=description
    )
    commands = parser.add_subparsers(dest="dataset_command", metavar="COMMAND", required=True)
    info = commands.add_parser("info", help="count what is in it")
    info.add_argument("path", type=Path, help="MCAP file, or folder of them")
    info.set_defaults(run=run_info)
    view = commands.add_parser("view", help="write a picture of each action, and a report")
    view.add_argument("path", type=Path, help="MCAP file, or folder of them")
    view.add_argument(
        "--out", type=Path, default=Path("dataset"), help="folder to write to (default dataset)"
    )
    view.add_argument("--limit", type=int, default=100, help="transitions at most (default 100)")
    view.set_defaults(run=run_view)
    export = commands.add_parser("export", help="write it in a format of other libraries")
    export.add_argument("path", type=Path, help="MCAP file, or folder of them")
    export.add_argument(
        "--format", choices=("minari",), default="minari", help="format (default minari)"
    )
    export.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder to make; Minari finds it by name where that ends in -v0",
    )
    export.add_argument(
        "--primitives",
        nargs="+",
        metavar="NAME",
        default=["grasp", "push"],
        help="the repertoire, in which actions have their places (default: grasp push)",
    )
    export.set_defaults(run=run_export)


def run_info(options: argparse.Namespace) -> int:
    """Print a table of what the store holds."""
    from rich.console import Console
    from rich.table import Table

    from vpg_ros.learning.store import info

    found = info(options.path)
    table = Table("", "", title=str(options.path), show_header=False)
    table.add_row("transitions", str(found.transitions))
    table.add_row("episodes", str(found.episodes))
    for name, count in sorted(found.actions.items()):
        success = found.successes[name]
        table.add_row(name, f"{count}, {success} successful ({success / count:.0%})")
    if found.workspace is not None:
        rows, columns = found.workspace.shape
        millimetres = 1000 * found.workspace.resolution
        table.add_row("workspace", f"{rows} × {columns} pixels of {millimetres:g} mm")
    table.add_row("files", f"{len(found.files)}, {found.size / 2**20:.1f} MiB")
    cut = f"cut off, {found.unreadable} B lost" if found.unreadable else "not closed, nothing lost"
    table.add_row("state", "complete" if found.complete else cut)
    for key, value in found.metadata.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(key, shown)
    Console().print(table)
    return 0


def run_view(options: argparse.Namespace) -> int:
    """Write the overlay of each action and a report of them all."""
    from itertools import islice

    import cv2
    from rich.console import Console

    from vpg_ros.errors import ErrorCode, VpgError, require
    from vpg_ros.learning.store import read_transitions
    from vpg_ros.viz.overlay import action_overlay
    from vpg_ros.viz.report import write_report

    require(options.limit > 0, f"--limit is {options.limit}; it must be > 0")
    transitions = list(islice(read_transitions(options.path), options.limit))
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sentence = f"--out is {str(options.out)!r} and cannot be made: {error.strerror}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from None
    for index, transition in enumerate(transitions):
        picture = action_overlay(transition.before, transition.action)
        name = f"{index:05d}-{transition.action.primitive}.png"
        cv2.imwrite(str(options.out / name), picture[..., ::-1])
    summary = {"scene": str(options.path), "actions": len(transitions)}
    write_report(options.out / "report.html", summary, [_record(each) for each in transitions])
    Console().print(f"{len(transitions)} pictures and report.html are in {options.out}")
    return 0


def run_export(options: argparse.Namespace) -> int:
    """Write the store as a Minari dataset."""
    from rich.console import Console

    from vpg_ros.learning.store.export import export_minari
    from vpg_ros.primitives import repertoire

    episodes, steps = export_minari(options.path, options.out, repertoire(options.primitives))
    sentence = f"{steps} transitions in {episodes} episodes are in {options.out}"
    Console().print(sentence, soft_wrap=True, highlight=False)
    return 0


def _record(transition: "Transition") -> "DecisionRecord":
    """A transition as a row of the report."""
    from vpg_ros import primitives
    from vpg_ros.viz.report import DecisionRecord

    name = transition.action.primitive
    picks = name in primitives.names() and primitives.get(name).picks
    return DecisionRecord(transition, picks and transition.outcome.success)
