"""How two ways to play compare over trainings: 95 % intervals and tests of what they differ by.

A training is the runs of both ways with its weights; tables that only one of them played are left
out.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, ttest_1samp

from vpg_ros.learning.figures import CONFIDENCE, Run, same_tables
from vpg_ros.learning.interval import bootstrap, student
from vpg_ros.learning.newcombe import Bounds, Pairs, paired_shares

Trainings = Sequence[tuple[Sequence[Run], Sequence[Run]]]


def completion_difference(trainings: Trainings) -> dict[str, float] | None:
    """How much more tables the first runs of each training complete than its second ones.

    ``value``, ``low``, ``high``; None without tables that both played. The interval is no narrower
    than each of three: of trainings drawn anew, and then the tables of each, so that what a
    training's tables have in common counts once (Davison and Hinkley 1997, section 3.8); Student's
    over the trainings' differences, as few of them vary less when drawn anew than others would; and
    Newcombe's of all tables, as none that differ say little of whether others would.
    """
    groups = _tables(trainings, _completed)
    if not groups:
        return None
    tables = np.concatenate(groups)
    value = _difference(tables)
    half = _half_width([_difference(group) for group in groups])
    every = (_drawn_anew(groups), (value - half, value + half), paired_shares(tables))
    low, high = min(each[0] for each in every), max(each[1] for each in every)
    return {"value": value, "low": max(-1.0, low), "high": min(1.0, high)}


def completion_p(trainings: Trainings) -> float | None:
    """Two-sided p-value that the first runs of trainings complete as many tables as the second.

    Of a paired t-test over the trainings' differences, as of ``completion_difference``: a training
    counts once, however many tables it played. None for fewer than two trainings, and where all
    differ by the same, which leaves nothing to judge chance by.
    """
    return _paired_p(_tables(trainings, _completed))


def accident_ratio(trainings: Trainings) -> dict[str, float] | None:
    """Accidents of the first runs of trainings as a multiple of those of the second ones.

    ``value``, ``low``, ``high``; None where the second ones had none. Given all accidents, the
    share that the first runs had of them is that of a binomial draw: the interval is no narrower
    than the exact one of that share (Clopper and Pearson 1934), and than Student's over the
    logarithms of the trainings' ratios, with half an accident more on either side for those without
    any (Haldane 1956).
    """
    counts = np.array([each.sum(axis=0) for each in _tables(trainings, _accidents)])
    ours, theirs = counts.sum(axis=0) if len(counts) else (0.0, 0.0)
    if not theirs:
        return None
    share = binomtest(int(ours), int(ours + theirs)).proportion_ci(CONFIDENCE, method="exact")
    low, high = (float(end / (1 - end)) for end in share)
    middle = _log_ratio(ours, theirs)
    half = _half_width([_log_ratio(*each) for each in counts])
    return {
        "value": float(ours / theirs),
        "low": min(low, math.exp(middle - half)),
        "high": max(high, math.exp(middle + half)),
    }


def accident_p(trainings: Trainings) -> float | None:
    """Two-sided p-value that both have equally many accidents; otherwise as ``completion_p``."""
    return _paired_p(_tables(trainings, _accidents))


def exact_accident_p(first: Sequence[Run], second: Sequence[Run]) -> float | None:
    """Two-sided p-value that the weights of one training have equally many accidents both ways.

    Given how many there were in all (Przyborowski and Wilenski 1940); it says nothing of other
    trainings. None without tables that both played.
    """
    tables = _tables([(first, second)], _accidents)
    if not tables:
        return None
    ours, theirs = (int(count) for count in tables[0].sum(axis=0))
    return float(binomtest(ours, ours + theirs).pvalue) if ours + theirs else 1.0


def _accidents(run: Run) -> float:
    return float(run.accidents)


def _completed(run: Run) -> float:
    return float(run.completed)


def _tables(trainings: Trainings, figure_of: Callable[[Run], float]) -> list[Pairs]:
    """A figure of all runs, table by table, of each training with tables that both played."""
    played = [pairs for ours, theirs in trainings if (pairs := same_tables(ours, theirs))]
    return [np.array([[figure_of(a), figure_of(b)] for a, b in pairs]) for pairs in played]


def _difference(tables: Pairs) -> float:
    return float((tables[:, 0] - tables[:, 1]).mean())


def _log_ratio(ours: float, theirs: float) -> float:
    return math.log((ours + 0.5) / (theirs + 0.5))


def _half_width(values: Sequence[float]) -> float:
    """Of Student's interval; 0 where it has no bounds, so that another one has to give them."""
    found = student(values)
    if found["high"] is None or found["value"] is None:
        return 0.0
    return found["high"] - found["value"]


def _paired_p(groups: Sequence[Pairs]) -> float | None:
    """Of a t-test over the trainings' mean differences; None where there is nothing to judge by."""
    found = np.array([_difference(each) for each in groups])
    if len(found) < 2 or np.ptp(found) == 0:
        return None
    return float(ttest_1samp(found, 0.0).pvalue)


def _drawn_anew(groups: Sequence[Pairs]) -> Bounds:
    """Percentile interval of the difference, by drawing trainings, then the tables of each."""
    rng = np.random.default_rng(0)

    def resampled(chosen: NDArray[np.intp]) -> float:
        drawn = [rng.choice(groups[i], len(groups[i])) for i in chosen]
        return _difference(np.concatenate(drawn))

    return bootstrap(len(groups), resampled, seed=0)
