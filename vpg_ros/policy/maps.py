"""Value maps: what a policy thinks of every primitive, rotation and place."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpg_ros import primitives
from vpg_ros.errors import ErrorCode, require
from vpg_ros.geometry import FloatArray
from vpg_ros.heightmap import Heightmap

FloatMaps = dict[str, NDArray[np.float32]]
BoolMaps = dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class ValueMaps:
    """Values on a grid of cells, each ``cell``×``cell`` pixels of the heightmap.

    values: primitive → rotations × rows/cell × columns/cell float32, larger is better.
    admissible: same keys and shapes; only these entries may be chosen. cell: pixels a cell side.
    """

    values: FloatMaps
    admissible: BoolMaps
    cell: int = 1

    def best_over_rotations(self, primitive: str) -> NDArray[np.float32]:
        """Best admissible value at every cell, NaN where none is: rows/cell × columns/cell."""
        masked = np.where(self.admissible[primitive], self.values[primitive], -np.inf).max(axis=0)
        return np.where(np.isfinite(masked), masked, np.nan).astype(np.float32)


def cell_to_pixel(row: int, column: int, cell: int) -> tuple[int, int]:
    """The heightmap pixel at which an action of a cell is carried out."""
    return row * cell + cell // 2, column * cell + cell // 2


def pixel_to_cell(row: int, column: int, cell: int) -> tuple[int, int]:
    """The cell that holds a heightmap pixel."""
    return row // cell, column // cell


def own_pixels(mask: NDArray[np.bool_], cell: int) -> NDArray[np.bool_]:
    """A mask of pixels, read where the actions of cells are carried out; … × rows × columns."""
    return mask[..., cell // 2 :: cell, cell // 2 :: cell]


def only_near(allowed: BoolMaps, near: NDArray[np.bool_], cell: int) -> BoolMaps:
    """``allowed`` less the cells whose own pixel is not ``near``, rows×columns of pixels."""
    own = own_pixels(near, cell)
    return {name: mask & own for name, mask in allowed.items()}


def squared_distances(row: int, column: int, shape: tuple[int, int], cell: int) -> FloatArray:
    """Of every cell's own pixel from the pixel (row, column), pixels²; shape: rows, columns."""
    rows, columns = (np.arange(count) * cell + cell // 2 for count in shape)
    return np.asarray((rows[:, None] - row) ** 2.0 + (columns[None, :] - column) ** 2.0)


def cells_within(
    reach: float, row: int, column: int, heightmap: Heightmap, cell: int
) -> NDArray[np.bool_]:
    """Which cells are at most ``reach`` m from a pixel: rows/cell × columns/cell."""
    rows, columns = (size // cell for size in heightmap.workspace.shape)
    radius = reach / heightmap.workspace.resolution
    return np.asarray(squared_distances(row, column, (rows, columns), cell) <= radius**2)


def admissible_cells(
    heightmap: Heightmap, names: tuple[str, ...], cell: int, masked: bool = True
) -> BoolMaps:
    """What the named primitives allow, read at each cell's own pixel; all of it if not masked."""
    require(
        all(size % cell == 0 for size in heightmap.workspace.shape),
        f"heightmap has {heightmap.workspace.shape} pixels; both must be multiples of {cell}",
        ErrorCode.HEIGHTMAP_INVALID,
    )
    if not masked:
        rows, columns = (size // cell for size in heightmap.workspace.shape)
        shapes = {name: (primitives.get(name).rotations, rows, columns) for name in names}
        return {name: np.ones(shape, dtype=np.bool_) for name, shape in shapes.items()}
    return {name: own_pixels(primitives.get(name).admissible(heightmap), cell) for name in names}
