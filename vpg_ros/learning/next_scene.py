"""What the scene that an action leaves is worth."""

import numpy as np
import torch
from numpy.typing import NDArray

from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.returns import Returns
from vpg_ros.policy.acting import Evaluator
from vpg_ros.policy.maps import admissible_cells, only_near
from vpg_ros.policy.network import Network
from vpg_ros.policy.selection import highest


def best_within_reach(
    scene: Heightmap,
    near: NDArray[np.bool_],
    valuing: Network,
    choosing: Network,
    config: LearnerConfig,
    device: torch.device,
) -> Returns | None:
    """What the best action within reach comes to; None where there is none.

    near: pixels within reach of the action that left the scene, rows×columns. choosing: the network
    that says which action is the best, whose returns are those that ``valuing`` expects.
    """
    shape = valuing.config
    allowed = admissible_cells(scene, shape.names, shape.cell, config.mask)
    reachable = only_near(allowed, near, shape.cell)
    within = {name: mask for name, mask in reachable.items() if mask.any()}
    evaluator = Evaluator(valuing, device, config.smoothing)
    looked = evaluator.look(scene, near)
    values = preferred = evaluator.evaluate(looked, admissible=within, names=tuple(within))
    if choosing is not valuing:
        other = Evaluator(choosing, device, config.smoothing)
        preferred = other.evaluate(other.look(scene, near), admissible=within, names=tuple(within))
    best = highest(preferred, within)
    if best is None:
        return None
    name, cell = best
    returns = evaluator.distribution(looked, name, *cell)
    return Returns.certain(float(values[name][cell])) if returns is None else Returns.of(returns)
