"""What primitives that move closed fingers over the table in a straight line share."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros.geometry import Pose
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import LinearMove

# m that fingers go back from what jammed: it gives by some millimetres under the force, and would
# hold them on the way up.
BACK_OFF = 0.015
FOOTPRINT = 0.012  # m around the tool's axis that the closed fingertips need


def under_tool(heightmap: Heightmap, radius: float = FOOTPRINT) -> NDArray[np.float32]:
    """Highest point within ``radius`` m, for the tool at every pixel: rows×columns, m."""
    reach = round(radius / heightmap.workspace.resolution)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return np.asarray(cv2.dilate(heightmap.filled, disc), dtype=np.float32)


def ahead(heightmap: Heightmap, angle: float, reach: float) -> NDArray[np.float32]:
    """Highest point up to ``reach`` m ahead at ``angle`` rad of every pixel: rows×columns, m."""
    pixels = round(reach / heightmap.workspace.resolution)
    return np.asarray(cv2.dilate(heightmap.filled, _ray(angle, pixels)), dtype=np.float32)


def _ray(angle: float, pixels: int) -> NDArray[np.uint8]:
    """Kernel whose dilation takes the maximum over every second pixel ahead at ``angle``."""
    kernel = np.zeros((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    steps = np.arange(0, pixels + 1, 2)
    rows = pixels + np.round(steps * np.sin(angle)).astype(int)
    columns = pixels + np.round(steps * np.cos(angle)).astype(int)
    kernel[rows, columns] = 1
    return kernel


def end_of_sweep(start: Pose, angle: float, length: float, heightmap: Heightmap) -> Pose:
    """``length`` m ahead of ``start`` at ``angle`` rad, or as far as the workspace goes."""
    workspace = heightmap.workspace
    x, y, _ = start.position
    fractions = np.linspace(1.0, 0.0, 51)
    for fraction in fractions:
        dx, dy = fraction * length * np.cos(angle), fraction * length * np.sin(angle)
        if workspace.contains(x + dx, y + dy):
            return start.translated(dx=float(dx), dy=float(dy))
    return start


def sweep_to(end: Pose, phase: str, speed: float, jam_force: float) -> LinearMove:
    """The move over the table to ``end`` at ``speed`` m/s; ``jam_force`` N ends it early."""
    return LinearMove(phase, end, speed, force_limit=jam_force, guarded=True, back_off=BACK_OFF)
