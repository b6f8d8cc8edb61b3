"""Mesh files as unions of convex shapes."""

from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import FloatArray
from vpg_ros.shapes import Hull

# A mesh whose edges all keep within this of its convex hull counts as convex, m.
_DENT = 1.5e-3
# Thinner slabs than this are not cut, m: their hulls lose a margin of 1 mm to each side.
_THINNEST = 5e-3
# Share of the whole volume that two neighbouring parts may gain when they become one.
_GAIN = 2e-3

Edges = NDArray[np.intp]


@lru_cache(maxsize=256)
def convex_parts(path: Path) -> tuple[Hull, ...]:
    """The mesh in ``path`` (m) as convex hulls, in the file's frame; raises SCENE_INVALID.

    A mesh with dents is cut into slabs across the axis along which their hulls fit it best: exact
    for whatever is a prism across that axis, such as arches, channels and angles.
    """
    points, edges = _read(path)
    hull = ConvexHull(points)
    if _is_convex(points, edges, hull):
        return (_hull(points[hull.vertices]),)
    cuts = (_slabs(points, edges, axis) for axis in range(3))
    best = min(cuts, key=lambda parts: sum(ConvexHull(part).volume for part in parts))
    return tuple(_hull(part) for part in _merged(best, _GAIN * hull.volume))


def _read(path: Path) -> tuple[FloatArray, Edges]:
    """Vertices, N×3 m, and the edges of the triangles between them, M×2."""
    try:
        body = trimesh.load_mesh(path, process=False)
        points = np.asarray(body.vertices, dtype=np.float64)
        triangles = np.asarray(body.faces, dtype=np.intp)
    except (ValueError, LookupError, TypeError, AttributeError, OSError) as error:
        raise _no_solid(path, f": {error}") from None
    if not _has_volume(points):
        raise _no_solid(path)
    return points, np.vstack([triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])])


def _no_solid(path: Path, why: str = "") -> VpgError:
    sentence = f"mesh {path} holds no solid of triangles; expected a Wavefront OBJ file in metres"
    return VpgError(ErrorCode.SCENE_INVALID, sentence + why)


def _has_volume(points: FloatArray) -> bool:
    try:
        return bool(np.isfinite(points).all() and ConvexHull(points).volume > 0)
    except (QhullError, ValueError):
        return False


def _is_convex(points: FloatArray, edges: Edges, hull: ConvexHull) -> bool:
    """Whether no edge runs through the inside; the ends of one may lie on the hull."""
    middles = points[edges].mean(axis=1)
    depth = -(middles @ hull.equations[:, :3].T + hull.equations[:, 3]).max(axis=1)
    return bool(depth.max() < _DENT)


def _slabs(points: FloatArray, edges: Edges, axis: int) -> list[FloatArray]:
    """Corners of what lies between planes through the vertices, across ``axis``."""
    along = points[:, axis]
    parts = []
    for low, high in pairwise(_levels(along)):
        inside = points[(along >= low - 1e-9) & (along <= high + 1e-9)]
        crossings = [_crossings(points, edges, axis, level) for level in (low, high)]
        part = np.vstack([inside, *crossings])
        parts.append(part[ConvexHull(part).vertices])
    return parts


def _levels(along: FloatArray) -> list[float]:
    """Where the vertices lie along an axis, the first and the last and none too near another."""
    levels = [float(along.min())]
    last = float(along.max())
    for level in np.unique(along):
        if level - levels[-1] >= _THINNEST and last - level >= _THINNEST:
            levels.append(float(level))
    return [*levels, last]


def _crossings(points: FloatArray, edges: Edges, axis: int, level: float) -> FloatArray:
    """Where the edges pass through a plane, N×3."""
    start, end = points[edges[:, 0]], points[edges[:, 1]]
    before, after = start[:, axis] - level, end[:, axis] - level
    crossing = before * after < 0
    share = (before / np.where(crossing, before - after, 1.0))[crossing, None]
    return np.asarray(start[crossing] + share * (end - start)[crossing], dtype=np.float64)


def _merged(parts: list[FloatArray], gain: float) -> list[FloatArray]:
    """The same slabs, neighbours united where that adds no more than ``gain`` m³."""
    merged = parts[:1]
    for part in parts[1:]:
        both = np.vstack([merged[-1], part])
        hull = ConvexHull(both)
        if hull.volume - ConvexHull(merged[-1]).volume - ConvexHull(part).volume < gain:
            merged[-1] = both[hull.vertices]
        else:
            merged.append(part)
    return merged


def _hull(points: FloatArray) -> Hull:
    return Hull(tuple((float(x), float(y), float(z)) for x, y, z in points))
