"""From bounds of values to the best value: exact where that can matter.

A distribution of returns is averaged over the places where an action may land. For a careful
measure, which is convex in probabilities, the average of the measures of those places, which is
cheap, is no less than the measure of the average (Jensen). So the places of the highest bounds are
looked at, each with what is around it, until none that is left has a bound above the best value.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from vpg_ros.policy.maps import BoolMaps, FloatMaps
from vpg_ros.policy.window import Window

# Makes values of a primitive and rotation in a window: rows × columns.
Exact = Callable[[str, int, Window], NDArray[np.float32]]
Place = tuple[int, int, int]  # rotation, row, column

_REACH = 8  # cells around a place that are made exact with it: high bounds lie close together


def refine(bounds: FloatMaps, admissible: BoolMaps, exact: Exact) -> None:
    """Lower bounds, in place, until the highest admissible one is exact; none gets too low.

    bounds: at least the values, rotations × rows × columns of every primitive.
    """
    known = {name: np.zeros(mask.shape, np.bool_) for name, mask in admissible.items()}

    def settle(name: str, place: Place) -> float:
        """Make what is around a place exact; the best that is admissible there."""
        rotation, row, column = place
        window = Window.around(row, column, _REACH, bounds[name].shape[1:])
        part = (rotation, *window.slices)
        bounds[name][part] = exact(name, rotation, window)
        known[name][part] = True
        return float(bounds[name][part][admissible[name][part]].max())

    best = -np.inf
    for name, place in _highest(bounds, admissible):  # to know what there is to beat
        best = max(best, settle(name, place))
    for name, place in _above(best, bounds, admissible):
        if bounds[name][place] > best and not known[name][place]:
            best = max(best, settle(name, place))


def _highest(bounds: FloatMaps, admissible: BoolMaps) -> Iterator[tuple[str, Place]]:
    """The best place of every primitive that has one."""
    for name, mask in admissible.items():
        if mask.any():
            best = int(np.where(mask, bounds[name], -np.inf).argmax())
            yield name, _place(best, mask)


def _above(best: float, bounds: FloatMaps, admissible: BoolMaps) -> Iterator[tuple[str, Place]]:
    """All admissible places of higher bounds, the highest one first."""
    names = list(admissible)
    found = [np.flatnonzero(admissible[name] & (bounds[name] > best)) for name in names]
    whose = np.repeat(np.arange(len(names)), [len(each) for each in found])
    where = np.concatenate(found)
    worth = np.concatenate([bounds[n].ravel()[at] for n, at in zip(names, found, strict=True)])
    for index in np.argsort(-worth, kind="stable"):
        name = names[whose[index]]
        yield name, _place(int(where[index]), admissible[name])


def _place(index: int, mask: NDArray[np.bool_]) -> Place:
    rotation, row, column = np.unravel_index(index, mask.shape)
    return int(rotation), int(row), int(column)
