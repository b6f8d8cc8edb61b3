"""Intervals and tests over trainings, on runs whose figures are known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from vpg_ros.learning.comparison import (
    accident_p,
    accident_ratio,
    completion_difference,
    completion_p,
    exact_accident_p,
)
from vpg_ros.learning.figures import Run, accidents, completion
from vpg_ros.learning.interval import accident_rate, clustered, student
from vpg_ros.learning.newcombe import paired_shares


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
    whole = clustered([runs(40)] * 5)
    assert whole.high == pytest.approx(1.0) and whole.low == pytest.approx(0.963, abs=1e-3), (
        "Wilson's of 101"
    )


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
    assert 0 < found["low"] < 0.5 < found["high"] < 1.5
    assert accident_ratio([(careful[:9], other)]) is not None, "one table was played once"
    assert accident_ratio([(careful, runs(9, 10))]) is None, "nothing to compare with"


def test_accidents_that_never_happened_may_happen_yet() -> None:
    """A share of 0 of n has an upper bound of 1 - 0.025 ** (1 / n) (Clopper and Pearson 1934)."""
    one = (runs(60, 60), runs(60, 60, accidents=2))
    share = 1 - 0.025**0.5
    found = accident_ratio([one])
    assert found == {"value": 0, "low": 0, "high": pytest.approx(share / (1 - share))}
    five = accident_ratio([one] * 5)
    share = 1 - 0.025**0.1
    assert five == {"value": 0, "low": 0, "high": pytest.approx(share / (1 - share))}
    json.dumps(found, allow_nan=False)


def poisson(rng: np.random.Generator, rate: float) -> list[Run]:
    """40 tables with accidents at a rate."""
    return [replace(run, accidents=int(rng.poisson(rate))) for run in runs(40)]


@pytest.mark.parametrize("trainings", [1, 2, 3, 5])
def test_intervals_of_accidents_hold_as_often_as_they_say(trainings: int) -> None:
    """Half as many as 0.6 a table in the mean; trainings vary around that by half of it."""
    rng, held = np.random.default_rng(trainings), np.zeros(2)
    for _ in range(200):
        rates = 0.3 * (rng.gamma(4, 1 / 4, trainings) if trainings > 1 else np.ones(1))
        pairs = [(poisson(rng, rate), poisson(rng, 0.6)) for rate in rates]
        ratio, rate = accident_ratio(pairs), accident_rate([ours for ours, _ in pairs])
        assert ratio is not None
        held += ratio["low"] <= 0.5 <= ratio["high"], rate.low <= 0.3 <= rate.high
    assert (held >= 0.92 * 200).all()


def test_a_rate_of_several_trainings_is_no_surer_than_they_agree() -> None:
    alike, apart = ([runs(9, 10, accidents=n) for n in each] for each in ((2, 2), (0, 4)))
    pooled = accidents([run for each in alike for run in each])
    assert accident_rate(alike) == pooled == accident_rate([runs(9, 20, accidents=4)])
    found = accident_rate(apart)
    assert (found.value, found.low, found.trials) == (0.2, 0.0, 20) and found.high > 2


def test_completion_that_never_differed_may_differ_yet() -> None:
    """Wilson's interval of 60 of 60 begins at 60 / (60 + 1.96²)."""
    same = (runs(60, 60), runs(60, 60))
    found = completion_difference([same])
    assert found is not None and found["value"] == 0
    assert (-found["low"], found["high"]) == pytest.approx((0.0602, 0.0602), abs=1e-4)
    five = completion_difference([same] * 5)
    assert five is not None and 0.012 < five["high"] == -five["low"] < 0.013


def test_an_interval_of_paired_shares_holds_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(0), 0
    for _ in range(500):
        drawn, alike = rng.random((40, 2)), rng.random(40) < 0.6
        drawn[alike, 1] = drawn[alike, 0]
        low, high = paired_shares((drawn < (0.6, 0.5)).astype(float))
        held += low <= 0.1 <= high
    assert 0.94 * 500 <= held < 500


def test_a_mean_over_trainings_has_the_interval_of_student() -> None:
    """Of three, t of two degrees of freedom, 4.303, times 1 / √3."""
    found = student([1.0, 2.0, 3.0])
    assert found["value"] == 2.0 and found["high"] - 2.0 == pytest.approx(4.303 / 3**0.5, abs=1e-3)
    assert student([7.0]) == {"value": 7.0, "low": None, "high": None}, "one says nothing of others"
    assert student([7.0, 7.0]) == student([7.0]), "nor do two that are alike"
    assert student([])["value"] is None


def test_accidents_of_trainings_are_judged_by_trainings_and_of_one_by_its_tables() -> None:
    careful, other = runs(9, 10, accidents=1), runs(9, 10, accidents=6)
    assert exact_accident_p(careful, other) == pytest.approx(0.125)
    assert exact_accident_p(runs(9), runs(9)) == 1.0 and exact_accident_p([], other) is None
    assert accident_p([(careful, other)]) is None
    found = accident_p([(careful, other), (careful, runs(9, 10, accidents=4))])
    assert found == pytest.approx(0.156, abs=1e-3), "of differences of 5 and 3 in 10"


def test_differences_that_do_not_vary_have_no_p() -> None:
    one_more = (runs(21), runs(20))
    assert completion_p([one_more, one_more]) is None
    assert completion_p([(runs(29), runs(20)), one_more]) == pytest.approx(0.430, abs=0.08)
