"""Advantage-weighted actor-critic (Nair et al. 2020)."""

from typing import ClassVar

from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.learner import CPU
from vpg_ros.learning.offline.actor_critic import ActorCritic
from vpg_ros.learning.offline.algorithm import register
from vpg_ros.learning.offline.boltzmann import LikelyActions
from vpg_ros.policy.acting import value_maps
from vpg_ros.policy.maps import cells_within


@register
class AWAC(ActorCritic):
    """The critic values what the actor would do, and the actor does what is better than that.

    V(s, x) = Σ_a π(a|s) Q(s, a) over all admissible actions within reach of a place x; Q is drawn
    towards r + γ V(s', x), x where a was done (equation 2), where the target rule bootstraps, else
    towards r, by the loss of the learner's head; and the actor towards exp(A/λ), 1/λ the sharpness
    (equation 13).
    """

    name: ClassVar[str] = "awac"

    def place_value(self, scene: Heightmap, row: int, column: int, reach: float) -> float:
        """What the actor may expect, of the primitives whose values the critic learns by now."""
        near = cells_within(reach, row, column, scene, 1)
        critic, actor = (
            value_maps(network, CPU, scene, near, self.critic.valued)
            for network in (self.critic.network, self.network)
        )
        return LikelyActions.of(actor, self.config.temperature).expected(critic)
