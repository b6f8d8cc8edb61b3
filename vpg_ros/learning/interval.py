"""Bootstrap intervals (Efron 1979), and tests over trainings."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t, ttest_1samp

from vpg_ros.errors import ErrorCode, require
from vpg_ros.learning.figures import CONFIDENCE, Figure, Run, completion, same_tables

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


def clustered(trainings: Sequence[Sequence[Run]]) -> Figure:
    """Share of runs completed, of several trainings, with a 95 % interval.

    Runs of one training have much in common. Wilson's interval is therefore that of their effective
    number: fewer by the factor that trainings differ more than their numbers of runs account for
    (the design effect), and by what so few trainings tell of that (Korn and Graubard 1998). trials:
    all runs.
    """
    groups = [np.array([run.completed for run in runs], float) for runs in trainings if runs]
    found = completion([run for runs in trainings for run in runs])
    if len(groups) < 2 or not found.value or found.value == 1.0:
        return found
    count, share = found.trials, found.value
    deviations = sum(float((group - share).sum()) ** 2 for group in groups)
    variance = len(groups) / (len(groups) - 1) * deviations / count**2
    effect = max(1.0, variance / (share * (1 - share) / count))
    few = _quantile_of_t(count - 1) / _quantile_of_t(len(groups) - 1)
    return Figure(share, *_wilson(share, count / effect * few**2), count)


def _quantile_of_t(freedom: int) -> float:
    return float(t.ppf((1 + CONFIDENCE) / 2, freedom))


def _wilson(share: float, count: float) -> tuple[float, float]:
    """Wilson's interval of a share of ``count`` outcomes, which need not be a whole number."""
    z2 = float(norm.ppf((1 + CONFIDENCE) / 2)) ** 2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = (z2 * (share * (1 - share) / count + z2 / (4 * count**2))) ** 0.5 / (1 + z2 / count)
    return middle - half, middle + half


def completion_difference(
    trainings: Sequence[tuple[Sequence[Run], Sequence[Run]]],
) -> dict[str, float] | None:
    """How much more tables the first runs of each training complete than its second ones.

    Of the tables that both played, with a 95 % interval: trainings are drawn anew first, then the
    tables of each, so that what a training's tables have in common counts once (Davison and Hinkley
    1997, section 3.8); no narrower than Student's over the trainings' differences, as few of them
    vary less when drawn anew than others would. ``value``, ``low``, ``high``; None without such
    tables.
    """
    groups = _differences(trainings)
    if not groups:
        return None
    found = _nested(groups, lambda tables: float(tables.mean()))
    half = _half_width([float(group.mean()) for group in groups])
    low, high = found["value"] - half, found["value"] + half
    return {
        **found,
        "low": max(-1.0, min(found["low"], low)),
        "high": min(1.0, max(found["high"], high)),
    }


def _half_width(values: Sequence[float]) -> float:
    """Of Student's interval of a mean; 0 of a single value, which says nothing of others."""
    if len(values) < 2:
        return 0.0
    return _quantile_of_t(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))


def accident_ratio(
    trainings: Sequence[tuple[Sequence[Run], Sequence[Run]]],
) -> dict[str, float | None] | None:
    """Accidents of the first runs of each training as a multiple of those of its second ones.

    As ``completion_difference``; None where the second ones had none. ``high`` is None where there
    is no bound: too many resamples have accidents of the first runs alone.
    """
    groups = [
        np.array([[a.accidents, b.accidents] for a, b in pairs], float)
        for ours, theirs in trainings
        if (pairs := same_tables(ours, theirs))
    ]
    if not groups or not np.concatenate(groups)[:, 1].any():
        return None

    def ratio(tables: NDArray[np.float64]) -> float:
        ours, theirs = tables.sum(axis=0)
        if not theirs:  # none at all says nothing of their ratio
            return math.inf if ours else math.nan
        return float(ours / theirs)

    found = _nested(groups, ratio)
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def _nested(
    groups: Sequence[NDArray[np.float64]], statistic: Callable[[NDArray[np.float64]], float]
) -> dict[str, float]:
    """A statistic of the rows of all groups; its interval by drawing groups, then rows of each."""
    rng = np.random.default_rng(0)

    def resampled(chosen: NDArray[np.intp]) -> float:
        return statistic(np.concatenate([rng.choice(groups[i], len(groups[i])) for i in chosen]))

    low, high = bootstrap(len(groups), resampled, seed=0)
    return {"value": statistic(np.concatenate(groups)), "low": low, "high": high}


def completion_p(trainings: Sequence[tuple[Sequence[Run], Sequence[Run]]]) -> float | None:
    """Two-sided p-value that the first runs of trainings complete as many tables as the second.

    Of a paired t-test over the trainings' differences, as of ``completion_difference``: a training
    counts once, however many tables it played. None for fewer than two trainings, and where all
    differ by the same, which leaves nothing to judge chance by.
    """
    found = np.array([group.mean() for group in _differences(trainings)])
    if len(found) < 2 or np.ptp(found) == 0:
        return None
    return float(ttest_1samp(found, 0.0).pvalue)


def _differences(
    trainings: Sequence[tuple[Sequence[Run], Sequence[Run]]],
) -> list[NDArray[np.float64]]:
    """Of completion, table by table, of each training with tables that both played."""
    played = [pairs for ours, theirs in trainings if (pairs := same_tables(ours, theirs))]
    return [np.array([float(a.completed) - b.completed for a, b in pairs]) for pairs in played]


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
