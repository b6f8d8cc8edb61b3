"""Where an action may land: values are means over the cells around the one aimed at."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vpg_ros.policy.canvas import Canvas, restore
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.heads import DistributionalHead
from vpg_ros.policy.window import Shape, Window, cut

_UNSEEN = 1e-3  # share of the places where an action may land that rounds to none


def smoothed(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Means over ``side`` × ``side`` cells, … × rows × columns: each map by itself."""
    maps = values.reshape(-1, *values.shape[-2:])
    means = [cv2.blur(each, (side, side)) for each in maps]
    return np.stack(means).reshape(values.shape)


class Landings:
    """The returns of one output of a head, from its features of one canvas (F × rows × columns).

    cell: pixels a side. shape: the heightmap's, in cells. smoothing: as of Evaluator.
    """

    def __init__(
        self,
        head: DistributionalHead,
        output: int,
        features: Tensor,
        canvas: Canvas,
        cell: int,
        shape: Shape,
        smoothing: int,
    ) -> None:
        self._head, self._output, self._features = head, output, features
        self._canvas, self._cell = canvas, cell
        self._shape, self._smoothing = shape, smoothing

    def of(self, window: Window) -> tuple[Distribution, NDArray[np.bool_]]:
        """Returns of actions at cells of the heightmap, rows × columns × K, averaged around each.

        And which of them are wholly of what is looked at, rows × columns.
        """
        outer = window.grown(self._smoothing // 2, self._shape)
        behind = outer.behind(self._canvas, self._cell)
        with torch.inference_mode():
            each = self._head.at(self._output, self._features[:, *behind.slices])
            layers = each.averageable.movedim(-1, 0).cpu().numpy()
        part = cut(self._canvas, behind, outer, self._cell)
        looked_at = np.ones((1, *behind.shape), np.float32)
        near = restore(np.concatenate([layers, looked_at]), part, self._cell, outer.shape)
        rows, columns = window.within(outer).slices
        *means, seen = smoothed(near, self._smoothing)[:, rows, columns]
        averages = torch.from_numpy(np.stack(means, axis=-1))
        return each.averaged(averages), seen > 1 - _UNSEEN
