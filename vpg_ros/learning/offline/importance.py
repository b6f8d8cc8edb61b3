"""Importance sampling: what a policy would earn, from a log whose probabilities are known.

Per-decision importance sampling (Precup et al. 2000, section 3), or its consistent weighted form
(Thomas 2015, CWPDIS): step t of an episode weighs ρ_t = Π_{k ≤ t} π(a_k|s_k) / b(a_k|s_k), π the
policy evaluated and b the one that acted. Whatever π may do b must have been able to do. Episodes
of a policy that always does what it thinks best are therefore left out: in a data set who acts is
drawn for each episode, so that the others are no selection.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vpg_ros.errors import ErrorCode, require
from vpg_ros.learning.interval import Estimate, bootstrap
from vpg_ros.learning.offline.boltzmann import Boltzmann, log_probabilities
from vpg_ros.learning.offline.log import Log
from vpg_ros.policy.maps import pixel_to_cell

FloatArray = NDArray[np.float64]
# Effective episodes below which resamples of them say nothing of what the others might earn.
ENOUGH = 5.0


def importance_sampling(
    log: Log, policy: Boltzmann, gamma: float, seed: int, weighted: bool = True
) -> Estimate:
    """The policy's discounted return, Σ γ^t r_t, with a 95 % bootstrap interval over episodes.

    Of whole episodes in which no action was certain; with fewer effective ones than ENOUGH the
    interval is all that a return can be, of the rewards in the log. weighted: divide by the sum of
    the weights of each step, instead of by the number of episodes. Raises STORE_MISMATCH for a log
    without such episodes, and for one with an action whose probability is not known.
    """
    unknown = sum(not chance > 0 for chance in log.probabilities)
    require(
        unknown == 0,
        f"the probability of {unknown} of {len(log)} actions is not known; importance sampling "
        "takes a data set of `vpg dataset make` of another kind than replay",
        ErrorCode.STORE_MISMATCH,
    )
    runs = [run for run in log.whole_episodes() if max(log.probabilities[i] for i in run) < 1]
    require(
        len(runs) > 0,
        "no whole episode is of a policy that might have acted otherwise; importance sampling "
        "cannot tell what would have come of that",
        ErrorCode.STORE_MISMATCH,
    )
    ratios = [np.array([_ratio(log, policy, i) for i in run]) for run in runs]
    rewards = [np.array([log.experiences[i].reward for i in run]) for run in runs]
    weights, earned = trajectories(ratios, rewards, gamma)
    value, effective = per_decision(weights, earned, weighted), effective_samples(weights[:, -1])
    if effective < ENOUGH:
        every = np.concatenate(rewards)
        low, high = (float(r) / (1 - gamma) for r in (min(every.min(), 0), max(every.max(), 0)))
    else:
        low, high = bootstrap(
            len(runs), lambda chosen: per_decision(weights[chosen], earned[chosen], weighted), seed
        )
    return Estimate(value, low, high, len(runs), effective)


def _ratio(log: Log, policy: Boltzmann, index: int) -> float:
    """π(a|s) / b(a|s) of one action."""
    each = log.experiences[index]
    maps = policy.maps(each.before(log.workspace))
    place = (each.rotation, *pixel_to_cell(each.row, each.column, maps.cell))
    maps.admissible[each.primitive][place] = True
    chances = log_probabilities(maps, policy.temperature)
    return float(np.exp(chances[each.primitive][place])) / log.probabilities[index]


def trajectories(
    ratios: Sequence[FloatArray], rewards: Sequence[FloatArray], gamma: float
) -> tuple[FloatArray, FloatArray]:
    """ρ_t and γ^t r_t of E episodes, E×T; after an episode's end ρ stays and nothing is earned."""
    longest = max(len(each) for each in ratios)
    weights = np.zeros((len(ratios), longest))
    earned = np.zeros_like(weights)
    for row, (ratio, reward) in enumerate(zip(ratios, rewards, strict=True)):
        product = np.cumprod(ratio)
        weights[row] = product[-1]
        weights[row, : len(product)] = product
        earned[row, : len(reward)] = reward * gamma ** np.arange(len(reward))
    return weights, earned


def per_decision(weights: FloatArray, earned: FloatArray, weighted: bool = True) -> float:
    """Σ_t Σ_e ρ γ^t r over Σ_e ρ (weighted) or E; E×T each. 0 where no weight is left."""
    total = weights.sum(axis=0) if weighted else np.full(weights.shape[1], float(len(weights)))
    sums = (weights * earned).sum(axis=0)
    return float(np.divide(sums, total, out=np.zeros_like(sums), where=total > 0).sum())


def effective_samples(weights: FloatArray) -> float:
    """(Σ w)² / Σ w² (Kish 1965); 0 where no weight is left."""
    squares = float((weights**2).sum())
    return float(weights.sum() ** 2 / squares) if squares > 0 else 0.0
