"""Exploration: random actions, and a share of them among those of a policy."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.baselines import RandomPolicy
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.policy import Decision, Policy
from vpg_ros.primitives import DEFAULT_REPERTOIRE

OTHER_SHARE = 0.4  # of the random actions of Exploration
GUIDED = "guided"  # who chose what ``explore_primitives`` does


def explore(
    rng: np.random.Generator,
    other_share: float,
    heightmap: Heightmap,
    tried: Sequence[Action] = (),
    masked: bool = True,
    names: tuple[str, ...] = DEFAULT_REPERTOIRE,
) -> Decision:
    """A random decision; raises as RandomPolicy.

    Its probability is not known: that of the last draw is not that of this action, which others of
    the draws, and the policy whose place it takes, might have led to as well. other_share: chance
    that it is drawn from all of ``names`` instead of from those that pick, which alone teach most
    of what there is to learn at first, where any of them is admissible. masked: as of RandomPolicy.
    """
    others = rng.random() < other_share
    picking = tuple(name for name in names if primitives.get(name).picks)
    seed = int(rng.integers(2**31))
    try:
        chosen = names if others or not picking else picking
        decision = RandomPolicy(seed, chosen, masked).decide(heightmap, tried)
    except VpgError as error:
        if error.code is not ErrorCode.NO_ADMISSIBLE_ACTION:
            raise
        decision = RandomPolicy(seed, names, masked).decide(heightmap, tried)
    return replace(decision, action=replace(decision.action, probability=0.0))


def explore_primitives(
    rng: np.random.Generator,
    policy: NetworkPolicy,
    heightmap: Heightmap,
    tried: Sequence[Action] = (),
) -> Decision:
    """What the policy would do with a random primitive: chance chooses what, its values where.

    The action is not the policy's, which might have chosen otherwise. Raises as the policy, where
    none of its primitives is admissible.
    """
    order = ((name,) for name in rng.permutation(policy.names).tolist())
    decision = policy.decide_among(order, heightmap, tried)
    drawn = replace(decision.action, probability=0.0, policy=GUIDED)
    return replace(decision, action=drawn)


class Exploration:
    """Replaces decisions by random ones; decision i depends on the seed and on i alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._decisions = 0

    def decide(
        self,
        policy: Policy,
        share: float,
        heightmap: Heightmap,
        tried: Sequence[Action] = (),
        names: tuple[str, ...] = DEFAULT_REPERTOIRE,
    ) -> Decision:
        """With probability ``share`` a random decision among ``names``, else that of ``policy``.

        Raises as both.
        """
        rng = np.random.default_rng((self._seed, self._decisions))
        self._decisions += 1
        if rng.random() >= share:
            return policy.decide(heightmap, tried)
        return explore(rng, OTHER_SHARE, heightmap, tried, names=names)
