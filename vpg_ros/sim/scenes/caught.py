"""Caught: cubes near the tray's rim, some of which are caught under its lip, as nobody can see.

Each cube can be grasped at once. One that is caught breaks when it is lifted there; a push towards
the middle first costs a step and frees it.
"""

import numpy as np

from vpg_ros.geometry import FloatArray
from vpg_ros.shapes import Box
from vpg_ros.sim.accidents import Lip
from vpg_ros.sim.scenes.base import coloured, draw_apart, scene, upright
from vpg_ros.sim.world import World

_CAUGHT = 0.35  # share of cubes
_SIDES = (0.034, 0.038)  # m: a push that goes by 14 mm beside the middle still takes it along
# m from the rim: it can be seen from the cube, and there is room to begin a push behind it.
_NEAR = (0.066, 0.074)
_REACH = 0.10  # m from the rim within which a cube stays caught
_APART = 0.11  # m between two
_CORNER = 0.13  # m to the next side of the rim


@scene("caught", max_objects=6)
def caught(world: World, objects: int) -> None:
    """Along any side of the rim, turned at random."""
    rng = world.rng
    (left, front), (right, back) = world.cell.floor.tolist()
    free = ((left + _REACH, front + _REACH), (right - _REACH, back - _REACH))
    for x, y in draw_apart(lambda: _place(world), objects, _APART):
        side, yaw = float(rng.uniform(*_SIDES)), float(rng.uniform(0, np.pi / 2))
        spec = coloured("cube", rng, Box((side, side, side)))
        body = world.add(spec, upright(spec, x, y, yaw, world.workspace.table_z))
        if rng.random() < _CAUGHT:
            world.hazards.append(Lip(body, *free))


def _place(world: World) -> FloatArray:
    """(x, y) near the rim."""
    rng = world.rng
    low, high = world.cell.floor
    place = rng.uniform(low + _CORNER, high - _CORNER)
    axis, away = int(rng.integers(2)), rng.uniform(*_NEAR)
    place[axis] = low[axis] + away if rng.integers(2) else high[axis] - away
    return place
