"""Push: close the gripper, come down beside the clutter and sweep 10 cm in a straight line."""

import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.geometry import Pose, half_turn, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import GripperMove, HomeMove, JointMove, LinearMove, Motion
from vpg_ros.primitives.base import Primitive, register

PUSH_LENGTH = 0.10  # m (Zeng et al. 2018)
TIP_HEIGHT = 0.010  # m of the fingertips above what lies at the start pixel
RISE = 0.008  # m something ahead must stand above the fingertips to be pushed
APPROACH_HEIGHT = 0.12  # m
PUSH_FORCE = 60.0  # N at which a push has jammed
CONTACT_FORCE = 30.0  # N at which the descent has met something


@register
class Push(Primitive):
    """Straight push starting at the pixel, along the rotation's direction."""

    name = "push"

    def admissible(self, heightmap: Heightmap) -> NDArray[np.bool_]:
        """Where something taller than the fingertips' start lies within the push's length ahead."""
        height = heightmap.filled
        pixels = np.arange(2, round(PUSH_LENGTH / heightmap.workspace.resolution) + 1, 2)
        masks = []
        for rotation in range(self.rotations):
            angle = self.angle(rotation)
            ahead = np.zeros_like(height)
            for step in pixels:
                dr, dc = round(step * np.sin(angle)), round(step * np.cos(angle))
                np.maximum(ahead, _shifted(height, dr, dc), out=ahead)
            masks.append(ahead > height + TIP_HEIGHT + RISE)
        return np.stack(masks)

    def pose(self, row: int, column: int, rotation: int, heightmap: Heightmap) -> Pose:
        """Fingertips just above the start pixel, closing axis across the push."""
        workspace = heightmap.workspace
        x, y = workspace.to_metres(row, column)
        z = workspace.table_z + float(heightmap.filled[row, column]) + TIP_HEIGHT
        return tool_down(x, y, z, half_turn(self.angle(rotation) + np.pi / 2))

    def motion(self, action: Action, heightmap: Heightmap) -> Motion:
        """Close, come down at the start, sweep towards the end (clipped to the workspace), rise."""
        start = action.pose
        end = _end(start, action.angle, heightmap)
        steps = (
            GripperMove("close", 0.0),
            JointMove("approach", start.translated(dz=APPROACH_HEIGHT)),
            LinearMove("descend", start, force_limit=CONTACT_FORCE, guarded=True),
            LinearMove("push", end, speed=0.1, force_limit=PUSH_FORCE, guarded=True),
        )
        retreat = (LinearMove("rise", end.translated(dz=APPROACH_HEIGHT)), HomeMove("home"))
        return Motion(self.name, steps, retreat)


def _shifted(height: NDArray[np.float32], dr: int, dc: int) -> NDArray[np.float32]:
    """height[r + dr, c + dc] at every (r, c), 0 beyond the edge."""
    rows, columns = height.shape
    result = np.zeros_like(height)
    source = height[max(0, dr) : rows + min(0, dr), max(0, dc) : columns + min(0, dc)]
    result[max(0, -dr) : rows + min(0, -dr), max(0, -dc) : columns + min(0, -dc)] = source
    return result


def _end(start: Pose, angle: float, heightmap: Heightmap) -> Pose:
    """Where the push ends: PUSH_LENGTH ahead, or at the workspace's edge."""
    workspace = heightmap.workspace
    x, y, _ = start.position
    fractions = np.linspace(1.0, 0.0, 51)
    for fraction in fractions:
        dx, dy = fraction * PUSH_LENGTH * np.cos(angle), fraction * PUSH_LENGTH * np.sin(angle)
        if workspace.contains(x + dx, y + dy):
            return start.translated(dx=float(dx), dy=float(dy))
    return start
