"""Random clutter: blocks of all kinds dropped onto the middle of the workspace."""

import numpy as np
from scipy.spatial.transform import Rotation

from vpg_ros.geometry import Pose
from vpg_ros.sim.objects import KINDS, block
from vpg_ros.sim.scenes.base import scene
from vpg_ros.sim.settle import settle
from vpg_ros.sim.world import DT, World

_SPREAD = 0.12  # m to each side of the workspace's middle
_DROP_HEIGHT = 0.08  # m above the tallest thing below
_PAUSE = 0.08  # s between two drops
_ROUNDS = 5  # times that what rolled off the workspace is dropped again


@scene("random", max_objects=40)
def random_clutter(world: World, objects: int) -> None:
    """Drop ``objects`` blocks one after the other, and again those that left the workspace."""
    for _ in range(_ROUNDS):
        for _ in range(objects - len(world.objects)):
            _drop(world)
        settle(world)
        strays = [body for body in world.objects if not _is_inside(world, body)]
        for body in strays:
            world.remove(body)
        if len(world.objects) == objects:
            return


def _drop(world: World) -> None:
    """Let one random block fall, tumbled, and give it time to land."""
    rng = world.rng
    centre_x, centre_y = world.workspace.centre
    dx, dy = rng.uniform(-_SPREAD, _SPREAD, size=2)
    heights = [world.pose(body).position[2] for body in world.objects]
    z = max([world.workspace.table_z, *heights]) + _DROP_HEIGHT
    x, y, qz, w = Rotation.random(rng=rng).as_quat()
    pose = Pose((float(centre_x + dx), float(centre_y + dy), z), (x, y, qz, w))
    kind = str(rng.choice(np.array(list(KINDS))))
    world.add(block(kind, rng), pose)
    world.step(round(_PAUSE / DT))


def _is_inside(world: World, body: int) -> bool:
    x, y, _ = world.pose(body).position
    return world.workspace.contains(x, y)
