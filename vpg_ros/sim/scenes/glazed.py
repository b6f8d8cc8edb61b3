"""Glazed: pairs of long bars side by side, of which some chip when another one presses on them.

A bar is too long to be grasped but across, and beside its twin only together with it: both come up
at once, or one of them chips. A push along the bars parts them.
"""

import numpy as np

from vpg_ros.shapes import Box
from vpg_ros.sim.accidents import Glaze
from vpg_ros.sim.scenes.base import coloured, pairs, scene, upright
from vpg_ros.sim.world import World

_CHIPPING = 0.35  # share of pairs that chip
_STRENGTH = 5.0  # N that they bear of each other; a grasp of both presses them with 8 to 10
_BAR = ([0.096, 0.034, 0.034], [0.104, 0.037, 0.040])  # m
_GAP = 5e-4  # m between the two
_APART = 0.16  # m between pairs


@scene("glazed", max_objects=6)
def glazed(world: World, objects: int) -> None:
    """Pairs at any place and angle, and one bar by itself where the number is odd."""
    rng = world.rng
    for index, (x, y) in enumerate(pairs(world, objects, _APART, 0.08)):
        length, width, height = (float(value) for value in rng.uniform(*_BAR))
        yaw = float(rng.uniform(0, np.pi))
        across = (width + _GAP) / 2 * np.array([-np.sin(yaw), np.cos(yaw)])
        pair = []
        for sign in (-1, 1)[: objects - 2 * index]:
            spec = coloured("bar", rng, Box((length, width, height)))
            at = np.array([x, y]) + sign * across
            pose = upright(spec, float(at[0]), float(at[1]), yaw, world.workspace.table_z)
            pair.append(world.add(spec, pose))
        if rng.random() < _CHIPPING:
            world.hazards.append(Glaze(pair[0], _STRENGTH))
