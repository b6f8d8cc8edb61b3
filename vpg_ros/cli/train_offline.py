"""``vpg train-offline``: learn from recorded transitions alone, without acting."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpg_ros.choices import HEADS, OFFLINE_ALGORITHMS
from vpg_ros.cli.bar import progress_bar
from vpg_ros.cli.paths import check_paths
from vpg_ros.cli.repertoire import add_primitives

if TYPE_CHECKING:
    from rich.console import Console

    from vpg_ros.learning.offline.config import OfflineConfig
    from vpg_ros.learning.offline.log import Log
    from vpg_ros.learning.offline.train import OfflineTrainer

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_DESCRIPTION = """Learn from recorded transitions alone: those of `vpg dataset make`, of `vpg train
--record`, or of a robot. The folder --out gets weights that `vpg evaluate --checkpoint` plays and
`vpg train --init` goes on with; the same command continues where it was stopped."""
_LINE_EVERY = 100  # updates, where there is no terminal to draw a bar on
# Options that are fields of OfflineConfig: name → type and help.
_SETTINGS: dict[str, tuple[type, str]] = {
    "updates": (int, "gradient steps (default 2000)"),
    "seed": (int, "seed of everything random (default 0)"),
    "limit": (int, "learn from so many transitions, the first ones (default: all)"),
    "gamma": (float, "discount (default 0.8)"),
    "push_reward": (float, "reward of a push that changed the scene (default 0)"),
    "scenes": (int, "whole scenes an update, where an algorithm looks at any (default 2)"),
    "temperature": (float, "of the softmax over all actions (default 0.05)"),
    "conservatism": (float, "weight of CQL's penalty (default 0.5)"),
    "expectile": (float, "of IQL (default 0.8)"),
    "sharpness": (float, "of the advantage in IQL and AWAC (default 5)"),
    "picks_first": (float, "share of the updates that value picks alone (default 0.25)"),
    "accident_cost": (float, "what an accident costs, in picks (default 0)"),
    "push_share": (float, "share of pushes in the data, others left out (default: as it is)"),
}


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "train-offline", help="learn from recorded transitions", description=_DESCRIPTION
    )
    parser.add_argument(
        "--dataset", type=Path, required=True, help="MCAP file of transitions, or folder of them"
    )
    parser.add_argument("--algorithm", choices=OFFLINE_ALGORITHMS, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the training")
    for name, (kind, text) in _SETTINGS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, help=text)
    parser.add_argument(
        "--no-augment", action="store_true", help="neither mirror nor turn the samples"
    )
    parser.add_argument(
        "--head",
        choices=HEADS,
        default="scalar",
        help="what a value is: a number (default), or a distribution, for `vpg evaluate --risk`",
    )
    add_primitives(parser, "with every primitive in the data")
    parser.add_argument("--json", type=Path, help="write the figures to this file at the end")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train, with a progress bar; prints the figures and where the weights are."""
    from rich.console import Console

    from vpg_ros.atomic import write_json
    from vpg_ros.learning.offline.train import OfflineTrainer
    from vpg_ros.learning.threads import one_thread

    one_thread()
    console = Console()
    config = _config(options)
    check_paths(options.out, options.json)
    log = _read(console, options.dataset, config)
    trainer = OfflineTrainer(options.algorithm, log, config, options.out)
    weights = _train(trainer, console)
    found = _figures(options.algorithm, trainer)
    if options.json:
        write_json(options.json, found)
    console.print(found)
    console.print(f"weights: {weights}", soft_wrap=True)
    return 0


def _config(options: argparse.Namespace) -> "OfflineConfig":
    from vpg_ros.learning.offline.algorithms import check_config
    from vpg_ros.learning.offline.config import OfflineConfig

    given = {name: getattr(options, name) for name in _SETTINGS}
    chosen = {name: value for name, value in given.items() if value is not None}
    names = tuple(options.primitives)
    config = OfflineConfig(
        **chosen, augment=not options.no_augment, head=options.head, primitives=names
    )
    check_config(options.algorithm, config)  # before a log is read
    return config


def _read(console: "Console", dataset: Path, config: "OfflineConfig") -> "Log":
    """The transitions to learn from."""
    from vpg_ros.learning.offline.log import read_log

    with console.status(f"reading {dataset}") as status:
        return read_log(
            dataset,
            config.network,
            config.limit or None,
            lambda count: status.update(f"reading {dataset}: {count} transitions"),
        )


def _train(trainer: "OfflineTrainer", console: "Console") -> Path:
    """Train to the end, on a bar, or in lines where there is no terminal."""
    total = trainer.config.updates
    if not console.is_terminal:

        def line(trainer: "OfflineTrainer") -> None:
            if trainer.updates % _LINE_EVERY == 0:
                console.print(f"{trainer.updates}/{total} updates, loss {trainer.loss:.4f}")

        return trainer.run(line)
    with progress_bar(console) as bar:
        task = bar.add_task("", total=total, completed=trainer.updates, text="")

        def show(trainer: "OfflineTrainer") -> None:
            bar.update(task, completed=trainer.updates, text=f"loss {trainer.loss:.4f}")

        return trainer.run(show)


def _figures(algorithm: str, trainer: "OfflineTrainer") -> dict[str, Any]:
    """What the training came to, and what it learned from, as plain JSON types."""
    log = trainer.algorithm.log
    return {
        "algorithm": algorithm,
        "seed": trainer.config.seed,
        "transitions": len(log),
        "behaviour_grasp_success": log.grasp_success(),
        "updates": trainer.updates,
        "loss": trainer.loss,
        "seconds": trainer.seconds,
    }
