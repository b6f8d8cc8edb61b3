"""What a policy of the experiment is measured by."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.evaluation import Evaluation, evaluate
from vpg_ros.learning.figures import Run
from vpg_ros.learning.offline.behaviour_player import BehaviourPlayer
from vpg_ros.learning.offline.matrix import Matrix
from vpg_ros.learning.offline.synergy import measure, synergy
from vpg_ros.learning.watch import Watch


def measured(
    player: Player, folder: Path, matrix: Matrix, name: str, watch: Watch
) -> dict[str, Any]:
    """Figures on random clutter, and on the matrix's scenes with and without pushes; JSON types.

    folder: keeps the runs. name: what the watch hears of.
    """
    clutter = _clutter(player, matrix)
    cases = Evaluation(player, matrix.scenes, runs=matrix.runs, camera=matrix.camera)
    tables = len(clutter.tasks()) + 2 * len(cases.tasks())
    report = watch.each(f"{name}: playing", tables)
    random = evaluate(clutter, folder / "random.jsonl", matrix.jobs, report)
    figures, free, without = measure(cases, folder, matrix.jobs, report)
    return {
        "random": _shares(random),
        "challenging": _shares(figures),
        "synergy": asdict(synergy(free, without)),
        "runs": {"all": _plain(free), "picks": _plain(without)},
    }


def behaved(kind: str, folder: Path, matrix: Matrix, watch: Watch) -> dict[str, Any]:
    """Figures of who acts in a kind of data set, on the random clutter of ``measured``; JSON types.

    folder: keeps the runs.
    """
    clutter = _clutter(BehaviourPlayer(kind), matrix)
    report = watch.each(f"who acts in {kind}: playing", len(clutter.tasks()))
    found = evaluate(clutter, folder / "random.jsonl", matrix.jobs, report)
    return {"dataset": kind, "random": _shares(found)}


def _clutter(player: Player, matrix: Matrix) -> Evaluation:
    return Evaluation(player, "random", runs=matrix.random_runs, camera=matrix.camera)


def _shares(figures: dict[str, Any]) -> dict[str, Any]:
    """The three figures over all runs, failed ones included."""
    return {name: each["value"] for name, each in figures["all_runs"].items()}


def _plain(runs: list[Run]) -> list[dict[str, Any]]:
    return [asdict(each) for each in runs]
