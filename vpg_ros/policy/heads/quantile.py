"""The quantile head: returns at fixed quantile levels (QR-DQN, Dabney et al. 2018a)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.heads.base import Affine, DistributionalHead, by_output
from vpg_ros.policy.risk import Distortion, MeanDeviation, RiskMeasure

QUANTILES = 32
# Returns at which the Huber loss turns linear. The paper's 1 is meant for returns of many units:
# over values in [0, 1] it would make the quantiles expectiles. The bias in level is at most half of
# this times the density of returns.
KAPPA = 0.02


class UniformQuantileHead(DistributionalHead):
    """A head whose K numbers are quantiles at the midpoints of K equal shares of probability.

    They are affine in the features, and so is every fixed weighting of them: it is folded into the
    last layer, and its map costs what a scalar head's does, exactly. Quantiles may cross; they
    count in the order of their levels.
    """

    def distribution(self, numbers: Tensor) -> Distribution:
        """Equally likely outcomes."""
        count = numbers.shape[-1]
        return Distribution(numbers, numbers.new_full((count,), 1 / count))

    def folded(self, measure: RiskMeasure) -> Affine | None:
        """The layer's weights under a distortion; None for other measures."""
        if not isinstance(measure, Distortion):
            return None
        weight, bias = self.affine()
        shares = measure.weights(torch.full_like(bias[0], 1 / bias.shape[1]))
        return torch.einsum("okf,k->of", weight, shares), bias @ shares

    def expanded(self, measure: RiskMeasure) -> tuple[Affine, Callable[[Tensor], Tensor]]:
        """For mean − alpha · deviation, fewer numbers than quantiles, exactly.

        Quantiles less their mean are a matrix of K rows times the features and 1; by its QR
        decomposition their length, and so the deviation, is that of F + 1 numbers.
        """
        if not isinstance(measure, MeanDeviation):
            return super().expanded(measure)
        weight, bias = self.affine()
        matrix = torch.cat([weight, bias[..., None]], dim=-1)
        mean = matrix.mean(dim=1, keepdim=True)
        _, spread = torch.linalg.qr((matrix - mean) / matrix.shape[1] ** 0.5)
        rows = torch.cat([mean, spread], dim=1)

        def combined(numbers: Tensor) -> Tensor:
            # As a sum, which is faster than norm where the outcomes are first in memory.
            return numbers[..., 0] - measure.alpha * numbers[..., 1:].square().sum(dim=-1).sqrt()

        return (rows[..., :-1], rows[..., -1]), combined


class QuantileHead(UniformQuantileHead):
    """QUANTILES returns an output, linear in the features."""

    levels: Tensor

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__(features, outputs)
        self.quantiles = nn.Conv2d(features, outputs * QUANTILES, 1)
        self.register_buffer("levels", midpoints(QUANTILES), persistent=False)
        assert self.quantiles.bias is not None
        # Before anything is known, one return is as likely as another.
        self.quantiles.bias.data.copy_(midpoints(QUANTILES).repeat(outputs))

    def forward(self, features: Tensor) -> Tensor:
        """Quantiles."""
        result: Tensor = self.quantiles(features)
        return result

    def mean(self, parameters: Tensor) -> Tensor:
        """Mean of the quantiles."""
        return self.of_outputs(parameters).mean(dim=2)

    def loss(
        self, parameters: Tensor, outputs: Tensor, targets: Distribution, rng: np.random.Generator
    ) -> Tensor:
        """Mean quantile Huber loss at the outputs meant."""
        return quantile_huber(self.of_output(parameters, outputs), self.levels, targets)

    def affine(self) -> Affine:
        """The quantiles' layer."""
        return by_output(self.quantiles, self.outputs)


def midpoints(count: int) -> Tensor:
    """Levels (2i − 1) / 2K of K quantiles that minimise the 1-Wasserstein distance (lemma 2)."""
    return (torch.arange(count) + 0.5) / count


def quantile_huber(
    quantiles: Tensor, levels: Tensor, targets: Distribution, kappa: float = KAPPA
) -> Tensor:
    """Mean over N samples and K quantiles of the expected quantile Huber loss (equation 10).

    quantiles: N×K. levels: K or N×K. targets: N×M. kappa: where it turns linear; the loss is
    divided by it, so that it tends to quantile regression's as kappa goes to 0.
    """
    error = targets.atoms[:, None, :] - quantiles[:, :, None]  # N×K×M
    size = error.abs()
    huber = torch.where(size <= kappa, error.square() / (2 * kappa), size - kappa / 2)
    asymmetry = (levels[..., None] - (error.detach() < 0).to(levels.dtype)).abs()
    return (asymmetry * huber * targets.probabilities[:, None, :]).sum(dim=2).mean()
