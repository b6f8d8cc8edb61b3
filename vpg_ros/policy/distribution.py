"""Discrete distributions of returns: what distributional heads, targets and risk measures share."""

from dataclasses import dataclass

import torch
from torch import Tensor


def dot(first: Tensor, second: Tensor) -> Tensor:
    """Sum of products along the last axis; either may be one vector for all."""
    if second.dim() == 1:
        return first @ second
    return second @ first if first.dim() == 1 else (first * second).sum(dim=-1)


@dataclass(frozen=True)
class Distribution:
    """Distributions with K outcomes each, along the last axis.

    atoms: … × K returns, as fractions of the largest one, in the order of their quantiles.
    probabilities: of each, … × K, summing to 1. What is the same for all may be given once, as K.
    """

    atoms: Tensor
    probabilities: Tensor

    @staticmethod
    def certain(returns: Tensor) -> "Distribution":
        """Each return with probability 1: … → … × 1."""
        return Distribution(returns[..., None], torch.ones_like(returns)[..., None])

    @property
    def mean(self) -> Tensor:
        """Expected returns, …."""
        return dot(self.probabilities, self.atoms)

    @property
    def std(self) -> Tensor:
        """Standard deviations, …."""
        variance = dot(self.probabilities, self.atoms.square()) - self.mean.square()
        return variance.clamp(min=0.0).sqrt()  # it may round to below 0

    @property
    def averageable(self) -> Tensor:
        """What an average over distributions of one head is the average of, … × K.

        The quantiles where it predicts quantiles, the probabilities where it predicts those: the
        other is the same for all. The mean is the average of the means either way.
        """
        return self.atoms if self.atoms.dim() > 1 else self.probabilities

    def averaged(self, averages: Tensor) -> "Distribution":
        """These distributions averaged. averages: of ``averageable``, … × K.

        Where probabilities do not sum to 1, of what was not looked at, the rest is the first
        outcome's, the worst.
        """
        if self.atoms.dim() > 1:
            return Distribution(averages, self.probabilities.cpu())
        rest = (1 - averages.sum(dim=-1, keepdim=True)).clamp(min=0.0)
        shares = torch.cat([averages[..., :1] + rest, averages[..., 1:]], dim=-1)
        return Distribution(self.atoms.cpu(), shares)

    def only(self, *index: int) -> "Distribution":
        """One of many distributions (… × K)."""
        each = (self.atoms, self.probabilities)
        return Distribution(*(part[index] if part.dim() > 1 else part for part in each))
