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

    def averaged(self, weights: Tensor) -> "Distribution":
        """Averages of distributions (A·N·B × K) of one head, weights A × N × B: N × K.

        The weights of each of N sum to 1. Quantiles are averaged where the head predicts quantiles,
        probabilities where it predicts those: the other one is the same for all. The mean is the
        average of the means either way.
        """

        def average(part: Tensor) -> Tensor:
            return torch.einsum("anb,anbk->nk", weights, part.reshape(*weights.shape, -1))

        each = (self.atoms, self.probabilities)
        return Distribution(*(average(part) if part.dim() > 1 else part for part in each))

    def only(self, index: int) -> "Distribution":
        """One of N distributions (N × K)."""
        each = (self.atoms, self.probabilities)
        return Distribution(*(part[index] if part.dim() > 1 else part for part in each))
