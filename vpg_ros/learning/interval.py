"""Intervals: of means by bootstrap (Efron 1979), and of what trainings come to."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from vpg_ros.errors import ErrorCode, require
from vpg_ros.learning.figures import CONFIDENCE, Figure, Run, accidents, completion, wilson

SAMPLES = 2000  # resamples of an interval

Interval = dict[str, float | None]  # value, low, high; None for what is not known


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


def clustered(trainings: Sequence[Sequence[Run]]) -> Figure:
    """Share of runs completed, of several trainings, with a 95 % interval.

    Runs of one training have much in common. Wilson's interval is therefore that of their effective
    number: fewer by the factor that trainings differ more than their numbers of runs account for
    (the design effect), and by what so few trainings tell of that (Korn and Graubard 1998). trials:
    all runs.
    """
    groups = [np.array([run.completed for run in runs], float) for runs in trainings if runs]
    found = completion([run for runs in trainings for run in runs])
    if len(groups) < 2 or found.value is None:
        return found
    count, share = found.trials, found.value
    deviations = sum(float((group - share).sum()) ** 2 for group in groups)
    variance = len(groups) / (len(groups) - 1) * deviations / count**2
    independent = share * (1 - share) / count
    effect = max(1.0, variance / independent) if independent else 1.0
    few = _quantile_of_t(count - 1) / _quantile_of_t(len(groups) - 1)
    return Figure(share, *wilson(share, count / effect * few**2), count)


def accident_rate(trainings: Sequence[Sequence[Run]]) -> Figure:
    """Accidents a run, of several trainings, with a 95 % interval; trials: all runs.

    No narrower than the exact one of all runs together (``figures.accidents``), and than Student's
    over the trainings' rates, which a training moves as a whole.
    """
    groups = [runs for runs in trainings if runs]
    found = accidents([run for runs in groups for run in runs])
    rates = [sum(run.accidents for run in runs) / len(runs) for runs in groups]
    over = student(rates, least=0.0)
    if found.low is None or found.high is None or over["low"] is None or over["high"] is None:
        return found
    low, high = min(found.low, over["low"]), max(found.high, over["high"])
    return Figure(found.value, low, high, found.trials)


def student(values: Sequence[float], least: float = -math.inf, most: float = math.inf) -> Interval:
    """The mean of one value of each training, with Student's 95 % interval over them.

    least, most: that values can have. Without bounds for a single one, and where all are alike:
    they say nothing of how others differ. Without a value for none.
    """
    if not values:
        return {"value": None, "low": None, "high": None}
    mean = float(np.mean(values))
    if np.ptp(values) == 0:
        return {"value": mean, "low": None, "high": None}
    deviation = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = _quantile_of_t(len(values) - 1) * deviation
    return {"value": mean, "low": max(least, mean - half), "high": min(most, mean + half)}


def _quantile_of_t(freedom: int) -> float:
    return float(t.ppf((1 + CONFIDENCE) / 2, freedom))


def bootstrap(
    count: int, statistic: Callable[[NDArray[np.intp]], float], seed: int
) -> tuple[float, float]:
    """Percentile interval of a statistic of ``count`` items, given the indices of a resample.

    Resamples that it is NaN of are left out; it may be infinite.
    """
    rng = np.random.default_rng(seed)
    found = [statistic(rng.integers(0, count, count)) for _ in range(SAMPLES)]
    tail = 100 * (1 - CONFIDENCE) / 2
    known = [value for value in found if not math.isnan(value)]
    low, high = np.percentile(known, [tail, 100 - tail], method="nearest")
    return float(low), float(high)
