"""Risk measures: what a distribution of returns is worth to a careful or a bold policy.

Most are distortions (Wang 2000; Dabney et al. 2018b, section 3.1): the mean of the returns under
reweighted probabilities, ρ(Z) = ∫ z dg(F(z)). With a concave g low returns weigh more.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from vpg_ros.choices import DEFAULT_ALPHA, DEFAULT_RISK, require_risk
from vpg_ros.policy.distribution import Distribution, dot

_ROUNDING = 5e-7  # of sums of probabilities: less than the least share


@dataclass(frozen=True)
class RiskMeasure(ABC):
    """name: of the kind of measure. alpha: how careful, see ``choices.RISKS``."""

    name: str
    alpha: float

    @property
    def is_convex(self) -> bool:
        """In probabilities: of a mixture it is no more than the mean of what it is of the parts."""
        return False

    @property
    def least(self) -> float:
        """What it is at least, of returns in [0, 1]."""
        return 0.0

    @abstractmethod
    def of(self, distribution: Distribution) -> Tensor:
        """The measure of distributions with K outcomes: …×K → …."""


class Distortion(RiskMeasure):
    """A measure that reweighs probabilities."""

    @abstractmethod
    def cumulative(self, total: Tensor) -> Tensor:
        """The distortion g of cumulative probabilities: g(0) = 0, g(1) = 1."""

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
        return self.cumulative(total)


class Mean(Distortion):
    """The distortion that distorts nothing."""

    def cumulative(self, total: Tensor) -> Tensor:
        """F."""
        return total

    def of(self, distribution: Distribution) -> Tensor:
        """The mean."""
        return distribution.mean


class CVaR(Distortion):
    """Mean of the worst share alpha of returns."""

    @property
    def is_convex(self) -> bool:
        """It is, as a maximum of means (``of``)."""
        return True

    def cumulative(self, total: Tensor) -> Tensor:
        """F / alpha, 1 at most."""
        return (total / self.alpha).clamp(max=1.0)

    def of(self, distribution: Distribution) -> Tensor:
        """The same as a maximum, max_a a − E(a − Z)₊ / alpha (Rockafellar & Uryasev 2000).

        It is reached at an atom. Where many distributions have the same ones, this is a product
        and a maximum, less than half the work of the distorted sum.
        """
        atoms, probabilities = distribution.atoms, distribution.probabilities
        if atoms.dim() > 1 or probabilities.dim() == 1:  # of one, quantiles may cross
            return super().of(distribution)
        shortfall = (atoms[:, None] - atoms).clamp(min=0.0)
        bounds = atoms[:, None] - shortfall / self.alpha
        last = probabilities.dim() - 1
        return torch.tensordot(bounds, probabilities, dims=([1], [last])).amax(dim=0)


class ValueAtRisk(Distortion):
    """The return that a share alpha stays at or below."""

    def cumulative(self, total: Tensor) -> Tensor:
        """1 from alpha on."""
        return (total >= self.alpha - _ROUNDING).to(total.dtype)


class Wang(Distortion):
    """Wang's transform (2000)."""

    @property
    def is_convex(self) -> bool:
        """Where it is careful."""
        return self.alpha >= 0

    def cumulative(self, total: Tensor) -> Tensor:
        """Φ(Φ⁻¹(F) + alpha)."""
        return torch.special.ndtr(torch.special.ndtri(total.clamp(max=1.0)) + self.alpha)


class Power(Distortion):
    """The worst of 1 + alpha draws, or, with alpha below 0, the best of 1 + |alpha|."""

    @property
    def is_convex(self) -> bool:
        """Where it is careful."""
        return self.alpha >= 0

    def cumulative(self, total: Tensor) -> Tensor:
        """1 − (1 − F)^(1 + alpha), or F^(1 + |alpha|)."""
        if self.alpha < 0:
            return total ** (1 - self.alpha)
        return 1 - (1 - total).clamp(min=0.0) ** (1 + self.alpha)


class MeanDeviation(RiskMeasure):
    """Mean − alpha · standard deviation."""

    @property
    def is_convex(self) -> bool:
        """It is: the deviation of a mixture is no less than the mean of those of its parts."""
        return True

    @property
    def least(self) -> float:
        """Of 1 with probability p and 0 otherwise, p − alpha √(p (1 − p)), at the worst p."""
        return (1 - math.hypot(1, self.alpha)) / 2

    def of(self, distribution: Distribution) -> Tensor:
        """The measure of each distribution."""
        return distribution.mean - self.alpha * distribution.std


class Deviation(RiskMeasure):
    """The standard deviation: to look at, not to choose by."""

    def of(self, distribution: Distribution) -> Tensor:
        """The standard deviation of each distribution."""
        return distribution.std


MEASURES: dict[str, type[RiskMeasure]] = {  # choices.RISKS has the same names
    "mean": Mean,
    "cvar": CVaR,
    "var": ValueAtRisk,
    "wang": Wang,
    "power": Power,
    "mean_std": MeanDeviation,
}


def make_risk(name: str, alpha: float = DEFAULT_ALPHA) -> RiskMeasure:
    """The measure called ``name``; raises PARAMETER_INVALID for another name or alpha."""
    require_risk(name, alpha)
    return MEASURES[name](name, alpha)


MEAN = make_risk(DEFAULT_RISK)
DEVIATION = Deviation("std", 0.0)
