"""``vpg dataset``: make a store of transitions, look into it, mend or export it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpg_ros.choices import CAMERAS, DATASETS
from vpg_ros.cli.bar import progress_bar
from vpg_ros.cli.repertoire import add_primitives

if TYPE_CHECKING:
    from rich.table import Table

    from vpg_ros.action import Transition
    from vpg_ros.viz.report import DecisionRecord

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_STORE = "MCAP file, or folder of them"


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    description = (
        "Make recorded transitions, an MCAP file or a folder of them; look into them, mend, export."
    )
    parser = subparsers.add_parser(
        "dataset", help="make, mend and look into recorded transitions", description=description
    )
    commands = parser.add_subparsers(dest="dataset_command", metavar="COMMAND", required=True)
    _add_make(commands)
    info = commands.add_parser("info", help="count what is in it")
    info.add_argument("path", type=Path, help=_STORE)
    info.set_defaults(run=run_info)
    _add_view(commands)
    _add_export(commands)
    repair = commands.add_parser("repair", help="save what is readable of a damaged one")
    repair.add_argument("path", type=Path, help=_STORE)
    repair.add_argument("--out", type=Path, required=True, help="folder to make")
    repair.set_defaults(run=run_repair)


def _add_view(commands: "Subparsers") -> None:
    """The parser of ``vpg dataset view``."""
    view = commands.add_parser("view", help="write a picture of each action, and a report")
    view.add_argument("path", type=Path, help=_STORE)
    view.add_argument(
        "--out", type=Path, default=Path("dataset"), help="folder to write to (default dataset)"
    )
    view.add_argument("--limit", type=int, default=100, help="transitions at most (default 100)")
    view.set_defaults(run=run_view)


def _add_export(commands: "Subparsers") -> None:
    """The parser of ``vpg dataset export``."""
    export = commands.add_parser("export", help="write it in a format of other libraries")
    export.add_argument("path", type=Path, help=_STORE)
    export.add_argument(
        "--format", choices=("minari",), default="minari", help="format (default minari)"
    )
    export.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder to make; Minari finds it by name where that ends in -v0",
    )
    add_primitives(export, "in which actions have their places")
    export.set_defaults(run=run_export)


def _add_make(commands: "Subparsers") -> None:
    """The parser of ``vpg dataset make``."""
    make = commands.add_parser(
        "make",
        help="act in simulation and store it",
        description="Act in simulation by a behaviour policy and store every transition; the same "
        "settings store the same. Continues one that was stopped.",
    )
    make.add_argument(
        "--kind", choices=DATASETS, required=True, help="who acts; replay: a training"
    )
    make.add_argument("--actions", type=int, default=1000, help="transitions (default 1000)")
    make.add_argument("--seed", type=int, default=0, help="of scenes and draws (default 0)")
    make.add_argument(
        "--camera",
        choices=CAMERAS,
        default="ortho",
        help="exact maps (default), or a noisy camera and fusion as on the robot",
    )
    make.add_argument("--out", type=Path, required=True, help="folder of the data set")
    make.set_defaults(run=run_make)


def run_make(options: argparse.Namespace) -> int:
    """Make a data set, with a progress bar; prints its card."""
    from rich.console import Console

    from vpg_ros.learning.offline.datasets import DatasetSpec, make_dataset
    from vpg_ros.learning.threads import one_thread

    one_thread()
    spec = DatasetSpec(options.kind, options.actions, options.seed, options.camera)
    console = Console()
    with progress_bar(console) as bar:
        task = bar.add_task("", total=spec.actions, text="")
        card = make_dataset(spec, options.out, lambda count: bar.update(task, completed=count))
    figures = card.figures()
    console.print(card_table(figures, str(options.out)))
    if figures["transitions"] > spec.actions:
        sentence = f"{options.out} held more than {spec.actions} transitions already; all are kept"
        console.print(sentence, soft_wrap=True, highlight=False)
    return 0


def card_table(card: dict[str, Any], title: str) -> "Table":
    """A data card (``DataCard.figures``) as a table: a row a primitive, and one a policy."""
    from rich.table import Table

    table = Table("", "actions", "success", "changed", "coverage", "probability", title=title)
    for name, each in card["primitives"].items():
        shares = (_percent(each[key]) for key in ("success", "changed", "coverage"))
        table.add_row(name, str(each["actions"]), *shares, "")
    table.add_section()
    for name, each in card["behaviours"].items():
        chance = "unknown" if each["probability"] is None else f"{each['probability']:.2g}"
        table.add_row(f"by {name}", str(each["actions"]), "", "", "", chance)
    cleared = _percent(card["cleared"])
    table.caption = (
        f"{card['transitions']} transitions in {card['episodes']} episodes; {cleared} cleared"
    )
    return table


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def run_info(options: argparse.Namespace) -> int:
    """Print a table of what the store holds."""
    from rich.console import Console
    from rich.table import Table

    from vpg_ros.learning.offline.card import DataCard
    from vpg_ros.learning.store import info

    card = DataCard()
    found = info(options.path, card.add)
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
    lost = f"cut off or damaged, {found.unreadable} B not read"
    cut = lost if found.unreadable else "not closed, nothing lost"
    table.add_row("state", "complete" if found.complete else cut)
    for key, value in found.metadata.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        table.add_row(key, shown)
    Console().print(table)
    if found.transitions:
        Console().print(card_table(card.figures(), "card"))
    return 0


def run_repair(options: argparse.Namespace) -> int:
    """Write what is readable to a new store; says what is not."""
    from rich.console import Console

    from vpg_ros.learning.store.repair import repair

    console, found = Console(), repair(options.path, options.out)
    for sentence in found.losses:
        console.print(f"lost: {sentence}", soft_wrap=True, highlight=False)
    sentence = f"{found.kept} transitions are in {options.out}; {found.dropped} do not fit"
    console.print(sentence, soft_wrap=True, highlight=False)
    return 0


def run_view(options: argparse.Namespace) -> int:
    """Write the overlay of each action and a report of them all."""
    from itertools import islice

    import cv2
    from rich.console import Console

    from vpg_ros.atomic import make_out, write_atomically
    from vpg_ros.errors import ErrorCode, require
    from vpg_ros.learning.store import read_transitions
    from vpg_ros.viz.overlay import action_overlay
    from vpg_ros.viz.report import write_report

    require(options.limit > 0, f"--limit is {options.limit}; it must be > 0")
    transitions = list(islice(read_transitions(options.path), options.limit))
    sentence = f"{options.path} holds no transitions; there is nothing to look at"
    require(len(transitions) > 0, sentence, ErrorCode.STORE_UNREADABLE)
    make_out(options.out)
    for index, transition in enumerate(transitions):
        picture = action_overlay(transition.before, transition.action)
        name = f"{index:05d}-{transition.action.primitive}.png"
        _, encoded = cv2.imencode(".png", picture[..., ::-1])
        write_atomically(options.out / name, encoded.tobytes())
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
