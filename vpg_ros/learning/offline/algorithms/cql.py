"""Conservative Q-learning (Kumar et al. 2020)."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from vpg_ros.learning.offline.algorithm import register
from vpg_ros.learning.offline.algorithms.double_dqn import DoubleDQN
from vpg_ros.learning.offline.log import Log
from vpg_ros.learning.offline.log_learner import LogLearner
from vpg_ros.learning.offline.scenes import scene_values
from vpg_ros.learning.replay import Experience
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import Network


@register
class CQL(DoubleDQN):
    """CQL(H), equation 4: the loss of Double DQN plus α E[T ln Σ_a exp(Q(s, a)/T) − Q(s, a_log)].

    With T = 1 the paper's own; T weighs the entropy of the maximisation that equation 3 is solved
    for, and fits it to values in [0, 1] over tens of thousands of actions. The sum is exact. As
    long as the learner values picks alone, it is of picks: other values would but be drawn down.
    """

    name: ClassVar[str] = "cql"
    heeds: ClassVar[tuple[str, ...]] = (*DoubleDQN.heeds, "conservatism")

    def make_learner(self, network: NetworkConfig, log: Log) -> LogLearner:
        """Double, with the conservative penalty on the first scenes of each batch."""
        return LogLearner(log, network, self.config, double=True, penalty=self._penalty)

    def _penalty(self, network: Network, batch: Sequence[Experience]) -> Tensor:
        scenes = batch[: self.config.scenes]
        names, gap = self._learner.valued, torch.zeros(())
        # With the statistics that it acts with: whole scenes have others than the batch's patches.
        network.eval()
        for each in scenes:
            values = scene_values(network, each, each.before(self.log.workspace), names)
            gap = gap + values.soft_maximum(self.config.temperature) - values.at_action
        network.train()
        return self.config.conservatism * gap / len(scenes)
