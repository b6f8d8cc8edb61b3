"""Behaviour cloning: do what was done (Pomerleau 1991)."""

from collections.abc import Sequence
from typing import Any, ClassVar

from vpg_ros.learning.offline.actor import Actor
from vpg_ros.learning.offline.algorithm import Algorithm, register
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.log import Log
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import Network


@register
class BehaviourCloning(Algorithm):
    """Maximum likelihood of the actions done: min −E ln π(a|s), the softmax exact."""

    name: ClassVar[str] = "bc"

    def __init__(self, log: Log, network: NetworkConfig, config: OfflineConfig) -> None:
        super().__init__(log, network, config)
        self._actor = Actor(log, network, config)
        self._among = self.cloned()

    def cloned(self) -> Sequence[int]:
        """Indices of the actions that are cloned: all."""
        return range(len(self.log))

    def update(self) -> float:
        """One step on a few scenes."""
        indices = self._actor.draw(self._among)
        return self._actor.update(indices, [1.0] * len(indices))

    @property
    def network(self) -> Network:
        """The clone."""
        return self._actor.network

    @property
    def valuing(self) -> None:
        """None: a clone's outputs say what is likely, not what it is worth."""
        return

    def state(self) -> dict[str, Any]:
        """The actor's."""
        return self._actor.state()

    def restore(self, state: dict[str, Any]) -> None:
        """The actor's."""
        self._actor.restore(state)
