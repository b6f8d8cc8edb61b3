"""Tower: blocks apart from each other that are to stand on top of one another."""

import numpy as np

from vpg_ros.shapes import Box
from vpg_ros.sim.objects import ObjectSpec
from vpg_ros.sim.scenes.base import coloured, scene, upright
from vpg_ros.sim.world import World

_RADIUS = 0.11  # m of the circle on which they stand
_SIDES = (0.040, 0.050)  # m


def _is_tower(world: World, objects: int) -> bool:
    """Whether all of them stand above one another: no two share a height."""
    heights = sorted(world.pose(body).position[2] for body in world.objects)
    steps = np.diff(heights)
    return len(heights) == objects and bool((steps > 0.8 * _SIDES[0]).all())


@scene("tower", max_objects=4, min_objects=2, solved=_is_tower)
def tower(world: World, objects: int) -> None:
    """Cubes on a circle, at any angle; solved when they are one tower."""
    rng = world.rng
    start = rng.uniform(0, 2 * np.pi)
    for index in range(objects):
        turn = start + 2 * np.pi * index / objects
        place = _RADIUS * np.array([np.cos(turn), np.sin(turn)]) + rng.uniform(-0.02, 0.02, size=2)
        x, y = (float(value) for value in np.array(world.workspace.centre) + place)
        spec = _cube(rng)
        yaw = float(rng.uniform(0, np.pi / 2))
        world.add(spec, upright(spec, x, y, yaw, world.workspace.table_z))


def _cube(rng: np.random.Generator) -> ObjectSpec:
    side = float(rng.uniform(*_SIDES))
    return coloured("cube", rng, Box((side, side, side)))
