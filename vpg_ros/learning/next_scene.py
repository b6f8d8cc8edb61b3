"""What the scene that an action leaves is worth."""

import numpy as np
from numpy.typing import NDArray

from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.returns import Returns
from vpg_ros.policy.acting import Evaluator
from vpg_ros.policy.maps import admissible_cells, only_near
from vpg_ros.policy.selection import highest


def best_within_reach(
    scene: Heightmap,
    near: NDArray[np.bool_],
    valuing: Evaluator,
    choosing: Evaluator,
    masked: bool = True,
) -> Returns | None:
    """What the best action within reach comes to; None where there is none.

    near: pixels within reach of the action that left the scene, rows×columns. choosing: says
    which action is the best, whose returns are those that ``valuing`` expects. masked: whether
    inadmissible actions are left out.
    """
    shape = valuing.config
    allowed = admissible_cells(scene, shape.names, shape.cell, masked)
    reachable = only_near(allowed, near, shape.cell)
    within = {name: mask for name, mask in reachable.items() if mask.any()}
    looked = valuing.look(scene, near)
    if not looked.views:  # nothing stands within reach; all values would be 0, an accident's
        return None
    values = preferred = valuing.evaluate(looked, admissible=within, names=tuple(within))
    if choosing is not valuing:
        other = choosing.look(scene, near)
        preferred = choosing.evaluate(other, admissible=within, names=tuple(within))
    best = highest(preferred, within)
    if best is None:
        return None
    name, cell = best
    returns = valuing.distribution(looked, name, *cell)
    return Returns.certain(float(values[name][cell])) if returns is None else Returns.of(returns)
