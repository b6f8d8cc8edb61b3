"""Ledge: four blocks packed near the ledge of a smaller table, some of them slippery.

Two abreast are wider than the fingers, so one has to be pushed away first, and what comes to rest
beyond the ledge is lost. Which blocks slide farther than others cannot be seen.
"""

from dataclasses import replace

import numpy as np

from vpg_ros.shapes import Box
from vpg_ros.sim.scenes.base import coloured, scene, upright
from vpg_ros.sim.world import World

LEDGE = 0.06  # m from the tray's rim to the ledge
_SIDES = (0.046, 0.054)  # m
_GAP = 2e-4  # m between neighbours
_NEAR = (0.055, 0.085)  # m from the group's middle to the ledge
_SLIPPERY = 0.3  # share of blocks
_SMOOTH = 0.1  # their friction


@scene("ledge", max_objects=4, min_objects=4)
def ledge(world: World, objects: int) -> None:
    """Two by two of them, along one of the four edges, turned a little."""
    rng = world.rng
    world.cell.narrow(LEDGE)
    middle, turn = _place(world)
    side = float(rng.uniform(*_SIDES))
    for index in range(objects):
        cell = (np.array(divmod(index, 2)) - 0.5) * (side + _GAP)
        c, s = np.cos(turn), np.sin(turn)
        x, y = (float(value) for value in middle + cell @ np.array([[c, s], [-s, c]]))
        spec = coloured("cube", rng, Box((side, side, 0.8 * side)))
        if rng.random() < _SLIPPERY:
            spec = replace(spec, friction=_SMOOTH)
        world.add(spec, upright(spec, x, y, turn, world.workspace.table_z))


def _place(world: World) -> tuple[np.ndarray, float]:
    """Middle (x, y) of the group, m, and how it is turned, rad."""
    rng = world.rng
    inwards = int(rng.integers(4)) * np.pi / 2
    low, high = world.cell.floor
    half = (high - low) / 2 - LEDGE
    outwards = -np.array([np.cos(inwards), np.sin(inwards)])
    along = np.array([-outwards[1], outwards[0]])
    away = float(half.min()) - rng.uniform(*_NEAR)
    middle = np.array(world.workspace.centre) + away * outwards + rng.uniform(-0.08, 0.08) * along
    return middle, float(inwards + rng.uniform(-0.3, 0.3))
