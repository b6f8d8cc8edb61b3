"""A value is an average over cells: as of an action that is carried out with that much error.

What stands alone among worse values is more often an error of the network than a place that only a
perfect aim would find, and of the places along a plank, which differ little in value, those at its
middle are the best on average. Averages are taken on a canvas, whose columns lie along the action.
"""

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vpg_ros import primitives

Window = tuple[int, int]  # rows and columns of a canvas, odd numbers of cells
SMOOTHING = 7  # cells across an action
# Cells less along the way of a pick's fingers: in a pack they fit into a narrow gap or not at all.
_LESS_ALONG = 2


def window(primitive: str, smoothing: int) -> Window:
    """Where a primitive's values are averaged; smoothing: cells across it, an odd number."""
    if not primitives.get(primitive).picks:
        return smoothing, smoothing
    return smoothing, max(1, smoothing - _LESS_ALONG)


def averaged(values: NDArray[np.float32], cells: Window) -> NDArray[np.float32]:
    """… × rows × columns of canvases, each by itself; beyond its edge it is as at the edge."""
    maps = values.reshape(-1, *values.shape[-2:])
    means = [cv2.blur(each, cells[::-1], borderType=cv2.BORDER_REPLICATE) for each in maps]
    return np.stack(means).reshape(values.shape)


def averaged_tensor(values: Tensor, cells: Window) -> Tensor:
    """As ``averaged``, differentiable; B × F × rows × columns."""
    rows, columns = (side // 2 for side in cells)
    padded = functional.pad(values, (columns, columns, rows, rows), mode="replicate")
    return functional.avg_pool2d(padded, cells, stride=1)


def needed(mask: NDArray[np.bool_], cells: Window) -> NDArray[np.bool_]:
    """The cells of a canvas, rows × columns, that the averages of masked cells are made of."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones(cells, np.uint8)) > 0)


def spread(
    at: NDArray[np.intp], weights: NDArray[np.float64], cells: Window, shape: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """What a weighted sum of averages is a weighted sum of.

    at: rows and columns of N cells, 2×N, of a canvas of ``shape``; weights: N. Returns the same of
    N times as many as a window has.
    """
    offsets = np.indices(cells).reshape(2, 1, -1) - np.array(cells)[:, None, None] // 2
    around = (at[:, :, None] + offsets).reshape(2, -1)
    size = cells[0] * cells[1]
    inside = np.clip(around, 0, np.array(shape)[:, None] - 1)
    return inside, np.repeat(weights / size, size)
