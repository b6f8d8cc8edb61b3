"""Bootstrap intervals (Efron 1979)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpg_ros.errors import ErrorCode, require
from vpg_ros.learning.figures import CONFIDENCE

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


def bootstrap(
    count: int, statistic: Callable[[NDArray[np.intp]], float], seed: int
) -> tuple[float, float]:
    """Percentile interval of a statistic of ``count`` items, given the indices of a resample."""
    rng = np.random.default_rng(seed)
    found = [statistic(rng.integers(0, count, count)) for _ in range(SAMPLES)]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(found, [tail, 100 - tail])
    return float(low), float(high)
