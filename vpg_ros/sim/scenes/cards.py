"""Cards: flat square cards, wider than the gripper opens for a grasp, each before a sill."""

import numpy as np

from vpg_ros.shapes import Box
from vpg_ros.sim.objects import ObjectSpec
from vpg_ros.sim.scenes.base import coloured, scene, upright
from vpg_ros.sim.world import World

_OFF_CENTRE = 0.05  # m from the workspace's middle at most
_GAP = 0.002  # m between card and sill
_SILL_LENGTH = 0.16  # m


@scene("cards", max_objects=2, min_objects=2)
def cards(world: World, objects: int) -> None:
    """A card on the table and the sill behind it, at any place and angle."""
    rng = world.rng
    side, thickness = rng.uniform([0.092, 0.013], [0.104, 0.016])
    depth, height = rng.uniform([0.050, 0.044], [0.060, 0.050])
    middle = np.array(world.workspace.centre) + rng.uniform(-_OFF_CENTRE, _OFF_CENTRE, size=2)
    yaw = float(rng.uniform(0, 2 * np.pi))
    along = np.array([np.cos(yaw), np.sin(yaw)])
    sill_at = middle + along * ((side + depth) / 2 + _GAP)
    for kind, size, place in (
        ("card", (side, side, thickness), middle),
        ("sill", (depth, _SILL_LENGTH, height), sill_at),
    ):
        spec = _block(kind, size, rng)
        x, y = (float(value) for value in place)
        world.add(spec, upright(spec, x, y, yaw, world.workspace.table_z))


def _block(kind: str, size: tuple[float, float, float], rng: np.random.Generator) -> ObjectSpec:
    return coloured(kind, rng, Box(size))
