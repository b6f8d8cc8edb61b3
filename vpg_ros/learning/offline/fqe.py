"""Fitted Q evaluation: what a policy would earn, from the log of another one (Le et al. 2019)."""

from collections.abc import Callable

import numpy as np

from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.learner import CPU, Learner
from vpg_ros.learning.offline.boltzmann import Boltzmann, expected_value
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.interval import Estimate, bootstrap_mean
from vpg_ros.learning.offline.log import Log
from vpg_ros.learning.targets import RULES
from vpg_ros.policy.acting import value_maps

TARGETS = "return"  # the rule whose value is the whole discounted return


def fitted_q_evaluation(
    log: Log,
    policy: Boltzmann,
    config: OfflineConfig,
    report: Callable[[int], None] = lambda updates: None,
) -> Estimate:
    """The policy's discounted return from the scenes that episodes begin with.

    Q is drawn towards r + γ Σ_b π(b|s') Q⁻(s', b) on the log's actions (Le et al. 2019, algorithm
    3), config.updates times; the estimate is the mean over first scenes of Σ_a π(a|s) Q(s, a). The
    95 % interval is that of the mean over the first scenes of the log (bootstrap): it leaves out
    the error of Q itself. report: hears the updates done.
    """
    learner: Learner

    def value(scene: Heightmap, row: int = 0, column: int = 0) -> float:
        maps = value_maps(learner.network, CPU, scene)
        return expected_value(maps, policy.maps(scene), policy.temperature)

    settings = config.learner(targets=TARGETS)
    network = policy.network.config
    learner = Learner(network, settings, log.workspace, config.seed, next_value=value)
    for experience in log.experiences:
        learner.remember(experience)
    for done in range(config.updates):
        learner.update()
        report(done + 1)
    firsts = [run[0] for run in log.by_episode() if log.steps[run[0]] == 0]
    bound = RULES[TARGETS].bound(0.0, config.gamma)
    scenes = (log.experiences[i].before(log.workspace) for i in firsts)
    return bootstrap_mean(bound * np.array([value(scene) for scene in scenes]), config.seed)
