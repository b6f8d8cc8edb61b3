"""DQN: the learner's own Q-learning, on a log (Mnih et al. 2015, equation 2)."""

from typing import Any, ClassVar

from vpg_ros.learning.offline.algorithm import VALUES, Algorithm, register
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.log import Log
from vpg_ros.learning.offline.log_learner import LogLearner
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import Network


@register
class DQN(Algorithm):
    """y = r + γ max_a Q⁻(s', a), Q⁻ the averaged weights, where the target rule bootstraps."""

    name: ClassVar[str] = "dqn"
    heeds: ClassVar[tuple[str, ...]] = (*VALUES, "head", "accident_cost")

    def __init__(self, log: Log, network: NetworkConfig, config: OfflineConfig) -> None:
        super().__init__(log, network, config)
        self._learner = self.make_learner(network, log)

    def make_learner(self, network: NetworkConfig, log: Log) -> LogLearner:
        """The learner of action values."""
        return LogLearner(log, network, self.config)

    def update(self) -> float:
        """The learner's."""
        return self._learner.update()

    @property
    def network(self) -> Network:
        """Its averaged weights."""
        return self._learner.network

    @property
    def valuing(self) -> Network:
        """The same."""
        return self.network

    def state(self) -> dict[str, Any]:
        """The learner's."""
        return self._learner.state()

    def restore(self, state: dict[str, Any]) -> None:
        """The learner's; the log is its replay."""
        self._learner.restore(state)
