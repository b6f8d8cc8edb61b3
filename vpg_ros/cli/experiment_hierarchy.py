"""``vpg experiment hierarchy``: what choosing the primitive first costs and brings."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vpg_ros.learning.hierarchy.experiment import Matrix

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_DESCRIPTION = """Time decisions of repertoires from two to seven primitives, train flat and
hierarchical strategies on the union of the scene families, and count what they solve. The folder
--out gets results.json, results.md and results.png; the same command continues where it was
stopped."""


def add_parser(subparsers: "Subparsers") -> None:
    """Add the study."""
    parser = subparsers.add_parser(
        "hierarchy", help="flat and hierarchical strategies", description=_DESCRIPTION
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the study")
    parser.add_argument("--variants", nargs="+", help="what is trained (default: all)")
    parser.add_argument("--seeds", nargs="+", type=int, help="of the trainings (default 0 to 4)")
    parser.add_argument("--actions", type=int, help="of each training (default 3000)")
    parser.add_argument("--updates", type=int, help="gradient steps an action (default 1)")
    parser.add_argument("--families", nargs="+", help="scenes of the union (default: all)")
    parser.add_argument("--runs", type=int, help="tables of each family (default 30)")
    parser.add_argument(
        "--challenging", type=int, help="tables of each challenging case, 0 for none (default 5)"
    )
    parser.add_argument("--jobs", type=int, help="processes that play (default 1)")
    parser.add_argument(
        "--quick", action="store_true", help="a small matrix, in minutes, to see it work"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the study; prints what begins, and the tables at the end."""
    import cv2
    import torch
    from rich.console import Console
    from rich.markdown import Markdown

    from vpg_ros.learning.hierarchy import experiment, results

    # One thread, on which trainings are exactly repeatable.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    console, matrix = Console(), _matrix(options)
    console.print("decisions")
    bench = experiment.bench_of(matrix, options.out)
    cells = experiment.run(matrix, options.out, console.print)
    console.print(Markdown(results.write(bench, cells, options.out)))
    console.print(f"results: {options.out / 'results.json'}", soft_wrap=True)
    return 0


def _matrix(options: argparse.Namespace) -> "Matrix":
    """What the arguments ask for."""
    from dataclasses import fields, replace

    from vpg_ros.learning.hierarchy.experiment import QUICK, Matrix

    given = {field.name: getattr(options, field.name, None) for field in fields(Matrix)}
    chosen: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    return replace(QUICK if options.quick else Matrix(), **chosen)
