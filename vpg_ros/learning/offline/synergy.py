"""Synergy: what pushes are worth, as completion with them less completion without."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vpg_ros import primitives
from vpg_ros.learning.evaluation import Evaluation, Report, evaluate
from vpg_ros.learning.figures import Run, completion, mcnemar


@dataclass(frozen=True)
class Synergy:
    """The completion of one training's policy with all primitives, and with those alone that pick.

    difference: of the two. p_value: two-sided, of McNemar's exact test on the same tables: of this
    training, whatever others come to. runs: tables.
    """

    completion: float
    picks_only: float
    difference: float
    p_value: float
    runs: int


def synergy(free: Sequence[Run], picks_only: Sequence[Run]) -> Synergy:
    """Compare runs of the same tables, all of one training."""
    shares = [completion(runs).value or 0.0 for runs in (free, picks_only)]
    p_value = mcnemar(free, picks_only)
    return Synergy(shares[0], shares[1], shares[0] - shares[1], p_value, len(free))


def measure(
    evaluation: Evaluation, folder: Path, jobs: int = 1, report: Report = lambda run: None
) -> tuple[dict[str, Any], list[Run], list[Run]]:
    """Play an evaluation with all primitives and with picking ones; its figures and both runs.

    folder: keeps the runs, which are not played again. figures: as of ``evaluate``.
    """
    picking = tuple(name for name in primitives.names() if primitives.get(name).picks)
    player = replace(evaluation.player, primitives=picking)
    free = evaluate(evaluation, folder / "all.jsonl", jobs, report)
    without = evaluate(replace(evaluation, player=player), folder / "picks.jsonl", jobs, report)
    return free, _runs(free), _runs(without)


def _runs(figures: dict[str, Any]) -> list[Run]:
    return [Run.read(run) for run in figures["runs"]]
