"""``vpg train``: learn to push and grasp in simulation, from nothing."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "train",
        help="learn in simulation",
        description="Learn from random weights in simulation. Continues where it was stopped or "
        "killed when --out holds a training of the same settings.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the training")
    parser.add_argument("--actions", type=int, default=2000, help="actions in all (default 2000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default 0)")
    parser.add_argument(
        "--camera",
        choices=("perspective", "ortho"),
        default="perspective",
        help="noisy camera and fusion as on the robot (default), or exact maps, faster",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train, with a progress bar; prints where the weights are."""
    import torch
    from rich.console import Console

    from vpg_ros.learning.train import Trainer, TrainingConfig

    # Small convolutions gain little from more threads, and runs are exactly repeatable on one.
    torch.set_num_threads(1)
    config = TrainingConfig(options.actions, options.seed, camera=options.camera)
    trainer = Trainer(config, options.out)
    console = Console()
    with _bar(console) as bar:
        task = bar.add_task("", total=config.actions, completed=trainer.progress.actions, text="")
        weights = trainer.run(
            lambda p: bar.update(
                task,
                completed=p.actions,
                text=f"grasp success {p.grasp_success:.0%}, {p.actions_per_minute:.0f} actions/min",
            )
        )
    console.print(f"weights: {weights}")
    return 0


def _bar(console: "Console") -> "Progress":
    """The bar: actions done of all, success and speed, time spent and left."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
