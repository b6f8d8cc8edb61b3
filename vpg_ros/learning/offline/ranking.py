"""How well estimates rank policies, against what these earn in simulation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from vpg_ros.errors import require
from vpg_ros.learning.interval import Estimate, bootstrap_mean
from vpg_ros.learning.rollout import Source


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


def true_return(source: Source, gamma: float, episodes: int, seed: int) -> Estimate:
    """Σ γ^t r_t of who acts in ``source``, played; the mean over episodes and its interval."""
    found = [
        sum(gamma**t * each.reward for t, each in enumerate(source.episode(number, 0)))
        for number in range(episodes)
    ]
    return bootstrap_mean(np.array(found), seed)
