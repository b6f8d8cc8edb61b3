"""Row: blocks standing apart from each other, every one within reach of the fingers."""

import numpy as np

from vpg_ros.sim.objects import KINDS, PALETTE, block
from vpg_ros.sim.scenes.base import scene, upright
from vpg_ros.sim.world import World

_SPACING = 0.10  # m between the middles of two blocks
_COLUMNS = 4


@scene("row", max_objects=16)
def row(world: World, objects: int) -> None:
    """Rows of up to four upright blocks, kinds in turn, aligned with the base axes."""
    rows = -(-objects // _COLUMNS)
    columns = min(objects, _COLUMNS)
    centre_x, centre_y = world.workspace.centre
    kinds = list(KINDS)
    for index in range(objects):
        line, place = divmod(index, _COLUMNS)
        spec = block(kinds[index % len(kinds)], world.rng, PALETTE[index % len(PALETTE)])
        x = centre_x + (place - (columns - 1) / 2) * _SPACING
        y = centre_y + (line - (rows - 1) / 2) * _SPACING
        yaw = float(world.rng.choice([0.0, np.pi / 2]))
        world.add(spec, upright(spec, x, y, yaw, world.workspace.table_z))
