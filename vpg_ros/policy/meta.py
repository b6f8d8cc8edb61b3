"""The meta-policy's network: one look at the whole table, a value for each primitive.

The upper level of a hierarchical DQN (Kulkarni et al. 2016): it chooses who acts, and the chosen
primitive's own network chooses where. The heightmap is not turned, and its cells are four times as
wide as those of the pixels' networks, so that the look costs a hundredth of one of theirs.

On the way it values every primitive at every place, roughly: one number for a whole table is little
to learn from, the place where an action was done tells which part of the table the number is of.
What the best place is worth is then one of the things by which the table is judged.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from vpg_ros.heightmap.heightmap import OBJECT_HEIGHT
from vpg_ros.policy.canvas import COLOUR_SCALE, HEIGHT_SCALE
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.heads import DistributionalHead, make_head
from vpg_ros.policy.heads.scalar import ScalarHead
from vpg_ros.policy.layers import block

META_CELL = 8  # pixels a cell side
PLACE = 2 * META_CELL  # pixels a place's side: those of the second level's cells
# Updates before which it has no say: acting on an average of weights most of which are random would
# try primitives by chance for a hundred actions.
READY_AFTER = 200
_WIDTHS = (16, 32, 64, 64)  # channels of the levels, each at half the last one's resolution
_STEP = META_CELL * 2 ** (len(_WIDTHS) - 1)  # pixels: sides are padded to multiples of this
_LIMIT = 6.0  # a place's logit lies within ± this, and is −this where nothing stands near
_NEAR = 3  # places: more than anything that stands can be away from where a push at it begins


class MetaNetwork(nn.Module):
    """B×C×H×W cells of ``overview`` → head parameters of primitives' values, B×primitives·k.

    places: values every primitive at every place, PLACE pixels a side. updates: gradient steps it
    has learned from.
    """

    updates: Tensor

    def __init__(self, primitives: int, head: str, colour: bool) -> None:
        super().__init__()
        inputs = META_CELL**2 + 1 + (3 if colour else 0)
        widths = (inputs, *_WIDTHS)
        self.levels = nn.ModuleList(block(a, b) for a, b in zip(widths, _WIDTHS, strict=False))
        self.places = ScalarHead(_WIDTHS[1], primitives)
        self.head = make_head(head, 2 * _WIDTHS[-1] + primitives, primitives)
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
        """What the head reads: B×F×1×1."""
        surroundings = self.surroundings(inputs)
        return self.summary(surroundings, self.places(surroundings), inputs)

    def surroundings(self, inputs: Tensor) -> Tensor:
        """What there is at and around each place: B×F×rows×columns."""
        seen: Tensor = self.levels[1](functional.max_pool2d(self.levels[0](inputs), 2))
        return seen

    def summary(self, surroundings: Tensor, values: Tensor, inputs: Tensor) -> Tensor:
        """What there is anywhere and on average over the table, and its best places: B×F×1×1.

        values: logits of ``places``, which learn from what is done at places, not from this.
        """
        x = surroundings
        for level in list(self.levels)[2:]:
            x = level(functional.max_pool2d(x, 2))
        logits = values.detach().clamp(-_LIMIT, _LIMIT)
        best = logits.masked_fill(~_near_something(inputs), -_LIMIT).amax(dim=(2, 3))
        return torch.cat([x.amax(dim=(2, 3)), x.mean(dim=(2, 3)), best], dim=1)[..., None, None]


def _near_something(inputs: Tensor) -> Tensor:
    """Whether anything of a place is seen, and anything stands within _NEAR of it.

    B×1×rows×columns of places. Beyond the table's edge nothing is seen.
    """
    highest = inputs[:, : META_CELL**2].amax(dim=1, keepdim=True)
    at_place = functional.max_pool2d(highest, PLACE // META_CELL)
    near = functional.max_pool2d(at_place, 2 * _NEAR + 1, 1, _NEAR)
    seen = 1 - inputs[:, META_CELL**2, None]
    some = functional.max_pool2d(seen, PLACE // META_CELL) > 0
    return some & (near > OBJECT_HEIGHT / HEIGHT_SCALE)


def overview(
    heights: NDArray[np.floating[Any]], colours: NDArray[np.uint8] | None = None
) -> Tensor:
    """What the meta-policy reads of heightmaps: N × C × rows/META_CELL × columns/META_CELL.

    heights: N×rows×columns, m, NaN where unseen; beyond their edge lies unseen table. colours:
    N×rows×columns×3 where they are read. As the pixels' networks have it (``planes``,
    ``to_cells``): scaled heights as channels, the means of what is unseen and of colours.
    """
    height = torch.from_numpy(heights.astype(np.float32))[:, None]
    beyond = [cells for size in height.shape[:1:-1] for cells in (0, -size % _STEP)]
    unseen = functional.pad(height.isnan().float(), beyond, value=1.0)
    scaled = functional.pad(height.nan_to_num() / HEIGHT_SCALE, beyond)
    parts = [functional.pixel_unshuffle(scaled, META_CELL), _means(unseen)]
    if colours is not None:
        shares = torch.from_numpy(colours / np.float32(COLOUR_SCALE)).movedim(3, 1)
        parts.append(_means(functional.pad(shares, beyond)))
    return torch.cat(parts, dim=1)


def _means(layers: Tensor) -> Tensor:
    """Of each cell."""
    return functional.avg_pool2d(layers, META_CELL)
