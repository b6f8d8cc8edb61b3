"""Bootstrap intervals (Efron 1979)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpg_ros.errors import ErrorCode, require
from vpg_ros.learning.figures import CONFIDENCE, Run

SAMPLES = 2000  # resamples of an interval


@dataclass(frozen=True)
class Estimate:
    """An estimate and its 95 % interval.

    samples: episodes or scenes behind it. effective: their effective number (Kish 1965), which
    weights make smaller.
    """

    value: float
    low: float
    high: float
    samples: int
    effective: float


def bootstrap_mean(values: NDArray[np.floating[Any]], seed: int) -> Estimate:
    """The mean of N values; raises STORE_UNREADABLE without any."""
    count = len(values)
    require(count > 0, "the data set has no whole episode", ErrorCode.STORE_UNREADABLE)
    low, high = bootstrap(count, lambda chosen: float(values[chosen].mean()), seed)
    return Estimate(float(values.mean()), low, high, count, float(count))


def completion_difference(
    trainings: Sequence[tuple[Sequence[Run], Sequence[Run]]],
) -> dict[str, float] | None:
    """How much more tables the first runs of each training complete than its second ones.

    Of the tables that both played, with a 95 % interval: trainings are drawn anew first, then the
    tables of each, so that what a training's tables have in common counts once (Davison and Hinkley
    1997, section 3.8). ``value``, ``low``, ``high``; None without such tables.
    """
    groups = [group for ours, theirs in trainings if len(group := _paired(ours, theirs))]
    if not groups:
        return None
    rng = np.random.default_rng(0)

    def resampled(chosen: NDArray[np.intp]) -> float:
        return float(np.concatenate([rng.choice(groups[i], len(groups[i])) for i in chosen]).mean())

    low, high = bootstrap(len(groups), resampled, seed=0)
    return {"value": float(np.concatenate(groups).mean()), "low": low, "high": high}


def _paired(ours: Sequence[Run], theirs: Sequence[Run]) -> NDArray[np.float64]:
    other = {(run.case, run.seed): run.completed for run in theirs}
    pairs = ((run.completed, other.get((run.case, run.seed))) for run in ours)
    return np.array([float(a) - b for a, b in pairs if b is not None])


def bootstrap(
    count: int, statistic: Callable[[NDArray[np.intp]], float], seed: int
) -> tuple[float, float]:
    """Percentile interval of a statistic of ``count`` items, given the indices of a resample."""
    rng = np.random.default_rng(seed)
    found = [statistic(rng.integers(0, count, count)) for _ in range(SAMPLES)]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(found, [tail, 100 - tail])
    return float(low), float(high)
