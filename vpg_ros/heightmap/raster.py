"""Point cloud to grid: the highest point of each cell, and no pinholes."""

import numpy as np
from numpy.typing import NDArray

from vpg_ros.geometry import Workspace
from vpg_ros.heightmap.cloud import Cloud

# The cells around a pinhole show one surface when their heights lie within this, m; what lies
# further below was seen through it.
SAME_SURFACE = 0.006

Grid = tuple[NDArray[np.float32], NDArray[np.uint8]]


def highest(cloud: Cloud, heights: NDArray[np.float32], workspace: Workspace) -> Grid:
    """(height, colour) of the highest point in each cell; NaN and 0 where there is none."""
    row, column = workspace.to_pixels(cloud.points[:, :2].astype(np.float64)).T
    inside = (row >= 0) & (row < workspace.rows) & (column >= 0) & (column < workspace.columns)
    cells = row[inside] * workspace.columns + column[inside]
    heights, colours = heights[inside], cloud.colours.take(np.flatnonzero(inside), axis=0)
    top = np.full(workspace.rows * workspace.columns, -np.inf, np.float32)
    np.maximum.at(top, cells, heights)
    winner = heights == top[cells]
    colour = np.zeros((top.size, 3), np.uint8)
    colour[cells[winner]] = colours[winner]
    top[np.isneginf(top)] = np.nan
    return top.reshape(workspace.shape), colour.reshape(*workspace.shape, 3)


def close_pinholes(height: NDArray[np.float32], colour: NDArray[np.uint8]) -> Grid:
    """Give single cells between samples the mean of the surface around them.

    A pinhole was not seen, or only what lies far below was; all its eight neighbours were seen and
    show one surface. Shadows are larger or have two sides, and stay NaN.
    """
    around = [(r, c) for r in range(3) for c in range(3) if (r, c) != (1, 1)]
    rows, columns = height.shape
    # A NaN among the neighbours makes lowest and highest NaN, and every comparison false.
    shifted = [height[r : rows - 2 + r, c : columns - 2 + c] for r, c in around]
    lowest, highest = np.minimum.reduce(shifted), np.maximum.reduce(shifted)
    middle = height[1:-1, 1:-1]
    empty = np.isnan(middle) | (middle < lowest - SAME_SURFACE)
    row, column = np.nonzero(empty & (highest - lowest <= SAME_SURFACE))
    neighbours = (row[:, None] + [r for r, _ in around], column[:, None] + [c for _, c in around])
    height, colour = height.copy(), colour.copy()
    height[row + 1, column + 1] = height[neighbours].mean(axis=1)
    colour[row + 1, column + 1] = colour[neighbours].mean(axis=1).round()
    return height, colour
