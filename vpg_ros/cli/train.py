"""``vpg train``: learn to push and grasp in simulation, from nothing."""

import argparse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpg_ros.choices import CAMERAS, HEADS, STRATEGIES
from vpg_ros.cli.bar import progress_bar
from vpg_ros.cli.paths import check_paths
from vpg_ros.errors import ErrorCode, require

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from vpg_ros.learning.config import TrainingConfig
    from vpg_ros.learning.learner_config import LearnerConfig
    from vpg_ros.learning.progress import Progress
    from vpg_ros.learning.train import MakeSource, Trainer

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_DESCRIPTION = """Learn from random weights in simulation. The folder --out gets the weights, all
that --resume needs, the learning curve (curve.csv, a line an action) and what TensorBoard shows
(tensorboard/). Without workers, the same settings give the same weights, stopped in between or
not."""
_LINE_EVERY = 50  # actions, where there is no terminal to draw a bar on


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("train", help="learn in simulation", description=_DESCRIPTION)
    parser.add_argument("--out", type=Path, required=True, help="folder of the training")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the training in --out where it was stopped or killed; the settings must be "
        "the same. Begins one where there is none; recorded transitions of one that was never "
        "saved are then moved to transitions-before-1",
    )
    parser.add_argument(
        "--config",
        type=Path,
        help="YAML file of settings, like config/train.yaml, which holds the defaults; "
        "the options below win over it",
    )
    parser.add_argument("--actions", type=int, help="actions in all (default 2000)")
    parser.add_argument("--seed", type=int, help="seed of everything random (default 0)")
    parser.add_argument(
        "--camera",
        choices=CAMERAS,
        help="noisy camera and fusion as on the robot (default), or exact maps, faster",
    )
    parser.add_argument(
        "--head",
        choices=HEADS,
        help="what is learned of a value: its mean (scalar, default), or its distribution",
    )
    parser.add_argument(
        "--strategy",
        choices=STRATEGIES,
        help="how an action is chosen: over all primitives' pixels at once (flat, default), or the "
        "primitive first, by a meta-policy (hierarchical)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        help="Ray actors that play episodes while this process learns (default 0: one actor, which "
        "does the same again for the same seed)",
    )
    parser.add_argument(
        "--ray-address",
        help="Ray cluster for the workers: HOST:PORT of its head node, or auto for one that runs "
        "on this machine (default: start one here)",
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="store every transition, as `vpg sim` does, in the folder transitions/ of --out; "
        "`vpg dataset` reads it",
    )
    parser.add_argument(
        "--init",
        type=Path,
        help="weights to begin with, such as those of `vpg train-offline`; no random actions then "
        "precede the policy's (warm_up 0)",
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file at the end")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train, with a progress bar; prints the figures and where the weights are."""
    from rich.console import Console

    from vpg_ros.atomic import write_json
    from vpg_ros.learning.progress import figures

    settings = _settings(options)
    check_paths(options.out, options.json)
    console = Console()
    trainer = _trainer(options, *settings)
    weights = _train(trainer, console)
    found = {"seed": trainer.config.seed} | figures(trainer.progress)
    if options.json:
        write_json(options.json, found)
    _show(console, found)
    console.print(f"weights: {weights}", soft_wrap=True)
    return 0


def _make_source(options: argparse.Namespace) -> "MakeSource":
    """Where transitions come from: this process, or workers."""
    from vpg_ros.learning.train import act_here

    count, address = options.workers, options.ray_address
    require(count >= 0, f"--workers is {count}; it must be >= 0")
    require(count > 0 or not address, f"--ray-address is {address!r}; it takes --workers N, N > 0")
    if count == 0:
        return act_here
    from vpg_ros.learning.rollout_workers import RolloutWorkers

    whole = options.record
    return lambda config, learner: RolloutWorkers(config, learner, count, address, whole)


def _settings(options: argparse.Namespace) -> "tuple[TrainingConfig, LearnerConfig]":
    """Those of --config, and of the options that win over it."""
    from vpg_ros.learning.config_file import read_config

    names = ("actions", "seed", "camera", "head", "strategy")
    given = {name: getattr(options, name) for name in names}
    overrides = {name: value for name, value in given.items() if value is not None}
    if options.init:
        overrides["warm_up"] = 0
    return read_config(options.config, overrides)


def _trainer(
    options: argparse.Namespace, training: "TrainingConfig", learner: "LearnerConfig"
) -> "Trainer":
    """The training asked for, new or, with --resume only, the one in the folder."""
    from vpg_ros.learning.store import require_empty
    from vpg_ros.learning.threads import one_thread
    from vpg_ros.learning.train import TRANSITIONS, Trainer, holds_training

    one_thread()
    require(
        options.resume or not holds_training(options.out),
        f"{options.out} holds a training already; continue it with the same command and --resume, "
        "or choose another folder",
        ErrorCode.STORE_MISMATCH,
    )
    if options.record and not options.resume:
        require_empty(options.out / TRANSITIONS)
    source = _make_source(options)
    return Trainer(training, options.out, learner, source, options.record, options.init)


def _train(trainer: "Trainer", console: "Console") -> Path:
    """Train to the end, shown on the console and in TensorBoard."""
    from vpg_ros.learning.board import Board

    with (
        closing(Board(trainer.out / "tensorboard", trainer)) as board,
        _display(console, trainer.config.actions, trainer.progress) as show,
    ):

        def report(progress: "Progress") -> None:
            board.add()
            show(progress)

        return trainer.run(report)


@contextmanager
def _display(
    console: "Console", actions: int, begun: "Progress"
) -> "Iterator[Callable[[Progress], None]]":
    """A function that shows progress: on a bar, or in lines where there is no terminal."""
    if not console.is_terminal:
        yield lambda progress: _line(console, actions, progress)
        return
    with progress_bar(console) as bar:
        task = bar.add_task("", total=actions, completed=begun.actions, text=_text(begun))
        yield lambda progress: bar.update(task, completed=progress.actions, text=_text(progress))


def _line(console: "Console", actions: int, progress: "Progress") -> None:
    if progress.actions % _LINE_EVERY == 0:
        left = (actions - progress.actions) / progress.actions_per_minute
        line = f"{progress.actions}/{actions} actions, {_text(progress)}, {left:.0f} min left"
        console.print(line, soft_wrap=True)


def _text(progress: "Progress") -> str:
    success = f"grasp success {progress.grasp_success:.0%}"
    return f"{success}, {progress.actions_per_minute:.0f} actions/min"


def _show(console: "Console", found: dict[str, Any]) -> None:
    """A table of the figures."""
    from rich.table import Table

    table = Table("figure", "value", title="training")
    for name, value in found.items():
        text = "never reached" if value is None else str(value)
        if isinstance(value, float):
            text = f"{value:.0%}" if name in _SHARES else f"{value:.1f}"
        table.add_row(name, text)
    console.print(table)


_SHARES = ("grasp_success_last_100", "held_min")
