"""The meta-policy's network: one look at the whole table, a value for each primitive.

The upper level of a hierarchical DQN (Kulkarni et al. 2016): it chooses who acts, and the chosen
primitive's own network chooses where. The heightmap is not turned, and its cells are four times as
wide as those of the pixels' networks, so that the look costs a hundredth of one of theirs.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from vpg_ros.policy.canvas import UNSEEN, planes, to_cells
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.heads import DistributionalHead, make_head
from vpg_ros.policy.layers import block

META_CELL = 8  # pixels a cell side
# Updates before which it has no say: acting on an average of weights most of which are random would
# try primitives by chance for a hundred actions.
READY_AFTER = 200
_WIDTHS = (16, 32, 64, 64)  # channels of the levels, each at half the last one's resolution
_STEP = META_CELL * 2 ** (len(_WIDTHS) - 1)  # pixels: sides are padded to multiples of this


class MetaNetwork(nn.Module):
    """B×C×H×W cells of ``overview`` → head parameters of primitives' values, B×primitives·k.

    updates: gradient steps it has learned from.
    """

    updates: Tensor

    def __init__(self, primitives: int, head: str, colour: bool) -> None:
        super().__init__()
        inputs = META_CELL**2 + 1 + (3 if colour else 0)
        widths = (inputs, *_WIDTHS)
        self.levels = nn.ModuleList(block(a, b) for a, b in zip(widths, _WIDTHS, strict=False))
        self.head = make_head(head, 2 * _WIDTHS[-1], primitives)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def forward(self, inputs: Tensor) -> Tensor:
        """Parameters of every primitive's value."""
        return self.parameters_of(self.features(inputs))

    def parameters_of(self, features: Tensor) -> Tensor:
        """The same of what ``features`` made of the inputs."""
        parameters: Tensor = self.head(features)
        return parameters[..., 0, 0]

    def outcomes(self, features: Tensor) -> Distribution:
        """The returns expected of every primitive: B×primitives×K, K = 1 of a scalar head."""
        if not isinstance(self.head, DistributionalHead):
            return Distribution.certain(self.head.mean(self.head(features))[..., 0, 0])
        weight, bias = self.head.affine()
        numbers = torch.einsum("bf,okf->bok", features[..., 0, 0], weight) + bias
        return self.head.distribution(numbers)

    def features(self, inputs: Tensor) -> Tensor:
        """What there is anywhere and on average over the table: B×F×1×1."""
        x = self.levels[0](inputs)
        for level in list(self.levels)[1:]:
            x = level(functional.max_pool2d(x, 2))
        return torch.cat([x.amax(dim=(2, 3)), x.mean(dim=(2, 3))], dim=1)[..., None, None]


def overview(
    height: NDArray[np.floating[Any]], colour: NDArray[np.uint8] | None
) -> NDArray[np.float32]:
    """What the meta-policy reads of a heightmap: C × rows/META_CELL × columns/META_CELL.

    height: rows×columns, m, NaN where unseen; beyond its edge lies unseen table.
    """
    pixels = planes(height, colour)
    beyond = [(0, -size % _STEP) for size in height.shape]
    padded = [
        np.pad(layer, beyond, constant_values=1.0 if i == UNSEEN else 0.0)
        for i, layer in enumerate(pixels)
    ]
    return to_cells(padded, META_CELL)
