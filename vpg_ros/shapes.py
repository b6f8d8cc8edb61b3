"""Convex shapes that robots, cells and objects are described with."""

from dataclasses import dataclass

import numpy as np

from vpg_ros.geometry import FloatArray, Pose

# Corners of the polygon that is drawn for a circle.
_SEGMENTS = 32

_ORIGIN = Pose((0.0, 0.0, 0.0))


@dataclass(frozen=True)
class Box:
    """Box of ``size`` (x, y, z) m, centred in its own frame at ``pose`` of the body's frame."""

    size: tuple[float, float, float]
    pose: Pose = _ORIGIN

    def corners(self) -> FloatArray:
        """8×3 corners in the shape's own frame, m."""
        signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
        return signs * np.array(self.size) / 2


@dataclass(frozen=True)
class Cylinder:
    """Cylinder along z, centred in its own frame at ``pose`` of the body's frame; m."""

    radius: float
    length: float
    pose: Pose = _ORIGIN

    def corners(self) -> FloatArray:
        """Corners of the prism that is drawn for it, in the shape's own frame, m."""
        angles = 2 * np.pi * np.arange(_SEGMENTS) / _SEGMENTS
        ring = self.radius * np.column_stack([np.cos(angles), np.sin(angles)])
        return prism_corners(ring, self.length)


@dataclass(frozen=True)
class Hull:
    """Convex hull of ``points`` (x, y, z) m, given in the shape's own frame."""

    points: tuple[tuple[float, float, float], ...]
    pose: Pose = _ORIGIN

    def corners(self) -> FloatArray:
        """N×3 points, m."""
        return np.array(self.points)


Shape = Box | Cylinder | Hull

# Corners of a hull from which on it rolls: more than those of a hexagonal prism.
_ROUND_CORNERS = 13


def is_round(shape: Shape) -> bool:
    """Whether a shape can roll."""
    match shape:
        case Box():
            return False
        case Cylinder():
            return True
        case Hull():
            return len(shape.points) >= _ROUND_CORNERS


def prism_corners(outline: FloatArray, length: float) -> FloatArray:
    """Corners of the prism over an N×2 outline, from −length/2 to +length/2 along z; 2N×3."""
    ends = [np.column_stack([outline, np.full(len(outline), z)]) for z in (-length / 2, length / 2)]
    return np.vstack(ends)
