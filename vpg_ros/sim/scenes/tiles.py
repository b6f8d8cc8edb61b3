"""Tiles: a loose row of thin tiles on edge, wider than a grasp opens, with no finger's gap."""

import numpy as np

from vpg_ros.shapes import Box
from vpg_ros.sim.objects import PALETTE, ObjectSpec, of_shapes
from vpg_ros.sim.scenes.base import scene, upright
from vpg_ros.sim.world import World

_OFF_CENTRE = 0.08  # m from the workspace's middle at most


@scene("tiles", max_objects=7, min_objects=6)
def tiles(world: World, objects: int) -> None:
    """One row at any place and angle; a tile that falls over is too large to be grasped flat."""
    rng = world.rng
    width, height, thickness = rng.uniform([0.092, 0.088, 0.0085], [0.098, 0.092, 0.0095])
    spacing = (rng.uniform(0.092, 0.097) - thickness) / (objects - 1)
    middle = np.array(world.workspace.centre) + rng.uniform(-_OFF_CENTRE, _OFF_CENTRE, size=2)
    yaw = float(rng.uniform(0, np.pi))
    along = np.array([np.cos(yaw), np.sin(yaw)])
    for index in range(objects):
        x, y = middle + along * spacing * (index - (objects - 1) / 2)
        spec = _tile((thickness, width, height), rng)
        world.add(spec, upright(spec, float(x), float(y), yaw, world.workspace.table_z))


def _tile(size: tuple[float, float, float], rng: np.random.Generator) -> ObjectSpec:
    colour = PALETTE[int(rng.integers(len(PALETTE)))]
    return of_shapes("tile", (Box(size),), colour, float(rng.uniform(0.6, 0.8)))[0]
