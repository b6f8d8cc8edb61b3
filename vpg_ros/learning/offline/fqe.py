"""Fitted Q evaluation: what a policy would earn, from the log of another one (Le et al. 2019)."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.interval import Estimate, bootstrap_mean
from vpg_ros.learning.learner import CPU, Learner
from vpg_ros.learning.offline.boltzmann import Boltzmann, LikelyActions
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.log import Log
from vpg_ros.policy.acting import value_maps

TARGETS = "return"  # the rule whose value is the whole discounted return
# Targets are made anew so many times; after them at least a share γ^ITERATIONS of the first guess
# is left, 0.17 at the default discount, and more where the averaged weights lag behind.
ITERATIONS = 8


def fitted_q_evaluation(
    log: Log,
    policy: Boltzmann,
    config: OfflineConfig,
    report: Callable[[int], None] = lambda updates: None,
) -> Estimate:
    """The policy's discounted return from the scenes that episodes begin with.

    ITERATIONS times, all targets r + γ Σ_b π(b|s') Q(s', b) are made by Q as it is, and Q is drawn
    towards them on the log's actions (Le et al. 2019, algorithm 3), config.updates in all; the
    estimate is the mean over first scenes of Σ_a π(a|s) Q(s, a). The 95 % interval is that of the
    mean over the first scenes of the log (bootstrap): it leaves out the error of Q itself. report:
    hears the updates done.
    """
    learner: Learner
    chances = _Chances(policy)

    def value(scene: Heightmap, row: int = 0, column: int = 0, reach: float = 0.0) -> float:
        return chances.of(scene).expected(value_maps(learner.network, CPU, scene))

    # No target changes while Q is drawn towards them.
    settings = replace(config.learner(targets=TARGETS), refresh_every=config.updates + 1)
    network = policy.network.config
    learner = Learner(network, settings, log.workspace, config.seed, next_value=value)
    for experience in log.experiences:
        learner.remember(experience)
    _iterate(learner, config.updates, report)
    firsts = [run[0] for run in log.by_episode() if log.steps[run[0]] == 0]
    shares = np.array([value(log.experiences[i].before(log.workspace)) for i in firsts])
    return bootstrap_mean(settings.range * shares - settings.accident_cost, config.seed)


def _iterate(learner: Learner, updates: int, report: Callable[[int], None]) -> None:
    """ITERATIONS times new targets, with a like share of the updates towards each."""
    starts = {round(k * updates / ITERATIONS) for k in range(ITERATIONS)}
    for done in range(updates):
        if done in starts:
            learner.targets.value_anew()
        learner.update()
        report(done + 1)


class _Chances:
    """What a policy does in each scene, which does not change while Q is learned."""

    def __init__(self, policy: Boltzmann) -> None:
        self._policy = policy
        self._known: dict[bytes, LikelyActions] = {}

    def of(self, scene: Heightmap) -> LikelyActions:
        """Its actions there."""
        key = hashlib.blake2b(scene.height.tobytes(), digest_size=16).digest()
        if key not in self._known:
            maps = self._policy.maps(scene)
            self._known[key] = LikelyActions.of(maps, self._policy.temperature)
        return self._known[key]
