"""What a transition must be for anything to be learned from it."""

import math
from collections.abc import Mapping

from vpg_ros.action import Transition

_ROUNDING = 1e-9  # by which a sum of probabilities may exceed 1


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
        f"has the reward {transition.reward}; it must be finite": math.isfinite(transition.reward),
        f"has the probability {chance}; it must be in (0, 1], or 0 where it is not known": (
            0 <= chance <= 1 + _ROUNDING
        ),
    }
    return next((problem for problem, fine in problems.items() if not fine), None)
