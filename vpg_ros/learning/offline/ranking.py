"""How well estimates rank policies, against what these earn in simulation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.learning.env import TableEnv
from vpg_ros.learning.offline.interval import Estimate, bootstrap_mean
from vpg_ros.policy import Policy


@dataclass(frozen=True)
class Ranking:
    """How well estimates rank N policies.

    spearman: correlation of the ranks, NaN where all estimates or all truths are equal. regret:
    what the policy of the highest estimate earns less than the best one.
    """

    spearman: float
    regret: float


def ranking(estimates: Sequence[float], truths: Sequence[float]) -> Ranking:
    """Compare estimates of the same policies' returns with the truth; PARAMETER_INVALID for < 2."""
    require(
        len(estimates) == len(truths) >= 2,
        f"there are {len(estimates)} estimates and {len(truths)} truths; at least two of each, of "
        "the same policies, can be ranked",
    )
    regret = max(truths) - truths[int(np.argmax(estimates))]
    varied = len(set(estimates)) > 1 and len(set(truths)) > 1
    rho = float(spearmanr(estimates, truths).statistic) if varied else float("nan")
    return Ranking(rho, float(regret))


def true_return(
    env: TableEnv, policy: Policy, gamma: float, episodes: int, seed: int, objects: int = 8
) -> Estimate:
    """Σ γ^t r_t of a policy on ``episodes`` random tables, played; the mean and its interval."""
    found = [
        _play(env, policy, gamma, 10_000 * (seed + 1) + number, objects)
        for number in range(episodes)
    ]
    return bootstrap_mean(np.array(found), seed)


def _play(env: TableEnv, policy: Policy, gamma: float, seed: int, objects: int) -> float:
    heightmap, earned, discount = env.reset("random", objects, seed), 0.0, 1.0
    while not env.over:
        try:
            action = policy.decide(heightmap, env.tried).action
        except VpgError as error:
            if error.code is not ErrorCode.NO_ADMISSIBLE_ACTION:
                raise
            break
        transition = env.step(action)
        heightmap = transition.after
        earned += discount * transition.reward
        discount *= gamma
    return earned
