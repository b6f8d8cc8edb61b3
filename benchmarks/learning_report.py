"""Reports of ``benchmarks/learning.py``: what lies in its folder, as JSON, Markdown and curves."""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from vpg_ros import primitives
from vpg_ros.atomic import write_atomically, write_json
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.learning.figures import Run, mcnemar
from vpg_ros.learning.progress import WINDOW

mpl.use("Agg")
import matplotlib.pyplot as plt

FIGURES = ("completion", "grasp_success", "action_efficiency")
CHOICES = {"all": "push and grasp", "grasp-only": "grasp only"}

Figures = Mapping[str, Any]


def write(out: Path) -> str:
    """Write results.json, results.md and curves.png; returns the Markdown.

    Raises STORE_UNREADABLE when the folder holds no training.
    """
    results = collect(out)
    text = markdown(results)
    curves(results, out / "curves.png")
    for seeds in results["variants"].values():
        for content in seeds.values():
            del content["training"]["curve"]  # as long as everything else; curve.csv has it
    write_json(out / "results.json", results)
    write_atomically(out / "results.md", text.encode())
    return text


# -- what there is


def collect(out: Path) -> dict[str, Any]:
    """variants: name → seed → training and evaluations; comparisons of each; baselines."""
    folders = sorted(out.glob("*/seed-*/training.json"))
    if not folders:
        sentence = f"{out} holds no finished training; run the step 'train' first"
        raise VpgError(ErrorCode.STORE_UNREADABLE, sentence)
    variants: dict[str, dict[str, Any]] = {}
    for path in folders:
        seed = path.parent.name.removeprefix("seed-")
        variants.setdefault(path.parent.parent.name, {})[seed] = _seed(path.parent)
    baselines = {path.stem: _read(path) for path in sorted(out.glob("baselines/*.json"))}
    return {"variants": variants, "baselines": baselines}


def _seed(folder: Path) -> dict[str, Any]:
    training = _read(folder / "training.json")
    training["curve"] = _curve(folder / "training" / "curve.csv")
    evaluations: dict[str, dict[str, Any]] = {}
    runs: dict[tuple[str, str], list[Run]] = {}
    for path in sorted(folder.glob("*.json")):
        match = re.fullmatch(rf"(.+)-({'|'.join(CHOICES)})", path.stem)
        if match:
            found = _read(path)
            runs[match[1], match[2]] = [Run.read(each) for each in found.pop("runs")]
            evaluations.setdefault(match[1], {})[match[2]] = found
    return {
        "training": training,
        "evaluations": evaluations,
        "mcnemar_p": {
            name: mcnemar(*(runs[name, choice] for choice in CHOICES))
            for name, found in evaluations.items()
            if len(found) == len(CHOICES)
        },
    }


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def _curve(path: Path) -> list[float | None]:
    """Success of the last WINDOW grasps after each action, None before there are as many."""
    curve: list[float | None] = []
    grasps = 0
    with path.open(newline="") as file:
        for step in csv.DictReader(file):
            grasps += primitives.get(step["primitive"]).picks
            success = float(step["grasp_success_last_100"])
            curve.append(round(success, 4) if grasps >= WINDOW else None)
    return curve


# -- Markdown


def markdown(results: Mapping[str, Any]) -> str:
    """Tables of the evaluations (median and worst seed), of every seed, and of the trainings."""
    parts = [
        "Shares in %, 95 % Wilson intervals in brackets; completed runs alone (the original's "
        "definition) / failed runs included.\n",
        _table(("variant", "scenes", "policy", "seed", *FIGURES), _headline(results)),
        _table(("variant", "scenes", "seed", *CHOICES.values(), "McNemar p"), _per_seed(results)),
        _table(_TRAINING_COLUMNS, _trainings(results)),
    ]
    return "\n".join(parts)


_TRAINING_COLUMNS = (
    "variant",
    "seed",
    "actions",
    "minutes",
    f"success of the last {WINDOW} grasps",
    "actions to 90 %",
    "actions to 95 %",
    "lowest after",
)


def _headline(results: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Median and worst seed of every variant, scenes and choice of primitives."""
    for variant, seeds in results["variants"].items():
        for scenes in _scenes(seeds):
            for choice, title in CHOICES.items():
                ranked = _ranked(seeds, scenes, choice)
                for name, index in (("median", (len(ranked) - 1) // 2), ("worst", 0)):
                    if ranked:
                        seed, figures = ranked[index]
                        yield (variant, scenes, title, f"{name}: {seed}", *_cells(figures))
    for name, figures in results["baselines"].items():
        yield ("", figures["scenes"], name, "", *_cells(figures))


def _scenes(seeds: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(name for seed in seeds.values() for name in seed["evaluations"]))


def _ranked(seeds: Mapping[str, Any], scenes: str, choice: str) -> list[tuple[str, Figures]]:
    """(seed, figures), the worst first."""
    found = [
        (seed, content["evaluations"][scenes][choice])
        for seed, content in seeds.items()
        if choice in content["evaluations"].get(scenes, {})
    ]
    return sorted(found, key=lambda pair: _rank(pair[1]))


def _rank(figures: Figures) -> tuple[float, ...]:
    return tuple(figures["all_runs"][name]["value"] or 0.0 for name in FIGURES)


def _cells(figures: Figures) -> list[str]:
    """Completion; the other two over completed runs and over all."""
    both = [f"{_share(figures[n])} / {_share(figures['all_runs'][n])}" for n in FIGURES[1:]]
    return [_share(figures["completion"]), *both]


def _share(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "–"
    value, low, high = (100 * figure[name] for name in ("value", "low", "high"))
    return f"{value:.1f} [{low:.0f}, {high:.0f}]"


def _per_seed(results: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Completion of every seed, with all primitives and with grasps alone."""
    for variant, seeds in results["variants"].items():
        for scenes in _scenes(seeds):
            for seed, content in seeds.items():
                found = content["evaluations"].get(scenes, {})
                shares = (_share(found[c]["completion"]) if c in found else "" for c in CHOICES)
                p_value = content["mcnemar_p"].get(scenes)
                yield (variant, scenes, seed, *shares, "" if p_value is None else f"{p_value:.2g}")


def _trainings(results: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for variant, seeds in results["variants"].items():
        for seed, content in seeds.items():
            training = content["training"]
            final, held = training["curve"][-1], training["held_min"]
            yield (
                variant,
                seed,
                str(training["actions"]),
                f"{training['seconds'] / 60:.1f}",
                "–" if final is None else f"{final:.0%}",
                *(str(training[name] or "never") for name in ("actions_to_90", "actions_to_95")),
                "–" if held is None else f"{held:.0%}",
            )


def _table(columns: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# -- curves


def curves(results: Mapping[str, Any], path: Path) -> None:
    """Grasp success against actions: a thin line for each seed, a thick one for their median."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for index, (variant, seeds) in enumerate(results["variants"].items()):
        lines = [np.array(seed["training"]["curve"], float) for seed in seeds.values()]
        count = min(len(line) for line in lines)
        actions = np.arange(1, count + 1)
        stacked = 100 * np.stack([line[:count] for line in lines])
        colour = f"C{index}"
        axes.plot(actions, stacked.T, color=colour, linewidth=0.7, alpha=0.5)
        label = f"{variant}, median of {len(lines)} seeds"
        axes.plot(actions, np.median(stacked, axis=0), color=colour, linewidth=2.2, label=label)
    axes.set(xlabel="actions", ylabel=f"success of the last {WINDOW} grasps, %")
    axes.set(xlim=(0, None), ylim=(0, 100))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=150)
    plt.close(figure)
