"""Tall: upright boxes with a lid wider than the gripper; lying down, their waists fit into it."""

import numpy as np

from vpg_ros.geometry import Pose
from vpg_ros.shapes import Box
from vpg_ros.sim.objects import ObjectSpec
from vpg_ros.sim.scenes.base import coloured, scene, upright
from vpg_ros.sim.world import World

_MIDDLE = 0.05  # m from the workspace's middle that one stands at most: it needs room to fall
_APART = 0.11  # m from the middle to either side where two stand


@scene("tall", max_objects=2)
def tall(world: World, objects: int) -> None:
    """Upright boxes at any angle, each with room around it to fall."""
    rng = world.rng
    middle = np.array(world.workspace.centre)
    direction = rng.uniform(0, np.pi)
    offset = _APART * np.array([np.cos(direction), np.sin(direction)])
    for index in range(objects):
        side = offset * (2 * index - 1) if objects > 1 else rng.uniform(-_MIDDLE, _MIDDLE, size=2)
        x, y = (float(value) for value in middle + side)
        yaw = float(rng.uniform(0, np.pi / 2))
        spec = _box(rng)
        world.add(spec, upright(spec, x, y, yaw, world.workspace.table_z))


def _box(rng: np.random.Generator) -> ObjectSpec:
    """A post between two equal square plates, so that it stands firmly and cannot roll."""
    side, thickness = rng.uniform([0.098, 0.016], [0.106, 0.020])
    post, height = rng.uniform([0.036, 0.136], [0.046, 0.152])
    lid = (height - thickness) / 2
    plates = (Box((side, side, thickness), Pose((0.0, 0.0, z))) for z in (-lid, lid))
    shapes = (Box((post, post, height - 2 * thickness)), *plates)
    return coloured("tall_box", rng, *shapes)
