"""Calibration: how often outcomes stay below the quantiles that were predicted for them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.network_policy import NetworkPolicy

LEVELS = tuple(round(0.1 * k, 1) for k in range(1, 10))
# Picks come to one of few values, at least 0.2 apart; a head may predict them with this much error.
ROUNDING = 0.09


@dataclass(frozen=True)
class Calibration:
    """observed: the share of ``samples`` outcomes below the quantile of each of LEVELS."""

    observed: tuple[float, ...]
    samples: int

    @property
    def worst(self) -> float:
        """The largest distance between a level and what was observed."""
        return max(abs(o - level) for o, level in zip(self.observed, LEVELS, strict=True))


def calibration(found: Iterable[tuple[Distribution, float]]) -> Calibration | None:
    """Of pairs of a predicted distribution and the outcome; None without any.

    A quantile that falls on the outcome itself, as most do where outcomes are few, counts in the
    share that its level takes of the outcome's probability: the randomised probability integral
    transform (Czado et al. 2009, section 2), averaged instead of drawn.
    """
    spans = [_span(predicted, outcome) for predicted, outcome in found]
    if not spans:
        return None
    low, high = np.array(spans).T
    width = np.maximum(high - low, 1e-9)
    observed = tuple(float(np.clip((u - low) / width, 0, 1).mean()) for u in LEVELS)
    return Calibration(observed, len(spans))


def _span(predicted: Distribution, outcome: float) -> tuple[float, float]:
    """Cumulative probability below the outcome and up to it."""
    atoms = predicted.atoms.double().numpy()
    shares = predicted.probabilities.double().numpy()
    below = float(shares[atoms < outcome - ROUNDING].sum())
    return below, below + float(shares[np.abs(atoms - outcome) <= ROUNDING].sum())


@dataclass(frozen=True)
class Optimism:
    """What ``samples`` picks that a policy chose were expected to come to, and what they did.

    The best of thousands of values is more often too high than too low, which calibration on
    actions of all kinds does not show.
    """

    expected: float
    observed: float
    samples: int


def of_choices(
    policy: NetworkPolicy, transitions: Sequence[Transition], cost: float
) -> Optimism | None:
    """Of the picks among transitions that the policy chose itself; arguments as of ``of_picks``."""
    own = [each for each in transitions if each.action.policy == policy.name]
    found = _predicted(policy, own, cost)
    if not found:
        return None
    expected = np.mean([float(predicted.mean) for predicted, _ in found])
    return Optimism(float(expected), float(np.mean([o for _, o in found])), len(found))


def of_picks(
    policy: NetworkPolicy, transitions: Sequence[Transition], cost: float
) -> Calibration | None:
    """Of what a policy expects of the picks among transitions that it did not learn from.

    cost: of an accident, as of LearnerConfig. Other primitives' values are made of predictions
    themselves; only picks come to something that can be observed.
    """
    return calibration(_predicted(policy, transitions, cost))


def _predicted(
    policy: NetworkPolicy, transitions: Sequence[Transition], cost: float
) -> list[tuple[Distribution, float]]:
    """Of every pick, what was expected of it and what it came to; none of a scalar head."""
    found = []
    for each in transitions:
        if primitives.get(each.action.primitive).picks:
            (predicted,) = policy.distributions(each.before, [each.action])
            if predicted is not None:
                found.append((predicted, _outcome(each, cost)))
    return found


def _outcome(transition: Transition, cost: float) -> float:
    """What a pick came to, as the learner scales it: 0 for an accident, 1 for success."""
    if cost > 0 and transition.outcome.accidents:
        return 0.0
    return (cost + transition.reward) / (cost + 1)
