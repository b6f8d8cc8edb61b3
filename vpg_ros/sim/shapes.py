"""Shapes in simulation: the same numbers give what PyBullet collides and what the camera sees."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from vpg_ros.geometry import FloatArray
from vpg_ros.shapes import Box, Hull, Shape

# PyBullet grows a convex hull by this margin (boxes and cylinders keep theirs inside), m.
HULL_MARGIN = 0.001


@dataclass(frozen=True)
class Mesh:
    """Triangles of a body in its own frame.

    vertices: V×3, m. triangles: T×3 indices, wound so that normals point outwards. parts: T, index
    of the shape that each triangle belongs to.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.uint32]
    parts: NDArray[np.intp]


@lru_cache(maxsize=512)
def mesh(shapes: tuple[Shape, ...]) -> Mesh:
    """All triangles of a body made of ``shapes``."""
    vertices, triangles, parts, offset = [], [], [], 0
    for index, shape in enumerate(shapes):
        corners = shape.corners()
        faces = _outward(corners, ConvexHull(corners))
        vertices.append(corners @ shape.pose.matrix[:3, :3].T + shape.pose.position)
        triangles.append(faces + offset)
        parts.append(np.full(len(faces), index))
        offset += len(corners)
    return Mesh(
        np.vstack(vertices).astype(np.float32),
        np.vstack(triangles).astype(np.uint32),
        np.concatenate(parts),
    )


def moments(shapes: tuple[Shape, ...]) -> tuple[float, FloatArray, FloatArray]:
    """Volume (m³), centroid (3, m) and inertia per density about it (3×3, m⁵) of disjoint shapes.

    Sums of signed tetrahedra between the origin and each triangle (Tonon 2004).
    """
    body = mesh(shapes)
    corners = body.vertices.astype(np.float64)[body.triangles]
    volumes = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    volume = float(volumes.sum())
    sums = corners.sum(axis=1)
    centroid = volumes @ sums / 4 / volume
    products = np.einsum("t,tki,tkj->ij", volumes, corners, corners)
    products += np.einsum("t,ti,tj->ij", volumes, sums, sums)
    second = products / 20 - volume * np.outer(centroid, centroid)
    return volume, centroid, np.trace(second) * np.eye(3) - second


def collision_shape(client: Any, shapes: Sequence[Shape]) -> int:
    """PyBullet collision shape of the union of ``shapes``: hulls, or boxes and cylinders."""
    hulls = [shape for shape in shapes if isinstance(shape, Hull)]
    if len(hulls) > 1:
        return _hulls_shape(client, hulls)
    if hulls:
        hull = hulls[0]
        return int(
            client.createCollisionShape(
                client.GEOM_MESH,
                vertices=_shrunk(hull).tolist(),
                collisionFramePosition=hull.pose.position,
                collisionFrameOrientation=hull.pose.quaternion,
            )
        )
    boxes = [shape for shape in shapes if not isinstance(shape, Hull)]
    return int(
        client.createCollisionShapeArray(
            shapeTypes=[
                client.GEOM_BOX if isinstance(shape, Box) else client.GEOM_CYLINDER
                for shape in boxes
            ],
            halfExtents=[
                [side / 2 for side in shape.size] if isinstance(shape, Box) else [0.0] * 3
                for shape in boxes
            ],
            radii=[0.0 if isinstance(shape, Box) else shape.radius for shape in boxes],
            lengths=[0.0 if isinstance(shape, Box) else shape.length for shape in boxes],
            collisionFramePositions=[shape.pose.position for shape in boxes],
            collisionFrameOrientations=[shape.pose.quaternion for shape in boxes],
        )
    )


def _hulls_shape(client: Any, hulls: Sequence[Hull]) -> int:
    """One hull for each object of a mesh file: PyBullet takes several in no other way."""
    lines, count = [], 0
    for index, hull in enumerate(hulls):
        corners = _shrunk(hull)
        faces = _outward(corners, ConvexHull(corners)) + count + 1
        lines.append(f"o {index}")
        placed = corners @ hull.pose.matrix[:3, :3].T + hull.pose.position
        lines += [f"v {x:.9f} {y:.9f} {z:.9f}" for x, y, z in placed]
        lines += [f"f {a} {b} {c}" for a, b, c in faces]
        count += len(corners)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "hulls.obj")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return int(client.createCollisionShape(client.GEOM_MESH, fileName=path))


def _outward(corners: FloatArray, hull: ConvexHull) -> NDArray[np.int64]:
    """The hull's triangles, wound so that their normals point outwards."""
    triangles = hull.simplices.astype(np.int64)
    a, b, c = (corners[triangles[:, index]] for index in range(3))
    inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), hull.equations[:, :3]) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    return triangles


def _shrunk(hull: Hull) -> FloatArray:
    """The hull's corners, each face moved inwards by the margin that PyBullet adds."""
    points = hull.corners()
    planes = np.unique(np.round(ConvexHull(points).equations, 9), axis=0)
    corners = []
    for point in points:
        touching = planes[np.abs(planes[:, :3] @ point + planes[:, 3]) < 1e-7]
        inset = -touching[:, 3] - HULL_MARGIN
        corners.append(np.linalg.lstsq(touching[:, :3], inset, rcond=None)[0])
    return np.array(corners)
