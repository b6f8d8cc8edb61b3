"""``vpg experiment distributional``: what value distributions bring, and where caution pays."""

import argparse
from typing import TYPE_CHECKING

from vpg_ros.choices import HEADS
from vpg_ros.cli.study import add_study, asked, check_out, show, watching

if TYPE_CHECKING:
    from vpg_ros.learning.distributional.matrix import Matrix

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_DESCRIPTION = """Train every value head on the standard scenes and play its weights, train
distributional ones on scenes with accidents and play them by the mean and with care, measure
calibration and decisions. The folder --out gets results.json, results.md and results.png, of all
that lies there made with the same settings; the same command continues where it was stopped."""


def add_parser(subparsers: "Subparsers") -> None:
    """Add the study."""
    parser = add_study(
        subparsers, "distributional", "value heads side by side, and caution", _DESCRIPTION
    )
    parser.add_argument(
        "--parts", nargs="+", help="standard, risk, decision (default all, in this order)"
    )
    parser.add_argument("--heads", nargs="+", choices=HEADS, help="on the standard scenes")
    parser.add_argument(
        "--risk-heads", nargs="+", choices=HEADS[1:], help="on the scenes with accidents"
    )
    parser.add_argument("--families", nargs="+", help="scenes with accidents (default all)")
    parser.add_argument("--actions", type=int, help="of a standard training (default 1000)")
    parser.add_argument(
        "--challenging",
        type=int,
        help="tables of each challenging case that standard weights play, 0 for none (default 10)",
    )
    parser.add_argument(
        "--random-runs", type=int, help="tables of random clutter that they play (default 30)"
    )
    parser.add_argument(
        "--risk-actions", type=int, help="of one on scenes with accidents (default 1200)"
    )
    parser.add_argument(
        "--runs", type=int, help="tables of each family under each measure (default 60)"
    )
    parser.add_argument("--alpha", type=float, help="of the CVaR (default 0.5)")
    parser.add_argument(
        "--held-out", type=int, help="transitions that calibration is measured on (default 300)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the study; shows what goes on, and the tables at the end."""
    from rich.console import Console

    from vpg_ros.learning.distributional import experiment, results
    from vpg_ros.learning.threads import one_thread

    one_thread()
    console, matrix = Console(), _matrix(options)
    check_out(options.out)
    with watching(console) as watch:
        experiment.run(matrix, options.out, watch)
    tables = results.write(experiment.collect(matrix, options.out), options.out)
    show(console, tables, options.out)
    return 0


def _matrix(options: argparse.Namespace) -> "Matrix":
    """What the arguments ask for."""
    from vpg_ros.learning.distributional.matrix import QUICK, Matrix

    return asked(options, QUICK if options.quick else Matrix())
