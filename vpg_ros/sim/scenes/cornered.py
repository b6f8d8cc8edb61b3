"""Cornered: slippery balls in the corners of the tray, where no finger fits beside them."""

import numpy as np

from vpg_ros.geometry import Pose
from vpg_ros.shapes import Hull
from vpg_ros.sim.objects import ObjectSpec, of_shapes, some_colour
from vpg_ros.sim.scenes.base import scene
from vpg_ros.sim.world import World

_POINTS = 162  # of the hull that stands for a ball
_GAP = 5e-4  # m between ball and rim


@scene("cornered", max_objects=4)
def cornered(world: World, objects: int) -> None:
    """Balls of 22 to 26 mm, each in another corner."""
    corners = world.rng.permutation(4)[:objects]
    low, high = world.cell.floor
    for corner in corners:
        spec, radius = _ball(world.rng)
        away = radius + _GAP
        x = low[0] + away if corner % 2 else high[0] - away
        y = low[1] + away if corner // 2 else high[1] - away
        world.add(spec, Pose((float(x), float(y), world.workspace.table_z + away)))


def _ball(rng: np.random.Generator) -> tuple[ObjectSpec, float]:
    """A ball, and its radius in m."""
    radius = float(rng.uniform(0.011, 0.013))
    points = radius * _sphere(_POINTS)
    hull = Hull(tuple((float(x), float(y), float(z)) for x, y, z in points))
    colour = some_colour(rng)
    return of_shapes("ball", (hull,), colour, float(rng.uniform(0.15, 0.20)))[0], radius


def _sphere(count: int) -> np.ndarray:
    """Evenly spread points of the unit sphere, count×3: a Fibonacci lattice (González 2010)."""
    index = np.arange(count) + 0.5
    z = 1 - 2 * index / count
    turn = np.pi * (1 + 5**0.5) * index
    ring = np.sqrt(1 - z**2)
    return np.column_stack([ring * np.cos(turn), ring * np.sin(turn), z])
