"""Intervals and tests over trainings, on runs whose figures are known."""

import json

import numpy as np
import pytest

from vpg_ros.learning.figures import Run, completion
from vpg_ros.learning.interval import (
    accident_ratio,
    clustered,
    completion_difference,
    completion_p,
)


def runs(completed: int, of: int = 40, accidents: int = 0) -> list[Run]:
    """Tables, the first ones completed; the first ones with an accident."""
    return [
        Run("tall", i, 1, int(i < completed), 0, 3, 1, 1, 9.0, accidents=int(i < accidents))
        for i in range(of)
    ]


def test_trainings_that_differ_widen_the_interval() -> None:
    alike, apart, single = (
        clustered([runs(n) for n in each]) for each in ((20,) * 5, (40, 0, 20, 40, 0), (40,))
    )
    assert (alike.value, alike.trials, apart.value, apart.trials) == (0.5, 200, 0.5, 200)
    assert 0.40 < alike.low < 0.41 and 0.59 < alike.high < 0.60, "Wilson's of 101 tables"
    assert apart.low < 0.2 and apart.high > 0.8, "of five trainings, not of 200 tables"
    assert single == completion(runs(40))


@pytest.mark.parametrize("trainings", [2, 3, 5])
def test_the_interval_holds_the_share_as_often_as_it_says(trainings: int) -> None:
    """Of trainings whose own shares vary around 0.7 as much as those of whole studies did."""
    rng = np.random.default_rng(trainings)
    held = 0
    for _ in range(400):
        shares = np.clip(rng.normal(0.7, 0.12, trainings), 0, 1)
        found = clustered([runs(int(rng.binomial(30, share)), of=30) for share in shares])
        held += found.low <= 0.7 <= found.high
    assert held >= 0.93 * 400


@pytest.mark.parametrize("trainings", [2, 5])
def test_the_interval_holds_a_difference_as_often_as_it_says(trainings: int) -> None:
    """Of trainings that gain 0.2 in the mean, and vary as those of whole studies did."""
    rng = np.random.default_rng(trainings)
    held = 0
    for _ in range(100):
        shares = np.clip(rng.normal(0.7, 0.12, trainings), 0, 1)
        pairs = [(runs(round(22 * share), 22), runs(round(22 * 0.5), 22)) for share in shares]
        found = completion_difference(pairs)
        assert found is not None and -1 <= found["low"] <= found["value"] <= found["high"] <= 1
        held += found["low"] <= 0.2 <= found["high"]
    assert held >= 93


def test_accidents_are_compared_table_by_table() -> None:
    careful, other = runs(9, 10, accidents=2), runs(9, 10, accidents=4)
    found = accident_ratio([(careful, [*reversed(other)])] * 3)
    assert found is not None and found["value"] == 0.5
    assert found["low"] is not None and found["high"] is not None
    assert 0 < found["low"] < 0.5 < found["high"] <= 1
    assert accident_ratio([(careful[:9], other)]) is not None, "one table was played once"
    assert accident_ratio([(careful, runs(9, 10))]) is None, "nothing to compare with"


def test_an_accident_too_rare_to_compare_has_no_upper_bound() -> None:
    safe, rare = runs(9, 10), runs(9, 10, accidents=1)
    found = accident_ratio([(safe, rare), (safe, safe), (rare, safe)])
    assert found is not None and found["value"] == 1.0 and found["high"] is None
    json.dumps(found, allow_nan=False)


def test_differences_that_do_not_vary_have_no_p() -> None:
    one_more = (runs(21), runs(20))
    assert completion_p([one_more, one_more]) is None
    assert completion_p([(runs(29), runs(20)), one_more]) == pytest.approx(0.430, abs=0.08)
