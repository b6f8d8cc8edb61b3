"""Risk measures: what a distribution of returns is worth to a careful or a bold policy.

Most are distortions (Wang 2000; Dabney et al. 2018b, section 3.1): the mean of the returns under
reweighted probabilities, ρ(Z) = ∫ z dg(F(z)). With a concave g low returns weigh more.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vpg_ros.errors import require
from vpg_ros.policy.distribution import Distribution, dot

DEFAULT_ALPHA = 0.25
_ROUNDING = 1e-6  # of sums of probabilities
# Shares of a distribution less, or deviations more, are no longer told from each other in float32.
_LEAST, _MOST = 1e-6, 1e6


@dataclass(frozen=True)
class RiskMeasure(ABC):
    """name: of the kind of measure. alpha: how careful, see :data:`MEASURES`."""

    name: str
    alpha: float

    @abstractmethod
    def of(self, distribution: Distribution) -> Tensor:
        """The measure of distributions with K outcomes: …×K → …."""


@dataclass(frozen=True)
class Distortion(RiskMeasure):
    """cumulative: the distortion g of cumulative probabilities, given alpha; g(0) = 0, g(1) = 1."""

    cumulative: Callable[[Tensor, float], Tensor]

    def weights(self, probabilities: Tensor) -> Tensor:
        """Distorted probabilities of outcomes in ascending order: …×K → …×K, summing to 1."""
        inner = self._distorted(probabilities)
        ends = torch.ones_like(inner[..., :1])
        return torch.diff(torch.cat([0 * ends, inner, ends], dim=-1), dim=-1)

    def of(self, distribution: Distribution) -> Tensor:
        """Mean under the distorted probabilities, by parts: the last atom less what g takes off."""
        atoms = distribution.atoms
        inner = self._distorted(distribution.probabilities)
        return atoms[..., -1] - dot(inner, torch.diff(atoms, dim=-1))

    def _distorted(self, probabilities: Tensor) -> Tensor:
        """G of the cumulative probabilities but the last, which is 1: …×K → …×(K − 1)."""
        # A product, which is faster than cumsum and leaves the outcomes first in memory.
        count, last = probabilities.shape[-1], probabilities.dim() - 1
        below = probabilities.new_ones(count, count - 1).triu()
        total = torch.tensordot(below, probabilities, dims=([0], [last])).movedim(0, -1)
        return self.cumulative(total, self.alpha)


@dataclass(frozen=True)
class Mean(Distortion):
    """The distortion that distorts nothing."""

    def of(self, distribution: Distribution) -> Tensor:
        """The mean."""
        return distribution.mean


@dataclass(frozen=True)
class CVaR(Distortion):
    """Mean of the worst share alpha of returns."""

    def of(self, distribution: Distribution) -> Tensor:
        """The same as a maximum, max_a a − E(a − Z)₊ / alpha (Rockafellar & Uryasev 2000).

        It is reached at an atom. Where all distributions have the same ones, this is a product and
        a maximum, less than half the work of the distorted sum.
        """
        atoms, probabilities = distribution.atoms, distribution.probabilities
        if atoms.dim() > 1:
            return super().of(distribution)
        shortfall = (atoms[:, None] - atoms).clamp(min=0.0)
        bounds = atoms[:, None] - shortfall / self.alpha
        last = probabilities.dim() - 1
        return torch.tensordot(bounds, probabilities, dims=([1], [last])).amax(dim=0)


@dataclass(frozen=True)
class MeanDeviation(RiskMeasure):
    """Mean − alpha · standard deviation."""

    def of(self, distribution: Distribution) -> Tensor:
        """The measure of each distribution."""
        return distribution.mean - self.alpha * distribution.std


@dataclass(frozen=True)
class Deviation(RiskMeasure):
    """The standard deviation: to look at, not to choose by."""

    def of(self, distribution: Distribution) -> Tensor:
        """The standard deviation of each distribution."""
        return distribution.std


def _mean(total: Tensor, alpha: float) -> Tensor:
    return total


def _cvar(total: Tensor, alpha: float) -> Tensor:
    return (total / alpha).clamp(max=1.0)


def _value_at_risk(total: Tensor, alpha: float) -> Tensor:
    return (total >= alpha - _ROUNDING).to(total.dtype)


def _wang(total: Tensor, alpha: float) -> Tensor:
    return torch.special.ndtr(torch.special.ndtri(total.clamp(max=1.0)) + alpha)


def _power(total: Tensor, alpha: float) -> Tensor:
    if alpha < 0:
        return total ** (1 - alpha)
    return 1 - (1 - total).clamp(min=0.0) ** (1 + alpha)


@dataclass(frozen=True)
class _Kind:
    """What alpha may be: low < alpha < high, or equal to high if ``closed``; and in words."""

    make: Callable[[str, float], RiskMeasure]
    low: float
    high: float
    closed: bool
    allowed: str

    def allows(self, alpha: float) -> bool:
        return self.low < alpha < self.high or (self.closed and alpha == self.high)


def _distortion(cumulative: Callable[[Tensor, float], Tensor]) -> Callable[..., RiskMeasure]:
    return lambda name, alpha: Distortion(name, alpha, cumulative)


def _undistorted(name: str, alpha: float) -> RiskMeasure:
    return Mean(name, DEFAULT_ALPHA, _mean)  # the same whatever alpha, which it does not use


def _worst(name: str, alpha: float) -> RiskMeasure:
    return CVaR(name, alpha, _cvar)


_SHARE = "in (1e-6, 1]"
_ANY = "a finite number, above 0 for a careful policy and below 0 for a bold one"
MEASURES: dict[str, _Kind] = {  # choices.RISKS has the same names
    "mean": _Kind(_undistorted, -math.inf, math.inf, False, "a finite number (unused)"),
    # Mean of the worst share alpha of returns.
    "cvar": _Kind(_worst, _LEAST, 1.0, True, _SHARE),
    # Return that a share alpha stays at or below.
    "var": _Kind(_distortion(_value_at_risk), _LEAST, 1.0, True, _SHARE),
    # Φ(Φ⁻¹(F) + alpha).
    "wang": _Kind(_distortion(_wang), -math.inf, math.inf, False, _ANY),
    # 1 − (1 − F)^(1 + alpha), F^(1 + |alpha|) below 0: the worst, or best, of 1 + |alpha| draws.
    "power": _Kind(_distortion(_power), -math.inf, math.inf, False, _ANY),
    "mean_std": _Kind(MeanDeviation, -1e-9, _MOST, True, "in [0, 1e6]"),
}


def make_risk(name: str, alpha: float = DEFAULT_ALPHA) -> RiskMeasure:
    """The measure called ``name``; raises PARAMETER_INVALID for another name or alpha."""
    require(name in MEASURES, f"risk is {name!r}; it must be one of {', '.join(MEASURES)}")
    kind = MEASURES[name]
    require(
        kind.allows(alpha), f"alpha is {alpha}; for the risk {name!r} it must be {kind.allowed}"
    )
    return kind.make(name, alpha)


MEAN = make_risk("mean")
DEVIATION = Deviation("std", 0.0)
