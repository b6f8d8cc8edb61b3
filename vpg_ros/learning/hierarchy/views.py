"""What a meta-policy reads of experiences."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vpg_ros.learning.replay import Experience
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.meta import PLACE, overview


def views(
    items: Sequence[Experience], after: bool, config: NetworkConfig, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Tables before or after experiences, N×C×H×W, each turned and mirrored at random.

    With the row and column of each one's action among places: N×2.
    """
    heights, colours, places = [], [], []
    for item in items:
        height, colour = (
            (item.next_height, item.next_colour) if after else (item.height, item.colour)
        )
        turns = int(rng.integers(4)) if height.shape[0] == height.shape[1] else 0
        mirrored = bool(rng.integers(2))
        mirror = slice(None, None, -1 if mirrored else 1)
        heights.append(np.rot90(height, turns)[mirror])
        colours.append(np.rot90(colour, turns)[mirror])
        places.append(_turned(item.row, item.column, height.shape, turns, mirrored))
    tables = overview(np.stack(heights), np.stack(colours) if config.colour else None)
    return tables, torch.tensor(places) // PLACE


def _turned(
    row: int, column: int, shape: tuple[int, ...], turns: int, mirrored: bool
) -> tuple[int, int]:
    """Where a pixel of a table comes to lie; one that is turned is square."""
    rows, columns = shape
    for _ in range(turns):
        row, column = columns - 1 - column, row
    return (rows - 1 - row if mirrored else row), column
