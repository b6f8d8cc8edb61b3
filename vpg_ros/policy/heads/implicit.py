"""The implicit quantile head: a function from level to return (IQN, Dabney et al. 2018b)."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.heads.base import Affine
from vpg_ros.policy.heads.quantile import UniformQuantileHead, midpoints, quantile_huber

COSINES = 64
SAMPLES = 32  # levels drawn for each sample of a batch
LEVELS = 32  # fixed levels that means and risks are read at


class ImplicitQuantileHead(UniformQuantileHead):
    """Quantile at level τ: w · (features ⊙ φ(τ)) + b, φ an embedding of cos(π i τ), i < COSINES.

    The paper's network goes on for some layers after the product; here one linear layer follows, so
    that quantiles at fixed levels are affine in the features. Parameters: w ⊙ features, an output.
    """

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__(features, outputs)
        self.embedding = nn.Linear(COSINES, features)
        self.weight = nn.Parameter(torch.empty(outputs, features))
        self.bias = nn.Parameter(torch.full((outputs,), 0.5))  # in the middle of all returns
        nn.init.uniform_(self.weight, -(features**-0.5), features**-0.5)

    def forward(self, features: Tensor) -> Tensor:
        """Coefficients of the quantile functions: B×outputs·F×H×W."""
        return (features[:, None] * self.weight[:, :, None, None]).flatten(1, 2)

    def mean(self, parameters: Tensor) -> Tensor:
        """Mean over the fixed levels."""
        factors = self.embed(midpoints(LEVELS).to(parameters)).mean(dim=0)
        total = torch.einsum("bof...,f->bo...", self.of_outputs(parameters), factors)
        return total + self.bias.view(-1, *[1] * (total.dim() - 2))

    def loss(
        self, parameters: Tensor, outputs: Tensor, targets: Distribution, rng: np.random.Generator
    ) -> Tensor:
        """Mean quantile Huber loss at SAMPLES random levels a sample (equation 3).

        The paper draws the levels of the next scene's returns as well; targets have fixed ones.
        """
        chosen = self.of_output(parameters, outputs)
        drawn = rng.random((len(chosen), SAMPLES), dtype=np.float32)
        levels = torch.from_numpy(drawn).to(chosen)
        quantiles = torch.einsum("nf,nkf->nk", chosen, self.embed(levels))
        return quantile_huber(quantiles + self.bias[outputs, None], levels, targets)

    def affine(self) -> Affine:
        """Of the quantiles at the fixed levels."""
        factors = self.embed(midpoints(LEVELS).to(self.weight))
        return self.weight[:, None] * factors, self.bias[:, None].expand(-1, LEVELS)

    def embed(self, levels: Tensor) -> Tensor:
        """The embedding φ of levels (equation 4): … → … × F."""
        multiples = torch.arange(COSINES, device=levels.device) * torch.pi
        return functional.relu(self.embedding(torch.cos(levels[..., None] * multiples)))
