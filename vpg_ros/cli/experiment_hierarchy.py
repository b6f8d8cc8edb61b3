"""``vpg experiment hierarchy``: what choosing the primitive first costs and brings."""

import argparse
from typing import TYPE_CHECKING

from vpg_ros.cli.study import add_study, asked, check_out, show, watching

if TYPE_CHECKING:
    from vpg_ros.learning.hierarchy.experiment import Matrix

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_DESCRIPTION = """Time decisions of repertoires from two to seven primitives, train flat and
hierarchical strategies on the union of the scene families, and count what they solve. The folder
--out gets results.json, results.md and results.png; the same command continues where it was
stopped, and results are written anew after every training."""


def add_parser(subparsers: "Subparsers") -> None:
    """Add the study."""
    parser = add_study(subparsers, "hierarchy", "flat and hierarchical strategies", _DESCRIPTION)
    parser.add_argument("--variants", nargs="+", help="what is trained (default: all)")
    parser.add_argument("--actions", type=int, help="of each training (default 3000)")
    parser.add_argument("--updates", type=int, help="gradient steps an action (default 2)")
    parser.add_argument("--families", nargs="+", help="scenes of the union (default: all)")
    parser.add_argument("--runs", type=int, help="tables of each family (default 30)")
    parser.add_argument(
        "--challenging", type=int, help="tables of each challenging case, 0 for none (default 5)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the study; shows what goes on, and the tables at the end."""
    from rich.console import Console

    from vpg_ros.learning.hierarchy import experiment, results
    from vpg_ros.learning.threads import one_thread

    one_thread()
    console, matrix = Console(), _matrix(options)
    check_out(options.out)

    def written() -> str:
        return results.write(bench, experiment.cells(matrix, options.out), options.out)

    with watching(console) as watch:
        bench = experiment.bench_of(matrix, options.out, watch)
        experiment.run(matrix, options.out, watch, written)
    show(console, written(), options.out)
    return 0


def _matrix(options: argparse.Namespace) -> "Matrix":
    """What the arguments ask for."""
    from vpg_ros.learning.hierarchy.experiment import QUICK, Matrix

    return asked(options, QUICK if options.quick else Matrix())
