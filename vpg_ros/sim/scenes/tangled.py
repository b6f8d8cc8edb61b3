"""Tangled: pairs of look-alike cubes close together, some of which hang by a hidden thread.

Each cube can be grasped at once, and no grasp takes both. Where a thread is, that tears its twin
off in the air; a push that parts the two first costs a step and does no harm.
"""

import numpy as np

from vpg_ros.shapes import Box
from vpg_ros.sim.accidents import Thread
from vpg_ros.sim.scenes.base import coloured, pairs, scene, upright
from vpg_ros.sim.world import World

_TANGLED = 0.35  # share of pairs with a thread
_SIDES = (0.026, 0.030)  # m: small, so that whoever looks at one sees the twin
_GAP = 0.022  # m between the two: wider than the fingers, which else take both at their joint
_SLACK = 0.025  # m of thread
_APART = 0.13  # m between pairs


@scene("tangled", max_objects=10)
def tangled(world: World, objects: int) -> None:
    """Pairs at any place and angle, and one cube by itself where the number is odd."""
    rng = world.rng
    for index, (x, y) in enumerate(pairs(world, objects, _APART, 0.06)):
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
