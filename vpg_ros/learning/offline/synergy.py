"""Synergy: what pushes are worth, as completion with them less completion without."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.learning.evaluation import Evaluation, Report, evaluate
from vpg_ros.learning.figures import Run, completion, mcnemar
from vpg_ros.policy.maps import ValueMaps, pixel_to_cell
from vpg_ros.policy.network_policy import NetworkPolicy


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


@dataclass(frozen=True)
class Credit:
    """What a policy thinks of a push after which a pick was tried, values in [0, 1].

    opened: whether that pick succeeded. push: of the push that was done. pick_before, pick_after:
    the best pick before and after it. push_after: the best push after it.
    """

    opened: bool
    push: float
    pick_before: float
    pick_after: float
    push_after: float


def credits(episodes: Sequence[Sequence[Transition]], policy: NetworkPolicy) -> list[Credit]:
    """One for every action, not a pick itself, after which the next one of its episode is one."""
    return [
        _credit(now, then.outcome.success, policy)
        for episode in episodes
        for now, then in pairwise(episode)
        if not _picks(now) and _picks(then)
    ]


def mean_credit(found: Sequence[Credit]) -> dict[str, Any]:
    """Means over the pushes that opened a grasp, and of the others' values; plain JSON types.

    pushes, other_pushes: how many. other_push: mean value of those after which the pick failed.
    """
    opened = [each for each in found if each.opened]
    others = [each.push for each in found if not each.opened]
    names = ("push", "pick_before", "pick_after", "push_after")
    means = {name: _mean([getattr(each, name) for each in opened]) for name in names}
    return {
        "pushes": len(opened),
        **means,
        "other_pushes": len(others),
        "other_push": _mean(others),
    }


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _credit(transition: Transition, opened: bool, policy: NetworkPolicy) -> Credit:
    action = transition.action
    before, after = (policy.maps(scene) for scene in (transition.before, transition.after))
    place = (action.rotation, *pixel_to_cell(action.row, action.column, before.cell))
    return Credit(
        opened,
        push=float(before.values[action.primitive][place]),
        pick_before=_best(before, picking=True),
        pick_after=_best(after, picking=True),
        push_after=_best(after, picking=False),
    )


def _best(maps: ValueMaps, picking: bool) -> float:
    """The best admissible value of primitives that pick, or of the others; 0 without any."""
    found = [
        float(values[maps.admissible[name]].max())
        for name, values in maps.values.items()
        if primitives.get(name).picks == picking and maps.admissible[name].any()
    ]
    return max(found, default=0.0)


def _picks(transition: Transition) -> bool:
    return primitives.get(transition.action.primitive).picks
