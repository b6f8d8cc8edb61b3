"""Cards: a flat square card with a lip before a sill, both wider than the gripper opens."""

import numpy as np

from vpg_ros.shapes import Box, Hull
from vpg_ros.sim.scenes.base import coloured, scene, upright
from vpg_ros.sim.world import World

_OFF_CENTRE = 0.05  # m from the workspace's middle at most
_GAP = 0.002  # m between card and sill
_SILL_LENGTH = 0.16  # m
_INSET = 0.010  # m by which a card's foot is smaller than its lip on each side
_LIP = 0.007  # m of the lip above the table


def _is_picked(world: World, objects: int) -> bool:
    """Whether the card came to rest in the bin."""
    return world.picked == objects - 1


@scene("cards", max_objects=2, min_objects=2, solved=_is_picked)
def cards(world: World, objects: int) -> None:
    """A card on the table, to be picked, and the sill behind it, at any place and angle."""
    rng = world.rng
    side, thickness = rng.uniform([0.092, 0.013], [0.104, 0.016])
    depth, height = rng.uniform([0.092, 0.044], [0.100, 0.050])
    middle = np.array(world.workspace.centre) + rng.uniform(-_OFF_CENTRE, _OFF_CENTRE, size=2)
    yaw = float(rng.uniform(0, 2 * np.pi))
    along = np.array([np.cos(yaw), np.sin(yaw)])
    sill_at = middle + along * ((side + depth) / 2 + _GAP)
    for kind, shape, place in (
        ("card", _bevelled(side, thickness), middle),
        ("sill", Box((depth, _SILL_LENGTH, height)), sill_at),
    ):
        spec = coloured(kind, rng, shape)
        x, y = (float(value) for value in place)
        world.add(spec, upright(spec, x, y, yaw, world.workspace.table_z))


def _bevelled(side: float, thickness: float) -> Hull:
    """A square plate whose lower edges are cut off at a slant, so that fingers get below them."""
    half = side / 2
    rings = ((half - _INSET, 0.0), (half, _LIP), (half, thickness))
    return Hull(
        tuple((x * r, y * r, z - thickness / 2) for r, z in rings for x in (-1, 1) for y in (-1, 1))
    )
