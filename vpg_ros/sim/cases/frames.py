"""The frame that a case's pose places: the mesh file's own, or the one V-REP gives a mesh.

V-REP moves the frame of a mesh it imports to the middle of the mesh's box and turns it: x runs
along the box's shortest side, z along the longest (its manual, "shape reference frame"). Cases
saved from V-REP, as the original's, place that frame.
"""

import cv2
import numpy as np
from scipy.spatial import ConvexHull

from vpg_ros.geometry import FloatArray

# Sides whose lengths differ by less than this count as equal, m: between such, V-REP keeps to the
# file's z axis. One of the original's meshes was slimmed by 5 mm after its cases had been saved.
_EQUAL = 6e-3


def box_frame(points: FloatArray) -> FloatArray:
    """V-REP's frame of a mesh with these vertices (N×3, m) in the file's frame, 4×4."""
    axes = _box_axes(points)
    along = points @ axes
    low, high = along.min(axis=0), along.max(axis=0)
    frame = np.eye(4)
    frame[:3, :3] = _ordered(axes, high - low)
    frame[:3, 3] = axes @ (low + high) / 2
    return frame


def _box_axes(points: FloatArray) -> FloatArray:
    """Directions of the sides of a small box around the points, 3×3 columns."""
    hull = ConvexHull(points)
    candidates = [np.eye(3), *(_flush(points, normal) for normal in _normals(hull))]
    volumes = [float(np.prod(np.ptp(points @ axes, axis=0))) for axes in candidates]
    # The file's axes, unless others fit clearly better.
    volumes[0] *= 0.97
    return candidates[int(np.argmin(volumes))]


def _normals(hull: ConvexHull) -> FloatArray:
    """Directions of the hull's faces, N×3."""
    return np.unique(np.round(hull.equations[:, :3], 3), axis=0)


def _flush(points: FloatArray, normal: FloatArray) -> FloatArray:
    """Axes of the smallest box with one side along ``normal``."""
    x = normal / np.linalg.norm(normal)
    y = np.cross(x, np.eye(3)[int(np.argmin(np.abs(x)))])
    y /= np.linalg.norm(y)
    z = np.cross(x, y)
    flat = (1000 * points @ np.column_stack([y, z])).astype(np.float32)
    _, _, degrees = cv2.minAreaRect(flat)
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.column_stack([x, c * y + s * z, c * z - s * y])


def _ordered(axes: FloatArray, sides: FloatArray) -> FloatArray:
    """The axes, shortest first and longest last, pointing along the file's and right-handed."""
    short = np.flatnonzero(sides < sides.min() + _EQUAL)
    first = int(short[np.argmax(np.abs(axes[2, short]))])
    rest = [index for index in range(3) if index != first]
    last = max(rest, key=lambda index: float(sides[index]))
    x, z = _forwards(axes[:, first]), _forwards(axes[:, last])
    return np.column_stack([x, np.cross(z, x), z])


def _forwards(axis: FloatArray) -> FloatArray:
    """The axis or its opposite, whichever points along the file's axis that it is nearest to."""
    return axis * np.sign(axis[int(np.argmax(np.abs(axis)))])
