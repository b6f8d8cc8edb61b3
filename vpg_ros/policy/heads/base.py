"""What a value head is.

A head turns features into parameters of a value for every output, reads means from them, and
scores them against targets. Values lie in [0, 1]: fractions of the largest return there can be.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.risk import RiskMeasure

Affine = tuple[Tensor, Tensor]  # weight … × features and bias …


class ValueHead(nn.Module, ABC):
    """features (B×F×H×W) → parameters (B×outputs·k×H×W), k a constant of the head."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Parameters of every output's value at every cell."""

    @abstractmethod
    def mean(self, parameters: Tensor) -> Tensor:
        """Expected values: B×outputs·k×… → B×outputs×…."""

    @abstractmethod
    def loss(
        self, parameters: Tensor, outputs: Tensor, targets: Distribution, rng: np.random.Generator
    ) -> Tensor:
        """Mean loss of N samples.

        parameters: N×outputs·k. outputs: index of the output meant, N. targets: N×M outcomes.
        rng: for what a head draws.
        """

    def of_outputs(self, parameters: Tensor) -> Tensor:
        """Parameters with an axis for the outputs: B×outputs·k×… → B×outputs×k×…."""
        return parameters.reshape(len(parameters), self.outputs, -1, *parameters.shape[2:])

    def of_output(self, parameters: Tensor, outputs: Tensor) -> Tensor:
        """Parameters of one output for each of N samples: N×outputs·k → N×k."""
        each = self.of_outputs(parameters)
        return each.take_along_dim(outputs[:, None, None], dim=1)[:, 0]


class DistributionalHead(ValueHead):
    """A head whose values are distributions of K outcomes.

    To act, K numbers of an output are affine in the features (``affine``), and ``distribution``
    makes outcomes and probabilities of them.
    """

    @abstractmethod
    def affine(self) -> Affine:
        """Weight (outputs×K×F) and bias (outputs×K) from features to the K numbers."""

    @abstractmethod
    def distribution(self, numbers: Tensor) -> Distribution:
        """The distributions that the K numbers (…×K) stand for."""

    def at(self, output: int, features: Tensor) -> Distribution:
        """The distributions of one output: features F × … → … × K outcomes."""
        weight, bias = (part[output] for part in self.affine())
        points = features.movedim(0, -1).float()
        return self.distribution(functional.linear(points, weight, bias))

    def folded(self, measure: RiskMeasure) -> Affine | None:
        """Weight (outputs×F) and bias (outputs) that give a risk measure at once, where they exist.

        They do where the numbers are quantiles and the measure is a fixed weighting of them.
        """
        return None

    def expanded(self, measure: RiskMeasure) -> tuple[Affine, Callable[[Tensor], Tensor]]:
        """Numbers that are affine in the features (…×N), and what makes the measure of them.

        Here: those of the whole distribution.
        """
        return self.affine(), lambda numbers: measure.of(self.distribution(numbers))


def by_output(layer: nn.Conv2d, outputs: int) -> Affine:
    """Weight (outputs×K×F) and bias (outputs×K) of a 1×1 convolution with outputs·K channels."""
    assert layer.bias is not None
    return layer.weight.reshape(outputs, -1, layer.in_channels), layer.bias.reshape(outputs, -1)
