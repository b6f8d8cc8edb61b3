"""``vpg experiment offline``: what can be learned from a log alone, and what decides it."""

import argparse
from typing import TYPE_CHECKING, Any

from vpg_ros.choices import CAMERAS, DATASETS, OFFLINE_ALGORITHMS, OFFLINE_VARIANTS
from vpg_ros.cli.study import add_study, asked, check_out, show, watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from vpg_ros.learning.offline.matrix import Matrix
    from vpg_ros.learning.watch import Watch

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_DESCRIPTION = """Make data sets, train algorithms on them, and play the policies with and without
pushes. The folder --out gets results.json, results.md and results.png, written anew after every
training; the same command continues where it was stopped, and tries again what failed. The exit
status is 1 where a training failed."""


def add_parser(subparsers: "Subparsers") -> None:
    """Add the study."""
    parser = add_study(subparsers, "offline", "learn from logs alone", _DESCRIPTION)
    _add_trainings(parser)
    _add_measures(parser)
    parser.add_argument(
        "--camera",
        choices=CAMERAS,
        help="of data and evaluation: exact maps (default), or a noisy camera and fusion as on the "
        "robot",
    )
    _add_workers(parser)
    parser.set_defaults(run=run)


def _add_trainings(parser: argparse.ArgumentParser) -> None:
    """What is trained."""
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, help="kinds of data")
    parser.add_argument("--sizes", nargs="+", type=int, help="transitions learned from")
    parser.add_argument("--algorithms", nargs="+", choices=OFFLINE_ALGORITHMS)
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=OFFLINE_VARIANTS,
        help="what is changed of each training that it makes a difference to, one thing in each, "
        "to see what decides",
    )
    parser.add_argument("--updates", type=int, help="gradient steps of each (default 2000)")


def _add_measures(parser: argparse.ArgumentParser) -> None:
    """What it is measured by."""
    parser.add_argument(
        "--scenes",
        help="what synergy is measured on: challenging (default), one case of it, a family of "
        "scenes, or a folder of test cases",
    )
    parser.add_argument("--runs", type=int, help="tables of each case of them (default 3)")
    parser.add_argument("--random-runs", type=int, help="tables of random clutter (default 20)")
    parser.add_argument(
        "--estimating", type=int, help="steps of off-policy evaluation, 0 for none (default 300)"
    )


def _add_workers(parser: argparse.ArgumentParser) -> None:
    """Who does it."""
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        help="Ray tasks that train and play at the same time (default 0: one after the other here)",
    )
    parser.add_argument(
        "--ray-address",
        help="Ray cluster for the workers, which must see --out: HOST:PORT of its head node, or "
        "auto (default: start one here)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the study; prints what begins, and the tables at the end; 1 where a training failed."""
    from rich.console import Console

    from vpg_ros.learning.offline import experiment, results
    from vpg_ros.learning.threads import one_thread

    one_thread()
    console = Console()
    matrix = _matrix(options)
    check_out(options.out)

    def written() -> str:
        cells = experiment.collect(matrix, options.out)
        return results.write(cells, options.out, matrix.skipped())

    with watching(console) as watch:
        cells = _complete(options, matrix, watch, written)
    show(console, written(), options.out)
    return int(any("failed" in cell for cell in cells))


def _complete(
    options: argparse.Namespace, matrix: "Matrix", watch: "Watch", done: "Callable[[], object]"
) -> list[dict[str, Any]]:
    """Do all cells here or by workers; what came of them."""
    from vpg_ros.errors import require
    from vpg_ros.learning.offline import experiment

    count, address = options.workers, options.ray_address
    require(count >= 0, f"--workers is {count}; it must be >= 0")
    require(count > 0 or not address, f"--ray-address is {address!r}; it takes --workers N, N > 0")
    if count == 0:
        return experiment.run(matrix, options.out, watch, done)
    from vpg_ros.learning.offline.experiment_workers import run_on_workers

    return run_on_workers(matrix, options.out, count, address, watch, done)


def _matrix(options: argparse.Namespace) -> "Matrix":
    """What the arguments ask for."""
    from vpg_ros.learning.offline.matrix import QUICK, Matrix

    return asked(options, QUICK if options.quick else Matrix())
