"""Stuck: cubes on thin mats, to which some of them stick, as nobody can see.

Each cube can be grasped at once. One that sticks tears when it is lifted off its mat; a push that
slides it off first costs a step and does no harm.
"""

import numpy as np

from vpg_ros.geometry import Pose
from vpg_ros.shapes import Box
from vpg_ros.sim.accidents import Adhesion
from vpg_ros.sim.scenes.base import coloured, scene, spread, upright
from vpg_ros.sim.world import World

_STICKING = 0.35  # share of cubes
_SIDES = (0.034, 0.038)  # m: a push that goes by 14 mm beside the middle still takes it along
# m. So low that it is no object, wide enough to be seen, and no wider, or fingers would come down
# on it beside a cube that was pushed off.
_MAT = Box((0.054, 0.054, 0.008))
_RUBBER = (0.24, 0.24, 0.25)
_LOOSE = 0.045  # m from the mat's middle at which a cube has come loose: all or most of it is off
_APART = 0.14  # m between mats
_MARGIN = 0.10  # m from a mat to the border: a push takes nothing off it


@scene("stuck", max_objects=5)
def stuck(world: World, objects: int) -> None:
    """Mats at any place and angle, with a cube in the middle of each."""
    rng, table, thickness = world.rng, world.workspace.table_z, _MAT.size[2]
    for x, y in spread(world, objects, _APART, _MARGIN):
        side, yaw = float(rng.uniform(*_SIDES)), float(rng.uniform(0, np.pi / 2))
        spec = coloured("cube", rng, Box((side, side, side)))
        pose = upright(spec, x, y, yaw, table + thickness)
        world.lay(_MAT, Pose((x, y, table + thickness / 2), pose.quaternion), _RUBBER)
        body = world.add(spec, pose)
        if rng.random() < _STICKING:
            world.hazards.append(Adhesion(body, (x, y), _LOOSE))
