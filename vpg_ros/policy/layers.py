"""Layers that the networks are made of."""

from torch import nn

LEAK = 0.05  # a plain ReLU dies at these learning rates and leaves a flat plateau of values


def block(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3×3 convolutions with batch norm, each followed by a leaky ReLU."""
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        layers += [
            nn.Conv2d(width, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(LEAK, inplace=True),
        ]
    return nn.Sequential(*layers)
