"""Where on a heightmap a network looks: one canvas for each input rotation."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.canvas import Canvas
from vpg_ros.policy.config import INPUT_ROTATIONS
from vpg_ros.policy.network import DOWNSAMPLING

MARGIN = 0.064  # m around what stands on the table that is looked at too
SIZE_STEP = 2 * DOWNSAMPLING  # cells: few distinct sizes, so that convolutions are planned once


def canvases(
    heightmap: Heightmap, cell: int, near: NDArray[np.bool_] | None = None
) -> list[Canvas]:
    """One view for each input rotation, all of the size that the widest one needs; none if empty.

    Each is centred on the box around what is occupied, in its own rotation. near: pixels of which
    the occupied ones are looked at, rows×columns; all if None.
    """
    occupied = heightmap.occupied if near is None else heightmap.occupied & near
    points = _outline(occupied)
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


def _outline(occupied: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Convex hull (x, y in pixels) of what stands on the table, None if nothing does."""
    if not occupied.any():
        return None
    pixels = cv2.findNonZero(occupied.astype(np.uint8))
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
