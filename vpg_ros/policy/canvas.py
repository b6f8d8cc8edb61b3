"""Rotated views of a heightmap, and the way back: shared by acting and learning.

A canvas is an image turned so that an action at angle θ points along its +x. Image x is the
column, along base +x, and image y the row, along base +y, so θ about base +z is simply the angle
from image x towards image y.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT_SCALE = 0.05  # m: heights enter the network in units of a typical object
COLOUR_SCALE = 255.0
UNSEEN = 1  # index of the plane that is 1 where nothing was seen


@dataclass(frozen=True)
class Canvas:
    """Where a rotated view lies on the heightmap.

    row, column: heightmap pixel that falls on the centre of cell (anchor_row, anchor_column).
    angle: rad, direction of the canvas' +x on the heightmap. rows, columns: size in cells.
    """

    row: float
    column: float
    angle: float
    rows: int
    columns: int
    anchor_row: int
    anchor_column: int

    def pixels_from(self, cell: int) -> NDArray[np.float64]:
        """2×3 affine map from canvas pixels (x, y) to heightmap pixels (x, y)."""
        turn = self._turn()
        anchor = np.array([self.anchor_column, self.anchor_row]) * cell + (cell - 1) / 2
        offset = np.array([self.column, self.row]) - turn @ anchor
        return np.column_stack([turn, offset])

    def cells_from(self, cell: int) -> NDArray[np.float64]:
        """2×3 affine map from heightmap cells (x, y) to canvas cells (x, y).

        A heightmap cell stands for the pixel its action is carried out at (``cell_to_pixel``).
        """
        back = self._turn().T
        offset = back @ (cell // 2 - np.array([self.column, self.row])) / cell
        return np.column_stack([back, offset + np.array([self.anchor_column, self.anchor_row])])

    def _turn(self) -> NDArray[np.float64]:
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cosine, -sine], [sine, cosine]])


def planes(
    height: NDArray[np.floating[Any]], colour: NDArray[np.uint8] | None
) -> NDArray[np.float32]:
    """What the network reads of every pixel: scaled height, unseen, and RGB if given.

    height: rows×columns, m, NaN where unseen. Returns planes × rows × columns.
    """
    single = np.asarray(height, dtype=np.float32)
    unseen = np.isnan(single)
    layers = [np.where(unseen, np.float32(0.0), single) / np.float32(HEIGHT_SCALE), unseen]
    if colour is not None:
        layers += list(np.moveaxis(colour, 2, 0) / COLOUR_SCALE)
    return np.stack(layers, dtype=np.float32)


def render(
    pixels: NDArray[np.float32], canvas: Canvas, cell: int, flip: bool = False
) -> NDArray[np.float32]:
    """The network's input for one canvas: input_channels × rows × columns.

    pixels: from ``planes``; beyond its edge lies unseen table. flip: mirror the view across the
    anchor's row (y → −y).
    """
    matrix = canvas.pixels_from(cell)
    if flip:
        mirror = 2 * (canvas.anchor_row * cell + (cell - 1) / 2)
        matrix = np.column_stack(
            [matrix[:, 0], -matrix[:, 1], matrix[:, 2] + matrix[:, 1] * mirror]
        )
    size = (canvas.columns * cell, canvas.rows * cell)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    layers = [
        cv2.warpAffine(layer, matrix, size, flags=flags, borderValue=1.0 if i == UNSEEN else 0.0)
        for i, layer in enumerate(pixels)
    ]
    return to_cells(layers, cell)


def to_cells(layers: Sequence[NDArray[Any]], cell: int) -> NDArray[np.float32]:
    """Space-to-depth of the height, mean over the cell of everything else.

    layers: of ``planes``, rows×columns each, multiples of ``cell`` pixels.
    """
    rows, columns = (size // cell for size in layers[0].shape)
    shape = (rows, cell, columns, cell)
    height = layers[0].reshape(shape).transpose(1, 3, 0, 2).reshape(-1, rows, columns)
    area = cv2.INTER_AREA
    means = [cv2.resize(layer, (columns, rows), interpolation=area) for layer in layers[1:]]
    return np.concatenate([height, np.stack(means)]).astype(np.float32)


def restore(
    values: NDArray[np.float32],
    canvas: Canvas,
    cell: int,
    shape: tuple[int, int],
    beyond: float = 0.0,
) -> NDArray[np.float32]:
    """Values on a canvas' cells (channels × rows × columns) → on the heightmap's cells.

    shape: (rows, columns) of the heightmap in cells. beyond: the value beyond the canvas.
    """
    matrix = canvas.cells_from(cell)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    result = [
        cv2.warpAffine(
            np.ascontiguousarray(layer), matrix, shape[::-1], flags=flags, borderValue=beyond
        )
        for layer in values
    ]
    return np.stack(result)
