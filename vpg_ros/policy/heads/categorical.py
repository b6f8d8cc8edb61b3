"""The categorical head, C51: probabilities of fixed returns (Bellemare et al. 2017)."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.heads.base import Affine, DistributionalHead, by_output

# 0, 1 and the discounted 0.8 are atoms: the commonest targets lose nothing in the projection. Of
# the time that the paper's 51 cost more than half is saved.
ATOMS = 21


class CategoricalHead(DistributionalHead):
    """Logits of ATOMS returns, evenly spaced over [0, 1], an output."""

    support: Tensor

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__(features, outputs)
        self.logits = nn.Conv2d(features, outputs * ATOMS, 1)
        self.register_buffer("support", torch.linspace(0.0, 1.0, ATOMS), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Logits."""
        result: Tensor = self.logits(features)
        return result

    def mean(self, parameters: Tensor) -> Tensor:
        """Expectation over the atoms."""
        probabilities = self.of_outputs(parameters).softmax(dim=2)
        return torch.einsum("bok...,k->bo...", probabilities, self.support.to(parameters.dtype))

    def loss(
        self, parameters: Tensor, outputs: Tensor, targets: Distribution, rng: np.random.Generator
    ) -> Tensor:
        """Mean cross-entropy of the projected targets (algorithm 1)."""
        logits = self.of_output(parameters, outputs)
        return functional.cross_entropy(logits, project(targets, self.support))

    def affine(self) -> Affine:
        """The logits' layer."""
        return by_output(self.logits, self.outputs)

    def distribution(self, numbers: Tensor) -> Distribution:
        """Softmax of the logits over the atoms."""
        # Along the first axis, on which ``read`` has them: half the time of the last one.
        return Distribution(self.support, numbers.movedim(-1, 0).softmax(dim=0).movedim(0, -1))


def project(targets: Distribution, support: Tensor) -> Tensor:
    """Probabilities N×K on the evenly spaced ``support`` (K) of N×M outcomes (equation 7).

    Every outcome, clipped to the support, shares its probability between its two neighbours in
    proportion to nearness: mass is conserved, and the mean of what lies within the support.
    """
    spacing = support[1] - support[0]
    atoms = targets.atoms.clamp(support[0], support[-1])
    distance = (atoms[:, :, None] - support).abs() / spacing
    share = (1 - distance).clamp(min=0.0)
    return (share * targets.probabilities[:, :, None]).sum(dim=1)
