"""The interval of a difference of two shares of the same tables (Newcombe 1998, method 10)."""

import math

import numpy as np
from numpy.typing import NDArray

from vpg_ros.learning.figures import wilson

Bounds = tuple[float, float]
Pairs = NDArray[np.float64]  # a row for each table: the first way's figure, and the second's


def paired_shares(tables: Pairs) -> Bounds:
    """95 % interval of how much larger the first share is; of some width where no table differs.

    tables: 1 where a table counts in a share, else 0.
    """
    ours, theirs = (float(share) for share in tables.mean(axis=0))
    (low, high), (other_low, other_high) = (_reach(share, len(tables)) for share in (ours, theirs))
    twice = 2 * _correlation(tables.astype(bool))
    below = math.sqrt(low**2 - twice * low * other_high + other_high**2)
    above = math.sqrt(high**2 - twice * high * other_low + other_low**2)
    return ours - theirs - below, ours - theirs + above


def _reach(share: float, count: int) -> Bounds:
    """How far Wilson's interval of a share reaches below and above it."""
    low, high = wilson(share, count)
    return max(0.0, share - low), max(0.0, high - share)


def _correlation(tables: NDArray[np.bool_]) -> float:
    """Of the two, with the correction for continuity where it is positive; 0 where one is alike."""
    ours, theirs = tables.T
    margins = math.prod(float(each.sum()) for each in (ours, ~ours, theirs, ~theirs))
    alike = float((ours & theirs).sum()) * float((~ours & ~theirs).sum())
    together = alike - float((ours & ~theirs).sum()) * float((~ours & theirs).sum())
    if together > 0:
        together = max(0.0, together - len(tables) / 2)
    return together / math.sqrt(margins) if margins else 0.0
