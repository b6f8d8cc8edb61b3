"""What algorithms of a critic and an actor share."""

from abc import abstractmethod
from collections.abc import Sequence
from math import exp, log
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.offline.actor import Actor
from vpg_ros.learning.offline.algorithm import VALUES, Algorithm
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.critic import action_values
from vpg_ros.learning.offline.log import Log
from vpg_ros.learning.offline.log_learner import LogLearner
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import Network

LARGEST_WEIGHT = 100.0  # of an action in the actor's loss


class ActorCritic(Algorithm):
    """A learner values actions; an actor imitates those that it values above others.

    The actor's loss weighs ln π(a|s) with exp(β A(s, a)), A = Q(s, a) − V(s, x) the advantage over
    what is done within reach of where a was, and β the sharpness. What V is, the algorithm says.
    """

    heeds: ClassVar[tuple[str, ...]] = VALUES

    def __init__(self, log: Log, network: NetworkConfig, config: OfflineConfig) -> None:
        super().__init__(log, network, config)
        self.critic = LogLearner(log, network, config, next_value=self.place_value)
        self.actor = Actor(log, network, config)
        self._rng = np.random.default_rng((config.seed, 1))
        self._picks = [i for i in range(len(log)) if log.picks(i)]

    @abstractmethod
    def place_value(self, scene: Heightmap, row: int, column: int, reach: float) -> float:
        """V(s, x), x a pixel, of what is done at most ``reach`` m from it."""

    def update(self) -> float:
        """One step of the critic, and one of the actor, whose loss is returned.

        As long as the critic learns of picks alone, the actor does: it knows no others' value.
        """
        self.critic.update()
        indices = self.actor.draw(self.known())
        return self.actor.update(indices, [self._weight(i) for i in indices])

    def known(self) -> Sequence[int]:
        """Indices of the actions whose values the critic learns by now."""
        return range(len(self.log)) if self.critic.knows_all else self._picks

    def _weight(self, index: int) -> float:
        each = self.log.experiences[index]
        scene, reach = each.before(self.log.workspace), self.critic.config.reach_of(each.primitive)
        value = self.place_value(scene, each.row, each.column, reach)
        advantage = float(self.values([index])[0]) - value
        return exp(min(self.config.sharpness * advantage, log(LARGEST_WEIGHT)))

    def values(self, indices: Sequence[int]) -> Tensor:
        """Q(s, a) of actions of the log, by the critic's averaged weights, N."""
        experiences = [self.log.experiences[i] for i in indices]
        return action_values(self.critic.network, experiences, int(self._rng.integers(2**31)))

    @property
    def network(self) -> Network:
        """The actor."""
        return self.actor.network

    @property
    def valuing(self) -> Network:
        """The critic: the actor's outputs are no values."""
        return self.critic.network

    def state(self) -> dict[str, Any]:
        """Both."""
        rng = self._rng.bit_generator.state
        return {"critic": self.critic.state(), "actor": self.actor.state(), "rng": rng}

    def restore(self, state: dict[str, Any]) -> None:
        """Both."""
        self.critic.restore(state["critic"])
        self.actor.restore(state["actor"])
        self._rng.bit_generator.state = state["rng"]
