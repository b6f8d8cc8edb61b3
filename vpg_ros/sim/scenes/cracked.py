"""Cracked: look-alike cylinders apart from each other, of which some fall apart when lifted.

Nothing that is done before changes that: where the outcome varies but no action can help it,
caution should change nothing. The control of the scenes in which caution pays.
"""

from vpg_ros.shapes import Cylinder
from vpg_ros.sim.accidents import Crack
from vpg_ros.sim.scenes.base import coloured, scene, spread, upright
from vpg_ros.sim.world import World

_CRACKED = 0.35  # share of them that break
_SIZE = ([0.018, 0.034], [0.022, 0.042])  # m, radius and height
_APART, _MARGIN = 0.10, 0.05  # m between two, and from one to the border


@scene("cracked", max_objects=8)
def cracked(world: World, objects: int) -> None:
    """Cylinders upright at any place."""
    rng = world.rng
    for x, y in spread(world, objects, _APART, _MARGIN):
        radius, height = (float(value) for value in rng.uniform(*_SIZE))
        spec = coloured("cylinder", rng, Cylinder(radius, height))
        body = world.add(spec, upright(spec, x, y, 0.0, world.workspace.table_z))
        if rng.random() < _CRACKED:
            world.hazards.append(Crack(body))
