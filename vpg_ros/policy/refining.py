"""From bounds of values to the best value: exact where that can matter.

A distribution of returns is averaged over the places where an action may land. For a careful
measure, which is convex in probabilities, the average of the measures of those places, which is
cheap, is no less than the measure of the average (Jensen). So the places of the highest bounds are
looked at, until none that is left has a bound above the best value.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vpg_ros.policy.maps import BoolMaps, FloatMaps

Cells = NDArray[np.intp]  # N×2: row, column
# Makes values of a primitive and rotation at cells: N.
Exact = Callable[[str, int, Cells], NDArray[np.float32]]
# What is to be compared, of values: such as less the doubt about what came to nothing.
Compared = Callable[[FloatMaps], FloatMaps]

_AT_ONCE = 256  # places


def refine(bounds: FloatMaps, admissible: BoolMaps, exact: Exact, compared: Compared) -> FloatMaps:
    """``compared`` values of which the highest admissible one is exact, and no other is too low.

    bounds: at least the values; they are lowered in place.
    """
    known = {name: np.zeros(mask.shape, np.bool_) for name, mask in admissible.items()}
    count = 1  # first the best of each primitive, to know what there is to beat
    while True:
        result, found = compared(bounds), False
        best = max((_highest(result[name], known[name]) for name in known), default=-np.inf)
        for name, mask in admissible.items():
            left = np.flatnonzero(mask & ~known[name] & (result[name] > best))
            if left.size > count:
                worth = result[name].ravel()[left]
                left = left[np.argpartition(worth, -count)[-count:]]
            for rotation, cells in _by_rotation(left, mask.shape):
                bounds[name][rotation, cells[:, 0], cells[:, 1]] = exact(name, rotation, cells)
            known[name].ravel()[left] = True
            found |= bool(left.size)
        if not found:
            return result
        count = _AT_ONCE


def _highest(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    return float(values[mask].max()) if mask.any() else -np.inf


def _by_rotation(
    left: NDArray[np.intp], shape: tuple[int, ...]
) -> list[tuple[int, NDArray[np.intp]]]:
    """Indices of rotations × rows × columns: of each rotation among them the cells, N×2."""
    rotations, rows, columns = np.unravel_index(left, shape)
    cells = np.column_stack([rows, columns])
    return [(int(r), cells[rotations == r]) for r in np.unique(rotations)]
