"""Point cloud to grid: the highest point of each cell."""

import numpy as np
from numpy.typing import NDArray

from vpg_ros.geometry import Workspace
from vpg_ros.heightmap.cloud import Cloud


def highest(
    cloud: Cloud, heights: NDArray[np.float32], workspace: Workspace
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """(height, colour) of the highest point in each cell; NaN and 0 where there is none."""
    row, column = workspace.to_pixels(cloud.points[:, :2].astype(np.float64)).T
    inside = (row >= 0) & (row < workspace.rows) & (column >= 0) & (column < workspace.columns)
    cells = row[inside] * workspace.columns + column[inside]
    heights, colours = heights[inside], cloud[inside].colours
    top = np.full(workspace.rows * workspace.columns, -np.inf, np.float32)
    np.maximum.at(top, cells, heights)
    winner = heights == top[cells]
    colour = np.zeros((top.size, 3), np.uint8)
    colour[cells[winner]] = colours[winner]
    top[np.isneginf(top)] = np.nan
    return top.reshape(workspace.shape), colour.reshape(*workspace.shape, 3)
