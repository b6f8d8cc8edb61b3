"""The scalar head: expected values alone."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.heads.base import ValueHead


class ScalarHead(ValueHead):
    """One logit an output; the value is its sigmoid, so values lie in [0, 1].

    Binary cross-entropy fits both grasp targets (0 or 1) and bootstrapped ones in between.
    """

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__(features, outputs)
        self.logits = nn.Conv2d(features, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits."""
        result: Tensor = self.logits(features)
        return result

    def mean(self, parameters: Tensor) -> Tensor:
        """Sigmoid of the logits."""
        return torch.sigmoid(parameters)

    def loss(
        self, parameters: Tensor, outputs: Tensor, targets: Distribution, rng: np.random.Generator
    ) -> Tensor:
        """Mean binary cross-entropy at the outputs meant, against the targets' means."""
        chosen = parameters.gather(1, outputs[:, None])[:, 0]
        return functional.binary_cross_entropy_with_logits(chosen, targets.mean)
