"""Tangled: pairs of look-alike cubes in touch, some of which hang together by a hidden thread.

Each cube can be grasped at once, across the side that is free. Where a thread is, that tears its
twin off in the air; a push that parts the two first costs a step and does no harm.
"""

import numpy as np

from vpg_ros.shapes import Box
from vpg_ros.sim.accidents import Thread
from vpg_ros.sim.scenes.base import coloured, scene, spread, upright
from vpg_ros.sim.world import World

_TANGLED = 0.2  # share of pairs with a thread
_SIDES = (0.034, 0.042)  # m
_GAP = 0.001  # m between the two
_SLACK = 0.025  # m of thread
_APART, _MARGIN = 0.13, 0.06  # m between pairs, and from a pair to the border


@scene("tangled", max_objects=10)
def tangled(world: World, objects: int) -> None:
    """Pairs at any place and angle, and one cube by itself where the number is odd."""
    rng = world.rng
    for index, (x, y) in enumerate(spread(world, -(-objects // 2), _APART, _MARGIN)):
        side, yaw = float(rng.uniform(*_SIDES)), float(rng.uniform(0, np.pi / 2))
        offset = (side + _GAP) / 2 * np.array([np.cos(yaw), np.sin(yaw)])
        signs = (-1, 1) if 2 * index + 2 <= objects else (1,)
        pair = []
        for sign in signs:
            spec = coloured("cube", rng, Box((side, side, side)))
            at = np.array([x, y]) + sign * offset
            pose = upright(spec, float(at[0]), float(at[1]), yaw, world.workspace.table_z)
            pair.append(world.add(spec, pose))
        if rng.random() < _TANGLED and len(pair) == 2:
            world.hazards.append(Thread(pair[0], pair[1], side + _GAP + _SLACK))
