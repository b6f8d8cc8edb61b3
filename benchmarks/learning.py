"""Train several seeds from nothing, evaluate them and write the figures, step by step.

    python benchmarks/learning.py --seeds 0 1 2 3 4 --actions 2000 --out runs/learning

Every step continues where it was stopped and skips what is done, so that seeds can share the work:

    python benchmarks/learning.py --out runs/learning --only train --seeds 0 &
    python benchmarks/learning.py --out runs/learning --only train --seeds 1 &

--ablations takes up variants instead, in the same folder. The report is of all that is there:
results.json, results.md and curves.png.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import learning_report
import torch
from rich.console import Console

from vpg_ros.atomic import write_json
from vpg_ros.choices import CAMERAS
from vpg_ros.cli.evaluate import figures_table
from vpg_ros.errors import VpgError, require
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.config_file import read_config
from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.evaluation import Evaluation, evaluate
from vpg_ros.learning.figures import Run
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.progress import Progress, figures
from vpg_ros.learning.train import Trainer

STEPS = ("train", "evaluate", "report")
FULL = "full"  # the variant without changes

# Variant → what it changes of TrainingConfig ("training") and LearnerConfig ("learner"). All are
# evaluated with the same masks.
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    FULL: {},
    "no-mask": {"training": {"mask": False}, "learner": {"mask": False}},
    "no-augmentation": {"learner": {"augment": False}},
    "push-reward": {"learner": {"push_reward": 0.5}},
    "no-target-network": {"learner": {"target_network": False}},
    "no-weight-averaging": {"learner": {"averaging": 0.0}},
    "uniform-replay": {"learner": {"priority": 0.0}},
    "empty-table": {"learner": {"empty_table": 1.0}},
    "reactive": {"learner": {"targets": "reactive"}},
    "vpg-targets": {"learner": {"targets": "vpg", "push_reward": 0.5, "gamma": 0.5}},
    "grasp-only-trained": {"training": {"primitives": ("grasp",)}},
    # Zeng et al. 2018 as far as it can be had here: the maximum over the whole scene, its rewards
    # and discount, a network for each primitive, values as they are, no masks.
    "vpg": {
        "training": {"trunks": "separate", "mask": False},
        "learner": {
            "targets": "vpg",
            "push_reward": 0.5,
            "gamma": 0.5,
            "reach": 1.0,
            "smoothing": 1,
            "mask": False,
        },
    },
    "random-scenes-only": {"training": {"scenes": (SceneMix("random", 1.0, 4, 14),)}},
}

# Evaluation → scenes and objects; each is played with all primitives and with grasps alone.
SCENES: dict[str, tuple[str, int | None]] = {
    "random-10": ("random", 10),
    "random-30": ("random", 30),
    "challenging": ("challenging", None),
}
PRIMITIVES: dict[str, tuple[str, ...] | None] = {"all": None, "grasp-only": ("grasp",)}

BASELINES = ("heuristic", "random")

_LINE_EVERY = 100  # actions between two lines of a training


def configs(
    variant: str, seed: int, options: argparse.Namespace
) -> tuple[TrainingConfig, LearnerConfig]:
    """The settings of one training."""
    changes = VARIANTS[variant]
    chosen = {"actions": options.actions, "seed": seed, "camera": options.camera}
    training, learner = read_config(options.config, chosen)
    return (
        replace(training, **changes.get("training", {})),
        replace(learner, **changes.get("learner", {})),
    )


def train(variant: str, seed: int, options: argparse.Namespace, console: Console) -> None:
    """One training, unless it is done."""
    folder = options.out / variant / f"seed-{seed}"
    training, learner = configs(variant, seed, options)
    trainer = Trainer(training, folder / "training", learner)

    def line(progress: Progress) -> None:
        if progress.actions % _LINE_EVERY == 0:
            console.print(
                f"{variant}, seed {seed}: {progress.actions} actions, grasp success "
                f"{progress.grasp_success:.0%}, {progress.actions_per_minute:.0f} actions/min"
            )

    trainer.run(line)
    content = {"training": asdict(training), "learner": asdict(learner)}
    write_json(folder / "training.json", content | figures(trainer.progress))


def play(variant: str, seed: int, options: argparse.Namespace, console: Console) -> None:
    """All evaluations of one training, less what is done."""
    folder = options.out / variant / f"seed-{seed}"
    weights = folder / "training" / "weights.safetensors"
    for name in options.scenes:
        for choice in options.primitives:
            player = Player("network", weights, PRIMITIVES[choice])
            title = f"{variant}, seed {seed}, {name}, {choice}"
            _play(player, name, folder / f"{name}-{choice}.json", title, options, console)


def play_baselines(options: argparse.Namespace, console: Console) -> None:
    """The policies without a network, less what is done."""
    for kind in options.baselines:
        for name in options.scenes:
            target = options.out / "baselines" / f"{kind}-{name}.json"
            _play(Player(kind), name, target, f"{kind}, {name}", options, console)


def _play(
    player: Player,
    name: str,
    target: Path,
    title: str,
    options: argparse.Namespace,
    console: Console,
) -> None:
    scenes, objects = SCENES[name]
    evaluation = Evaluation(player, scenes, objects, options.runs, camera=options.camera)
    count, total = 0, len(evaluation.tasks())

    def line(run: Run) -> None:
        nonlocal count
        count += 1
        if count % 10 == 0 and count < total:
            console.print(f"{title}: {count} of {total} runs")

    found = evaluate(evaluation, target.with_suffix(".jsonl"), options.jobs, line)
    write_json(target, found)
    table = figures_table(found)
    table.title = title
    console.print(table)


def arguments() -> argparse.Namespace:
    """What the command line asks for; raises PARAMETER_INVALID."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the experiment")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--actions", type=int, default=2000, help="of each training")
    parser.add_argument("--config", type=Path, help="settings of all trainings, as of vpg train")
    parser.add_argument("--runs", type=int, default=30, help="tables of each case (default 30)")
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=list(SCENES))
    parser.add_argument("--primitives", nargs="+", choices=PRIMITIVES, default=list(PRIMITIVES))
    parser.add_argument(
        "--ablations", nargs="+", choices=VARIANTS, default=[], help="these instead of the full one"
    )
    parser.add_argument("--baselines", nargs="*", choices=BASELINES, default=BASELINES)
    parser.add_argument("--only", choices=STEPS, help="one step (default: all, one by one)")
    parser.add_argument("--jobs", type=int, default=1, help="processes of an evaluation")
    parser.add_argument("--camera", choices=CAMERAS, default="perspective")
    options = parser.parse_args()
    options.variants = options.ablations or [FULL]
    for variant in options.variants:
        _check(variant, VARIANTS[variant])
    return options


def _check(variant: str, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise PARAMETER_INVALID unless all that a variant changes is there."""
    known = {"training": TrainingConfig, "learner": LearnerConfig}
    for part, values in changes.items():
        unknown = set(values) - {field.name for field in fields(known[part])}
        require(
            not unknown,
            f"variant {variant!r} changes {part} settings {sorted(unknown)}, which there are not",
        )


def main() -> int:
    """Entry point; 1 after a sentence on standard error."""
    console = Console()
    torch.set_num_threads(1)
    try:
        options = arguments()
        steps = (options.only,) if options.only else STEPS
        pairs = [(variant, seed) for variant in options.variants for seed in options.seeds]
        for variant, seed in pairs if "train" in steps else ():
            train(variant, seed, options, console)
        for variant, seed in pairs if "evaluate" in steps else ():
            play(variant, seed, options, console)
        if "evaluate" in steps:
            play_baselines(options, console)
        if "report" in steps:
            print(learning_report.write(options.out))
    except VpgError as error:
        print(f"learning: {error.sentence}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
