"""What the scene that an action leaves is worth."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from vpg_ros.geometry import Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.replay import Experience
from vpg_ros.learning.returns import Returns
from vpg_ros.policy.acting import Evaluator
from vpg_ros.policy.maps import admissible_cells, cells_within, only_near
from vpg_ros.policy.network import Network
from vpg_ros.policy.selection import highest


class NextScene:
    """Values the scenes that actions led to, by the weights as they are at that moment.

    learning, average: weights that learn, and their moving average. config.target_network and
    config.double say which of them count.
    """

    def __init__(
        self,
        learning: Network,
        average: Network,
        config: LearnerConfig,
        workspace: Workspace,
        device: torch.device,
    ) -> None:
        self._config, self._workspace, self._device = config, workspace, device
        self._valuing = average if config.target_network else learning
        self._choosing = learning if config.double else self._valuing
        self._evaluators: dict[Network, Evaluator] = {}
        self._counting = tuple(filter(config.counts, average.config.names))

    def __call__(self, experience: Experience) -> Returns:
        """What the scene that an experience led to comes to."""
        config, scene = self._config, experience.after(self._workspace)
        valuing = self._evaluator(self._valuing)
        same = self._choosing is self._valuing
        choosing = valuing if same else self._evaluator(self._choosing)
        reach = config.reach_of(experience.primitive)
        near = cells_within(reach, experience.row, experience.column, scene, 1)
        best = best_within_reach(scene, near, valuing, choosing, self._counting, config.mask)
        return Returns.certain(config.acting.nothing) if best is None else best

    def _evaluator(self, network: Network) -> Evaluator:
        """Of a network as it is now."""
        if network not in self._evaluators:
            made = Evaluator(network, self._device, self._config.smoothing)
            self._evaluators[network] = made
        self._evaluators[network].follow(network)
        return self._evaluators[network]


def best_within_reach(
    scene: Heightmap,
    near: NDArray[np.bool_],
    valuing: Evaluator,
    choosing: Evaluator,
    names: tuple[str, ...],
    masked: bool = True,
) -> Returns | None:
    """What the best action within reach comes to; None where there is none.

    near: pixels within reach of the action that left the scene, rows×columns. choosing: says
    which action is the best, whose returns are those that ``valuing`` expects. names: of the
    primitives that count. masked: whether inadmissible actions are left out.
    """
    shape = valuing.config
    allowed = admissible_cells(scene, names, shape.cell, masked)
    reachable = only_near(allowed, near, shape.cell)
    within = {name: mask for name, mask in reachable.items() if mask.any()}
    looked = valuing.look(scene, near)
    if not looked.views:  # nothing stands within reach; all values would be 0, an accident's
        return None
    values = preferred = valuing.evaluate(looked, admissible=within, names=tuple(within))
    if choosing is not valuing:
        other = replace(looked, features={})  # the same views, for another network
        preferred = choosing.evaluate(other, admissible=within, names=tuple(within))
    best = highest(preferred, within)
    if best is None:
        return None
    name, cell = best
    returns = valuing.distribution(looked, name, *cell)
    return Returns.certain(float(values[name][cell])) if returns is None else Returns.of(returns)
