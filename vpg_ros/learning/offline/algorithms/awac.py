"""Advantage-weighted actor-critic (Nair et al. 2020)."""

from typing import ClassVar

from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.learner import CPU
from vpg_ros.learning.offline.actor_critic import ActorCritic
from vpg_ros.learning.offline.algorithm import register
from vpg_ros.learning.offline.boltzmann import expected_value
from vpg_ros.policy.acting import value_maps


@register
class AWAC(ActorCritic):
    """The critic values what the actor would do, and the actor does what is better than that.

    V(s) = Σ_a π(a|s) Q(s, a), exactly, over all admissible actions; Q is drawn towards r + γ V(s')
    (equation 2) and the actor towards exp(A/λ), 1/λ the sharpness (equation 13).
    """

    name: ClassVar[str] = "awac"

    def scene_value(self, scene: Heightmap) -> float:
        """What the actor may expect."""
        critic, actor = (
            value_maps(network, CPU, scene) for network in (self.critic.network, self.network)
        )
        return expected_value(critic, actor, self.config.temperature)
