"""Value heads: how the network's last layer speaks of values.

A head turns features into parameters of a value distribution for every output, reads mean and
spread from them, and scores them against targets. A new one is a class in ``HEADS``.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from vpg_ros.errors import ErrorCode, VpgError


class ValueHead(nn.Module, ABC):
    """features (B×F×H×W) → parameters (B×outputs·k×H×W), k a constant of the head."""

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Parameters of every output's value at every cell."""

    @abstractmethod
    def mean(self, parameters: Tensor) -> Tensor:
        """Expected values, B×outputs×…."""

    def spread(self, parameters: Tensor) -> Tensor | None:
        """Standard deviations, shaped as ``mean``, or None where the head has none."""
        return None

    @abstractmethod
    def loss(self, parameters: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of N samples: parameters N×outputs·k, index of the output meant N, targets N."""


class ScalarHead(ValueHead):
    """One logit an output; the value is its sigmoid, so values lie in [0, 1].

    Binary cross-entropy fits both grasp targets (0 or 1) and bootstrapped ones in between.
    """

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.logits = nn.Conv2d(features, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits."""
        result: Tensor = self.logits(features)
        return result

    def mean(self, parameters: Tensor) -> Tensor:
        """Sigmoid of the logits."""
        return torch.sigmoid(parameters)

    def loss(self, parameters: Tensor, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean binary cross-entropy at the outputs meant."""
        chosen = parameters.gather(1, outputs[:, None])[:, 0]
        return functional.binary_cross_entropy_with_logits(chosen, targets)


HEADS: dict[str, type[ScalarHead]] = {"scalar": ScalarHead}


def make_head(name: str, features: int, outputs: int) -> ValueHead:
    """The head called ``name``; raises CHECKPOINT_MISMATCH with the names there are."""
    if name not in HEADS:
        raise VpgError(
            ErrorCode.CHECKPOINT_MISMATCH,
            f"value head is {name!r}; known heads: {', '.join(HEADS)}",
        )
    return HEADS[name](features, outputs)
