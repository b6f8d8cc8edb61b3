"""Credit: what a policy's values say of pushes that opened a grasp."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from vpg_ros import primitives
from vpg_ros.action import Action, Transition
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.policy.maps import BoolMaps, ValueMaps, cells_within, only_near, pixel_to_cell
from vpg_ros.policy.network_policy import NetworkPolicy


@dataclass(frozen=True)
class Credit:
    """What is thought of a push after which a pick was tried within reach, values in [0, 1].

    Within reach is what counts for what a push is worth (LearnerConfig.reach). opened: whether that
    pick succeeded. push: of the push that was done. pick_before, pick_after: the best pick within
    reach before and after it. push_after: the best push within reach after it.
    """

    opened: bool
    push: float
    pick_before: float
    pick_after: float
    push_after: float


def credits(episodes: Sequence[Sequence[Transition]], policy: NetworkPolicy) -> list[Credit]:
    """One for every action, not a pick itself, after which the next one of its episode is one.

    That one within its reach: a pick elsewhere says nothing of it. policy: of a network whose
    outputs are values.
    """
    return [
        _credit(now, then.outcome.success, policy)
        for episode in episodes
        for now, then in pairwise(episode)
        if not _picks(now) and _picks(then) and _reaches(now, then.action)
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


def _picks(transition: Transition) -> bool:
    return primitives.get(transition.action.primitive).picks


def _reach(action: Action) -> float:
    """m: as far as the learner looks for what an action is worth."""
    return LearnerConfig().reach_of(action.primitive)


def _reaches(transition: Transition, other: Action) -> bool:
    action = transition.action
    pixels = math.hypot(other.row - action.row, other.column - action.column)
    return pixels * transition.before.workspace.resolution <= _reach(action)


def _credit(transition: Transition, opened: bool, policy: NetworkPolicy) -> Credit:
    action = transition.action
    scenes = (transition.before, transition.after)
    (before, near_before), (after, near_after) = (_look(policy, each, action) for each in scenes)
    place = (action.rotation, *pixel_to_cell(action.row, action.column, before.cell))
    return Credit(
        opened,
        push=float(before.values[action.primitive][place]),
        pick_before=_best(before, near_before, picking=True),
        pick_after=_best(after, near_after, picking=True),
        push_after=_best(after, near_after, picking=False),
    )


def _look(policy: NetworkPolicy, scene: Heightmap, action: Action) -> tuple[ValueMaps, BoolMaps]:
    """The values of a scene, and what is admissible within reach of an action."""
    maps = policy.maps(scene)
    near = cells_within(_reach(action), action.row, action.column, scene, 1)
    return maps, only_near(maps.admissible, near, maps.cell)


def _best(maps: ValueMaps, within: BoolMaps, picking: bool) -> float:
    """The best value within a mask, of primitives that pick, or of the others; 0 without any."""
    found = [
        float(values[within[name]].max())
        for name, values in maps.values.items()
        if primitives.get(name).picks == picking and within[name].any()
    ]
    return max(found, default=0.0)
