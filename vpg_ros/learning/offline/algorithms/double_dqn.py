"""Double DQN (van Hasselt et al. 2016, equation 4)."""

from typing import ClassVar

from vpg_ros.learning.offline.algorithm import register
from vpg_ros.learning.offline.algorithms.dqn import DQN
from vpg_ros.learning.offline.log import Log
from vpg_ros.learning.offline.log_learner import LogLearner
from vpg_ros.policy.config import NetworkConfig


@register
class DoubleDQN(DQN):
    """y = r + γ Q⁻(s', argmax_a Q(s', a)): one network chooses, the other one values."""

    name: ClassVar[str] = "double-dqn"

    def make_learner(self, network: NetworkConfig, log: Log) -> LogLearner:
        """Double."""
        return LogLearner(log, network, self.config, double=True)
