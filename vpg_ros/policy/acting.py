"""Running the network over a heightmap: one forward pass for all primitives and rotations."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.canvas import Canvas, planes, render, restore
from vpg_ros.policy.config import INPUT_ROTATIONS
from vpg_ros.policy.device import fastest_dtype
from vpg_ros.policy.maps import FloatMaps, ValueMaps, admissible_cells
from vpg_ros.policy.network import DOWNSAMPLING, Network, channels_last, fold_batch_norm

MARGIN = 0.064  # m around what stands on the table that is looked at too
# Cells a side over which values are averaged: what stands alone among worse values is more often an
# error of the network than a place that only a perfect aim would find.
SMOOTHING = 5
SIZE_STEP = 2 * DOWNSAMPLING  # cells: few distinct sizes, so that convolutions are planned once


class Evaluator:
    """A network prepared for speed: batch norm folded, channels last, its own number format."""

    def __init__(self, network: Network, device: torch.device) -> None:
        self.config = network.config
        self._device = device
        self._dtype = fastest_dtype(device)
        self._network = channels_last(fold_batch_norm(network).to(device, self._dtype))

    def evaluate(self, heightmap: Heightmap) -> tuple[FloatMaps, FloatMaps | None]:
        """Values, and their spread where the head has one, of every primitive at every cell.

        A value is the mean over the SMOOTHING × SMOOTHING cells around its own, as of an action
        that is carried out with that much error. Arrays are rotations × rows/cell ×
        columns/cell; 0 farther than MARGIN from anything that stands on the table.
        """
        views = canvases(heightmap, self.config.cell)
        if not views:
            empty = np.zeros((INPUT_ROTATIONS, self.config.outputs, *self._shape(heightmap)))
            return self._by_primitive(empty.astype(np.float32)), None
        mean, spread = self._forward(heightmap, views)
        shape = self._shape(heightmap)
        values = self._by_primitive(_smoothed(_restored(mean, views, self.config.cell, shape)))
        if spread is None:
            return values, None
        return values, self._by_primitive(_restored(spread, views, self.config.cell, shape))

    def _shape(self, heightmap: Heightmap) -> tuple[int, int]:
        rows, columns = heightmap.workspace.shape
        return rows // self.config.cell, columns // self.config.cell

    def _forward(
        self, heightmap: Heightmap, views: list[Canvas]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Mean and spread on the canvases: canvas × output × rows × columns."""
        pixels = planes(heightmap.height, heightmap.colour if self.config.colour else None)
        inputs = np.stack([render(pixels, view, self.config.cell) for view in views])
        batch = torch.from_numpy(inputs).to(self._device, self._dtype)
        with torch.inference_mode():
            parameters = self._network(batch.contiguous(memory_format=torch.channels_last)).float()
            mean = self._network.head.mean(parameters).cpu().numpy()
            spread = self._network.head.spread(parameters)
        return mean, None if spread is None else spread.cpu().numpy()

    def _by_primitive(self, turned: NDArray[np.float32]) -> FloatMaps:
        """Input rotation × output × … → primitive → rotations × …."""
        result = {}
        for name in self.config.names:
            channels = self.config.channels(name)
            # Channel i at input rotation k is rotation k + i · INPUT_ROTATIONS.
            result[name] = np.concatenate([turned[:, channel] for channel in channels])
        return result


def value_maps(
    network: Network, device: torch.device, heightmap: Heightmap, masked: bool = True
) -> ValueMaps:
    """What a network makes of a scene, for once: an Evaluator is made and thrown away.

    masked: whether inadmissible actions are marked as such.
    """
    config = network.config
    allowed = admissible_cells(heightmap, config.names, config.cell, masked)
    values, _ = Evaluator(network, device).evaluate(heightmap)
    return ValueMaps(values, allowed, config.cell)


def _smoothed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """… × rows × columns, each map by itself."""
    maps = values.reshape(-1, *values.shape[-2:])
    means = [cv2.blur(each, (SMOOTHING, SMOOTHING)) for each in maps]
    return np.stack(means).reshape(values.shape)


def _restored(
    values: NDArray[np.float32], views: list[Canvas], cell: int, shape: tuple[int, int]
) -> NDArray[np.float32]:
    return np.stack(
        [restore(value, view, cell, shape) for value, view in zip(values, views, strict=True)]
    )


def canvases(heightmap: Heightmap, cell: int) -> list[Canvas]:
    """One view for each input rotation, all of the size that the widest one needs; none if empty.

    Each is centred on the box around what is occupied, in its own rotation.
    """
    points = _occupied_outline(heightmap)
    if points is None:
        return []
    angles = [k * np.pi / INPUT_ROTATIONS for k in range(INPUT_ROTATIONS)]
    boxes = [_box(points, angle) for angle in angles]
    extent = np.max([size for _, size in boxes], axis=0)
    margin = 2 * MARGIN / heightmap.workspace.resolution
    columns, rows = (
        int(-(-(length + margin) // (cell * SIZE_STEP))) * SIZE_STEP for length in extent
    )
    return [
        Canvas(centre[1], centre[0], angle, rows, columns, rows // 2, columns // 2)
        for angle, (centre, _) in zip(angles, boxes, strict=True)
    ]


def _occupied_outline(heightmap: Heightmap) -> NDArray[np.float64] | None:
    """Convex hull (x, y in pixels) of what stands on the table, None if nothing does."""
    if not heightmap.occupied.any():
        return None
    pixels = cv2.findNonZero(heightmap.occupied.astype(np.uint8))
    return cv2.convexHull(pixels)[:, 0].astype(np.float64)


def _box(
    points: NDArray[np.float64], angle: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre (heightmap x, y) and size (along, across) of the points' box turned by ``angle``."""
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    local = points @ turn
    low, high = local.min(axis=0), local.max(axis=0)
    return turn @ ((low + high) / 2), high - low
