"""Whether the gripper passes free of everything, judged by axis-aligned boxes.

Boxes around boxes err on the safe side: what they call free is free.
"""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from vpg_ros.geometry import FloatArray
from vpg_ros.sim.world import World

MARGIN = 0.008  # m that must stay free around the gripper


def free(
    world: World, tool: FloatArray, width: float, carried: Collection[int] = ()
) -> NDArray[np.bool_]:
    """For each TCP pose (N×4×4), whether the gripper at ``width`` m touches nothing there; N.

    ``carried`` objects move along, rigidly; their boxes as they are now count as the gripper's.
    """
    low, high = _obstacles(world, carried)
    parts = world.robot.corners(width)
    placed = np.einsum("nij,pcj->npci", tool[:, :3, :3], parts) + tool[:, None, None, :3, 3]
    boxes = [(placed.min(axis=2), placed.max(axis=2))]
    if carried:
        offset = tool[:, :3, 3] - world.robot.tip()[:3, 3]
        held = np.array([world.client.getAABB(body) for body in carried])
        boxes += [tuple(offset[:, None] + corner for corner in corners) for corners in held]
    part_low = np.concatenate([box[0] for box in boxes], axis=1) - MARGIN
    part_high = np.concatenate([box[1] for box in boxes], axis=1) + MARGIN
    above = (part_low[:, :, None] > high).any(axis=-1)
    below = (part_high[:, :, None] < low).any(axis=-1)
    apart: NDArray[np.bool_] = np.logical_or(above, below)
    return np.logical_and.reduce(apart, axis=(1, 2))


def _obstacles(world: World, carried: Collection[int]) -> tuple[FloatArray, FloatArray]:
    """Lower and upper corners of the boxes around all that the gripper may not touch, M×3."""
    around = (*(body for body in world.objects if body not in carried), *world.laid)
    boxes = [world.client.getAABB(body) for body in around]
    corners = np.array([*boxes, *world.cell.boxes])
    return corners[:, 0], corners[:, 1]
