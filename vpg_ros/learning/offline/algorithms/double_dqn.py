"""Double DQN (van Hasselt et al. 2016, equation 4)."""

from typing import ClassVar

from vpg_ros.learning.learner import LearnerConfig
from vpg_ros.learning.offline.algorithm import register
from vpg_ros.learning.offline.algorithms.dqn import DQN


@register
class DoubleDQN(DQN):
    """y = r + γ Q⁻(s', argmax_a Q(s', a)): one network chooses, the other one values."""

    name: ClassVar[str] = "double-dqn"

    def learner_config(self) -> LearnerConfig:
        """Double."""
        return self.config.learner(double=True)
