"""The policy of algorithms that imitate: fitted to actions of a log by weighted likelihood."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from vpg_ros.learning.descent import Descent, DescentConfig
from vpg_ros.learning.learner import CPU
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.log import Log
from vpg_ros.learning.offline.scenes import scene_values
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import Network


class Actor:
    """A Boltzmann policy over all actions of whole scenes.

    Its loss is the mean of −w ln π(a|s) over the actions given, each with its weight w: maximum
    likelihood where all weights are 1.
    """

    def __init__(self, log: Log, network: NetworkConfig, config: OfflineConfig) -> None:
        torch.manual_seed(config.seed)
        self._log, self._config = log, config
        self._rng = np.random.default_rng(config.seed)
        descent = DescentConfig(rate=config.rate, decay_updates=config.updates)
        self._descent = Descent(network, descent, CPU)

    @property
    def network(self) -> Network:
        """The averaged weights."""
        return self._descent.average

    def draw(self, among: Sequence[int]) -> list[int]:
        """The scenes of the next update: indices of the log, drawn uniformly from ``among``."""
        chosen = self._rng.integers(0, len(among), self._config.scenes)
        return [among[int(i)] for i in chosen]

    def update(self, indices: Sequence[int], weights: Sequence[float]) -> float:
        """One gradient step on the actions of ``indices``; returns the loss."""
        loss = torch.zeros(())
        for index, weight in zip(indices, weights, strict=True):
            loss = loss - weight / len(indices) * self._log_probability(index)
        self._descent.step(loss)
        return float(loss.detach())

    def _log_probability(self, index: int) -> torch.Tensor:
        each = self._log.experiences[index]
        scene = each.before(self._log.workspace)
        values = scene_values(self._descent.network, each, scene)
        return values.log_probability(self._config.temperature)

    def state(self) -> dict[str, Any]:
        """For ``torch.save``; see ``restore``."""
        return {**self._descent.state(), "rng": self._rng.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``state`` was taken."""
        self._descent.restore(state)
        self._rng.bit_generator.state = state["rng"]
