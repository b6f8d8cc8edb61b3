"""What the commands of all studies have in common."""

import argparse
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from vpg_ros.atomic import make_out, require_writable
from vpg_ros.cli.bar import progress_bar
from vpg_ros.errors import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import DataclassInstance
    from rich.console import Console

    from vpg_ros.learning.watch import Watch

    Matrix = TypeVar("Matrix", bound=DataclassInstance)
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_study(
    subparsers: "Subparsers", name: str, summary: str, description: str
) -> argparse.ArgumentParser:
    """Add a study with the arguments that every one takes."""
    parser = subparsers.add_parser(name, help=summary, description=description)
    parser.add_argument("--out", type=Path, required=True, help="folder of the study")
    parser.add_argument("--seeds", nargs="+", type=int, help="of the trainings (default 0 to 4)")
    parser.add_argument("--jobs", type=int, help="processes that play (default 1)")
    parser.add_argument(
        "--quick", action="store_true", help="a small matrix, in minutes, to see it work"
    )
    return parser


def asked(options: argparse.Namespace, matrix: "Matrix") -> "Matrix":
    """``matrix`` with every field that an argument of the same name gives.

    Raises PARAMETER_INVALID for a value that is there twice, and what ``matrix`` raises.
    """
    given = {each.name: getattr(options, each.name, None) for each in fields(matrix)}
    chosen: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    for name, value in chosen.items():
        twice = isinstance(value, tuple) and len(set(value)) < len(value)
        option = f"--{name.replace('_', '-')}"
        require(not twice, f"{option} is {value}; each must be there once, or it would count twice")
    return replace(matrix, **chosen)


def check_out(out: Path) -> None:
    """Make the folder of a study; raises PARAMETER_INVALID before any work where it cannot be."""
    make_out(out)
    require_writable(out / "results.json")


@contextmanager
def watching(console: "Console") -> "Iterator[Watch]":
    """Draw a bar of each step, or print a line of it where there is no terminal."""
    from vpg_ros.learning.watch import Watch

    class Lines(Watch):
        def begin(self, text: str, total: int) -> None:
            console.print(text, soft_wrap=True, highlight=False)

    class Bar(Watch):
        def begin(self, text: str, total: int) -> None:
            bar.reset(task, total=total, text=text)

        def advance(self, done: int) -> None:
            bar.update(task, completed=done)

    if not console.is_terminal:
        yield Lines()
        return
    with progress_bar(console) as bar:
        task = bar.add_task("", total=None, text="")
        yield Bar()


def show(console: "Console", tables: str, out: Path) -> None:
    """Print the tables of a study, Markdown, and where all of it is.

    As they are where there is no terminal: in 80 columns their cells would be cut off.
    """
    from rich.markdown import Markdown

    if console.is_terminal:
        console.print(Markdown(tables))
    else:
        console.print(tables, soft_wrap=True, markup=False, highlight=False, end="")
    console.print(f"results: {out / 'results.json'}", soft_wrap=True)
