"""Sticky: stacks of two, some of whose upper blocks stick to the lower ones, as nobody can see.

Either block can be grasped at once. Where they stick, one tears off the other in the air, whichever
is held; with the upper one swept off first, by fingers above the lower block, there is no harm.
"""

import numpy as np

from vpg_ros.shapes import Box
from vpg_ros.sim.accidents import Glue
from vpg_ros.sim.scenes.base import coloured, pairs, scene, upright
from vpg_ros.sim.world import World

_STICKING = 0.35  # share of stacks that stick
# m. A push that begins above the lower one, beside the upper one, has 37 mm of it to begin in.
_LOWER = ([0.104, 0.046, 0.022], [0.110, 0.052, 0.026])
_UPPER = ([0.030, 0.030, 0.032], [0.034, 0.034, 0.038])
_SLACK = 0.025  # m that the two may part before they are off each other
_APART = 0.15  # m between stacks


@scene("sticky", max_objects=8)
def sticky(world: World, objects: int) -> None:
    """Stacks at any place and angle, and a lower block alone where the number is odd."""
    rng = world.rng
    for index, (x, y) in enumerate(pairs(world, objects, _APART, 0.07)):
        yaw, floor, stack = float(rng.uniform(0, np.pi)), world.workspace.table_z, []
        for low, high in (_LOWER, _UPPER)[: objects - 2 * index]:
            length, width, height = (float(value) for value in rng.uniform(low, high))
            spec = coloured("block", rng, Box((length, width, height)))
            stack.append(world.add(spec, upright(spec, x, y, yaw, floor)))
            floor += height + 2e-4
        if rng.random() < _STICKING and len(stack) == 2:
            lower, upper = (world.pose(body).position[2] for body in stack)
            world.hazards.append(Glue(stack[1], stack[0], upper - lower + _SLACK))
