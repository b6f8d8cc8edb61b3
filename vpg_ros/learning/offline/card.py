"""The data card: what is in a data set, in figures that say what can be learned from it."""

import math
from collections import Counter, defaultdict
from statistics import fmean
from typing import Any

from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.learning.rewards import scene_changed

BLOCK = 0.032  # m: side of the squares that coverage counts


class DataCard:
    """Counts transition by transition.

    Coverage is the share of all (rotation, BLOCK × BLOCK square of the map) at which a primitive
    was tried at least once.
    """

    def __init__(self) -> None:
        self._actions: Counter[str] = Counter()
        self._successes: Counter[str] = Counter()
        self._changes: Counter[str] = Counter()
        self._places: defaultdict[str, set[tuple[int, int, int]]] = defaultdict(set)
        self._blocks = 0
        self._behaviours: defaultdict[str, list[float]] = defaultdict(list)
        self._picked: Counter[str] = Counter()
        self._done: dict[str, bool] = {}

    def add(self, transition: Transition) -> None:
        """Count one."""
        action, name = transition.action, transition.action.primitive
        self._actions[name] += 1
        self._successes[name] += transition.outcome.success
        self._changes[name] += scene_changed(transition.before, transition.after)
        workspace = transition.before.workspace
        side = max(1, round(BLOCK / workspace.resolution))
        rows, columns = (math.ceil(size / side) for size in workspace.shape)
        self._blocks = rows * columns
        self._places[name].add((action.rotation, action.row // side, action.column // side))
        self._behaviours[action.policy or "unknown"].append(action.probability)
        self._picked[transition.episode] += transition.reward > 0
        self._done[transition.episode] = transition.done

    def figures(self) -> dict[str, Any]:
        """All of it as plain JSON types; None for what nothing is known of."""
        episodes = len(self._done)
        return {
            "transitions": self._actions.total(),
            "episodes": episodes,
            "cleared": sum(self._done.values()) / episodes if episodes else None,
            "picked_per_episode": self._picked.total() / episodes if episodes else None,
            "primitives": {name: self._primitive(name) for name in sorted(self._actions)},
            "behaviours": {
                name: _behaviour(chances) for name, chances in sorted(self._behaviours.items())
            },
        }

    def _primitive(self, name: str) -> dict[str, Any]:
        count = self._actions[name]
        known = name in primitives.names()
        places = self._blocks * primitives.get(name).rotations if known else 0
        return {
            "actions": count,
            "success": self._successes[name] / count,
            "changed": self._changes[name] / count,
            "coverage": len(self._places[name]) / places if places else None,
        }


def _behaviour(chances: list[float]) -> dict[str, Any]:
    """How many actions, and of those whose probability is known, its geometric mean."""
    known = [math.log(chance) for chance in chances if chance > 0]
    return {
        "actions": len(chances),
        "known": len(known),
        "probability": math.exp(fmean(known)) if known else None,
    }
