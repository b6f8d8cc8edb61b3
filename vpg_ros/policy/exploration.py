"""Exploration: a share of random actions among those of a policy, for learning while working."""

from collections.abc import Sequence

import numpy as np

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.baselines import RandomPolicy
from vpg_ros.policy.policy import Decision, Policy

# Of the random actions, those drawn from all primitives; the rest is drawn from those that pick,
# which alone teach most of what there is to learn at first.
OTHER_SHARE = 0.4


class Exploration:
    """Replaces decisions by random ones; decision i depends on the seed and on i alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._decisions = 0

    def decide(
        self, policy: Policy, share: float, heightmap: Heightmap, tried: Sequence[Action] = ()
    ) -> Decision:
        """A random decision with probability ``share``, else that of ``policy``; raises as it."""
        rng = np.random.default_rng((self._seed, self._decisions))
        self._decisions += 1
        if rng.random() >= share:
            return policy.decide(heightmap, tried)
        others = rng.random() < OTHER_SHARE
        names = tuple(n for n in primitives.names() if others or primitives.get(n).picks)
        try:
            return RandomPolicy(int(rng.integers(2**31)), names).decide(heightmap, tried)
        except VpgError as error:
            if error.code is not ErrorCode.NO_ADMISSIBLE_ACTION:
                raise
            return policy.decide(heightmap, tried)
