"""From value maps to one action: masks, argmax, nothing again that came to nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.maps import (
    BoolMaps,
    FloatMaps,
    ValueMaps,
    cell_to_pixel,
    cells_within,
    squared_distances,
)

TRIED_RADIUS = 0.010  # m around a tried action within which it counts as the same
ROUNDING = 1e-6  # between values that count as equal
TRIED_ROTATIONS = 1  # rotation steps to either side that count as the same
# Where an action came to nothing, what is like it is likely to as well: its value falls by this
# share at the same place, and by less the farther away, with this standard deviation, m.
DOUBT, DOUBT_REACH = 0.5, 0.03
EVERYWHERE = (slice(None), slice(None))


def select(maps: ValueMaps, heightmap: Heightmap) -> Action:
    """The admissible action of the highest value.

    Ties go to the first primitive, then rotation, row and column in the maps' order, so that equal
    maps give equal actions. Raises NO_ADMISSIBLE_ACTION and VALUES_INVALID.
    """
    for name, values in maps.values.items():
        require(
            bool(np.isfinite(values[maps.admissible[name]]).all()),
            f"the value map of {name} is not finite at admissible pixels: the weights are broken",
            ErrorCode.VALUES_INVALID,
        )
    best = highest(maps.values, maps.admissible)
    if best is None:
        raise nothing_admissible(maps.values)
    return _action_at(maps, heightmap, *best)


def highest(values: FloatMaps, admissible: BoolMaps) -> tuple[str, tuple[int, int, int]] | None:
    """Primitive, and rotation, row and column, of the highest admissible value; None of none.

    Ties go to the first in the maps' order. Values that are not finite are passed over: a learner
    that diverges tells of its loss.
    """
    best: tuple[str, tuple[int, int, int]] | None = None
    most = -np.inf
    for name, own in values.items():
        masked = np.where(admissible[name] & np.isfinite(own), own, -np.inf)
        rotation, row, column = np.unravel_index(int(np.argmax(masked)), masked.shape)
        value = float(masked[rotation, row, column])
        if value > most:
            most, best = value, (name, (int(rotation), int(row), int(column)))
    return best


def nothing_admissible(names: Iterable[str]) -> VpgError:
    """The error of a scene in which no action of ``names`` is left."""
    return VpgError(
        ErrorCode.NO_ADMISSIBLE_ACTION,
        f"no primitive of {', '.join(names)} is admissible anywhere: "
        "the table is clear, or every action was tried without changing the scene",
    )


def best_cells(maps: ValueMaps) -> BoolMaps:
    """The admissible entries whose value is the highest, or rounds to it; none of broken maps."""
    masked = {name: np.where(maps.admissible[name], v, -np.inf) for name, v in maps.values.items()}
    most = np.max([values.max() for values in masked.values()])  # NaN where any is
    return {name: maps.admissible[name] & (v >= most - ROUNDING) for name, v in masked.items()}


def _action_at(
    maps: ValueMaps, heightmap: Heightmap, name: str, place: tuple[int, int, int]
) -> Action:
    rotation, row, column = place
    pixel = cell_to_pixel(row, column, maps.cell)
    action = primitives.get(name).action(*pixel, rotation, heightmap)
    return replace(action, value=float(maps.values[name][place]))


def without_tried(
    admissible: BoolMaps, tried: Sequence[Action], heightmap: Heightmap, cell: int
) -> BoolMaps:
    """``admissible`` less the tried actions and their neighbours in place and rotation."""
    result = {name: mask.copy() for name, mask in admissible.items()}
    for action in tried:
        if action.primitive in result:
            near = cells_within(TRIED_RADIUS, action.row, action.column, heightmap, cell)
            _forbid(result[action.primitive], action, near)
    return result


class Doubt:
    """What the failures of tried actions say of their primitives.

    Values fall towards ``nothing``, the value of what comes to nothing; what is no better stays.
    """

    def __init__(
        self, tried: Sequence[Action], heightmap: Heightmap, cell: int, nothing: float = 0.0
    ) -> None:
        self._nothing = nothing
        self._kept: FloatMaps = {}  # primitive that was tried → share of a value that is left
        rows, columns = heightmap.workspace.shape
        reach = DOUBT_REACH / heightmap.workspace.resolution
        for action in tried:
            distances = squared_distances(
                action.row, action.column, (rows // cell, columns // cell), cell
            )
            kept = (1 - DOUBT * np.exp(-distances / (2 * reach**2))).astype(np.float32)
            self._kept[action.primitive] = self._kept.get(action.primitive, np.float32(1)) * kept

    def of(self, values: FloatMaps) -> FloatMaps:
        """Doubted values of every primitive, … × rows × columns."""
        return {name: self.within(name, own) for name, own in values.items()}

    def within(
        self, primitive: str, values: NDArray[np.float32], place: tuple[slice, slice] = EVERYWHERE
    ) -> NDArray[np.float32]:
        """Doubted values of a primitive at a place, … × its rows × columns."""
        if primitive not in self._kept:
            return values
        fallen = self._nothing + self._kept[primitive][place] * (values - self._nothing)
        return np.where(values > self._nothing, fallen, values).astype(np.float32)


def _forbid(mask: NDArray[np.bool_], action: Action, near: NDArray[np.bool_]) -> None:
    """Clear the rotations beside that of ``action`` where it is ``near``, in place."""
    for step in range(-TRIED_ROTATIONS, TRIED_ROTATIONS + 1):
        mask[(action.rotation + step) % len(mask)][near] = False
