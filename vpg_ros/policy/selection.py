"""From value maps to one action: masks, argmax, no repetition on an unchanged scene."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.maps import BoolMaps, ValueMaps, cell_to_pixel

TRIED_RADIUS = 0.010  # m around a tried action within which it counts as the same
ROUNDING = 1e-6  # between values that count as equal
TRIED_ROTATIONS = 1  # rotation steps to either side that count as the same


def select(maps: ValueMaps, heightmap: Heightmap) -> Action:
    """The admissible action of the highest value.

    Ties go to the first primitive, then rotation, row and column in the maps' order, so that equal
    maps give equal actions. Raises NO_ADMISSIBLE_ACTION and VALUES_INVALID.
    """
    best: tuple[float, str, int] | None = None
    for name, values in maps.values.items():
        masked = np.where(maps.admissible[name], values, -np.inf)
        require(
            not np.isnan(masked).any(),
            f"the value map of {name} is not a number at admissible pixels: the weights are broken",
            ErrorCode.VALUES_INVALID,
        )
        index = int(np.argmax(masked))
        value = float(masked.flat[index])
        if np.isfinite(value) and (best is None or value > best[0]):
            best = (value, name, index)
    if best is None:
        raise VpgError(
            ErrorCode.NO_ADMISSIBLE_ACTION,
            f"no primitive of {', '.join(maps.values)} is admissible anywhere: "
            "the table is clear, or every action was tried without changing the scene",
        )
    return _action_at(maps, heightmap, best[1], best[2])


def best_cells(maps: ValueMaps) -> BoolMaps:
    """The admissible entries whose value is the highest, or rounds to it; none of broken maps."""
    masked = {name: np.where(maps.admissible[name], v, -np.inf) for name, v in maps.values.items()}
    highest = max(float(values.max()) for values in masked.values())
    return {name: maps.admissible[name] & (v >= highest - ROUNDING) for name, v in masked.items()}


def _action_at(maps: ValueMaps, heightmap: Heightmap, name: str, index: int) -> Action:
    values = maps.values[name]
    rotation, row, column = (int(i) for i in np.unravel_index(index, values.shape))
    pixel = cell_to_pixel(row, column, maps.cell)
    action = primitives.get(name).action(*pixel, rotation, heightmap)
    return replace(action, value=float(values.flat[index]))


def without_tried(
    admissible: BoolMaps, tried: Sequence[Action], heightmap: Heightmap, cell: int
) -> BoolMaps:
    """``admissible`` less the tried actions and their neighbours in place and rotation."""
    result = {name: mask.copy() for name, mask in admissible.items()}
    radius = TRIED_RADIUS / heightmap.workspace.resolution
    for action in tried:
        if action.primitive in result:
            _forbid(result[action.primitive], action, radius, cell)
    return result


def _forbid(mask: NDArray[np.bool_], action: Action, radius: float, cell: int) -> None:
    """Clear the neighbourhood of ``action`` (``radius`` in pixels) in place."""
    rotations, rows, columns = mask.shape
    r = np.arange(rows) * cell + cell // 2 - action.row
    c = np.arange(columns) * cell + cell // 2 - action.column
    near = r[:, None] ** 2 + c[None, :] ** 2 <= radius**2
    for step in range(-TRIED_ROTATIONS, TRIED_ROTATIONS + 1):
        mask[(action.rotation + step) % rotations][near] = False
