"""Implicit Q-learning (Kostrikov et al. 2022)."""

from typing import Any, ClassVar

from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.offline.actor_critic import ActorCritic
from vpg_ros.learning.offline.algorithm import register
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.critic import PlaceCritic
from vpg_ros.learning.offline.log import Log
from vpg_ros.policy.config import NetworkConfig


@register
class IQL(ActorCritic):
    """Never asks what an action that is not in the log is worth.

    V(s, x) is an expectile of Q(s, a) over the log's actions within reach of a place x (equation
    5), for each reach that a primitive has. Q is drawn towards r + γ V(s', x), x where a was done
    (equation 6), where the target rule bootstraps, else towards r, by the loss of the learner's
    head; and the actor towards actions with an advantage (equation 7).
    """

    name: ClassVar[str] = "iql"

    def __init__(self, log: Log, network: NetworkConfig, config: OfflineConfig) -> None:
        reaches = dict.fromkeys(map(config.learner().reach_of, network.names))
        settings = (config.rate, config.seed)
        self._places = {r: PlaceCritic(network, log.workspace, r, *settings) for r in reaches}
        super().__init__(log, network, config)

    def place_value(self, scene: Heightmap, row: int, column: int, reach: float) -> float:
        """The expectile."""
        return self._places[reach].value(scene, row, column)

    def update(self) -> float:
        """One step of V, Q and the actor; V learns of what Q knows."""
        known = self.known()
        indices = [known[int(i)] for i in self._rng.integers(0, len(known), self.config.batch)]
        experiences = [self.log.experiences[i] for i in indices]
        values = self.values(indices)
        for places in self._places.values():
            places.update(experiences, values, self.config.expectile)
        return super().update()

    def state(self) -> dict[str, Any]:
        """All three."""
        return {**super().state(), "places": [each.state() for each in self._places.values()]}

    def restore(self, state: dict[str, Any]) -> None:
        """All three."""
        super().restore(state)
        found = state["places"]
        kept = found if isinstance(found, list) else [found]  # earlier versions knew one reach
        for places, each in zip(self._places.values(), kept, strict=False):
            places.restore(each)
