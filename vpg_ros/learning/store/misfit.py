"""What a transition must be for anything to be learned from it."""

from collections.abc import Mapping

import numpy as np

from vpg_ros.action import Transition
from vpg_ros.heightmap import Heightmap

_ROUNDING = 1e-9  # by which a sum of probabilities may exceed 1
_HIGHEST = 2.0  # m from the table: beyond it lies no arm's workspace


def misfit(transition: Transition, known: Mapping[str, int]) -> str | None:
    """Why nothing can be learned from a transition, what follows "it "; None where something can.

    known: primitive → its rotations. A probability of 0 is one that is not known.
    """
    action, (rows, columns) = transition.action, transition.before.workspace.shape
    there, then = transition.before.workspace, transition.after.workspace
    name, chance = action.primitive, action.probability
    rotations = known.get(name, 0)
    problems = {
        f"begins on {there} and ends on {then}, another workspace": there == then,
        f"is of primitive {name!r}; known are {', '.join(known)}": name in known,
        f"is of rotation {action.rotation}; {name} has {rotations} of them": (
            action.rotation < rotations
        ),
        f"is at pixel {action.row}, {action.column} of a map of {rows} × {columns}": (
            action.row < rows and action.column < columns
        ),
        f"has heights that are none; they must be within {_HIGHEST} m of the table, or NaN": (
            _are_heights(transition.before) and _are_heights(transition.after)
        ),
        "acts on a scene with nothing on it": bool(transition.before.occupied.any()),
        # Values are shares of a pick's. What an accident costs is a setting, and in no reward.
        f"has the reward {transition.reward}; it must be in [0, 1]": 0 <= transition.reward <= 1,
        f"has the probability {chance}; it must be in (0, 1], or 0 where it is not known": (
            0 <= chance <= 1 + _ROUNDING
        ),
    }
    return next((problem for problem, fine in problems.items() if not fine), None)


def _are_heights(heightmap: Heightmap) -> bool:
    return not bool((np.abs(heightmap.height) > _HIGHEST).any())
