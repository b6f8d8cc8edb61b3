"""Push: close the gripper, come down beside the clutter and sweep 10 cm in a straight line."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.geometry import Pose, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import GripperMove, HomeMove, JointMove, LinearMove, Motion
from vpg_ros.primitives.base import Primitive, register

PUSH_LENGTH = 0.10  # m (Zeng et al. 2018)
MIN_TRAVEL = 0.02  # m of the push left when it meets what it pushes
FOOTPRINT = 0.012  # m around the tool's axis that the closed fingertips need
TIP_HEIGHT = 0.010  # m of the fingertips above what lies under them at the start
RISE = 0.008  # m something ahead must stand above the fingertips to be pushed
APPROACH_HEIGHT = 0.12  # m
PUSH_FORCE = 60.0  # N at which a push has jammed
RISE_FORCE = 80.0  # N at which the way up is blocked; the end of contact counts as force too
CONTACT_FORCE = 30.0  # N at which the descent has met something


@register
class Push(Primitive):
    """Straight push starting at the pixel, along the rotation's direction."""

    name = "push"

    def admissible(self, heightmap: Heightmap) -> NDArray[np.bool_]:
        """Where something ahead within reach stands above the fingertips' start height."""
        height = heightmap.filled
        needed = _under_tool(heightmap) + TIP_HEIGHT + RISE
        pixels = round((PUSH_LENGTH - MIN_TRAVEL) / heightmap.workspace.resolution)
        rays = (_ray(self.angle(rotation), pixels) for rotation in range(self.rotations))
        return np.stack([cv2.dilate(height, ray) > needed for ray in rays])

    def pose(self, row: int, column: int, rotation: int, heightmap: Heightmap) -> Pose:
        """Fingertips just above what lies under them, closing axis across the push."""
        workspace = heightmap.workspace
        x, y = workspace.to_metres(row, column)
        z = workspace.table_z + float(_under_tool(heightmap)[row, column]) + TIP_HEIGHT
        return tool_down(x, y, z, self.angle(rotation) + np.pi / 2)

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
        above = end.translated(dz=APPROACH_HEIGHT)
        rise = LinearMove("rise", above, force_limit=RISE_FORCE, guarded=True)
        return Motion(self.name, steps, (rise, HomeMove("home")))


def _under_tool(heightmap: Heightmap) -> NDArray[np.float32]:
    """Highest point under the closed fingertips, for the tool at every pixel, m."""
    reach = round(FOOTPRINT / heightmap.workspace.resolution)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(heightmap.filled, disc), dtype=np.float32)


def _ray(angle: float, pixels: int) -> NDArray[np.uint8]:
    """Kernel whose dilation takes the maximum over every second pixel ahead at ``angle``."""
    kernel = np.zeros((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    steps = np.arange(0, pixels + 1, 2)
    rows = pixels + np.round(steps * np.sin(angle)).astype(int)
    columns = pixels + np.round(steps * np.cos(angle)).astype(int)
    kernel[rows, columns] = 1
    return kernel


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
