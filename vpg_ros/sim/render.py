"""Ray-cast pictures of a world, exact to rounding (Open3D's Embree scene, one thread).

What never moves is cast once; afterwards only the pixels that a moving body may cover are cast
anew, since a ray costs about 0.3 µs and a 640×480 picture has 307,200 of them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from vpg_ros.frame import Intrinsics
from vpg_ros.geometry import FloatArray, Pose, Workspace
from vpg_ros.sim.cell import Drawable
from vpg_ros.sim.shapes import mesh

# Lambert shading: a lamp above and a little aside, and the light of the room.
_LAMP = np.array([0.35, 0.25, 0.90]) / np.linalg.norm([0.35, 0.25, 0.90])
_AMBIENT = 0.35
_NEAR = 0.05  # m in front of a camera that bodies must keep for their outline to be projected
_MARGIN = 1  # px around a body's outline


@dataclass(frozen=True)
class View:
    """Where a picture's rays come from and where points end up.

    rays: H×W×6 float32, origin and direction in the base frame; the direction's component along the
    viewing axis is 1, so that a ray's parameter is depth. project: N×3 base frame → N×3 (column,
    row, depth).
    """

    rays: NDArray[np.float32]
    project: Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Picture:
    """What a view shows, H×W.

    depth: float32 m along the viewing axis, inf where nothing is. colour: ×3 uint8 RGB.
    cosine: float32, of the angle between ray and surface normal (1 head-on, 0 grazing).
    """

    depth: NDArray[np.float32]
    colour: NDArray[np.uint8]
    cosine: NDArray[np.float32]


def perspective(intrinsics: Intrinsics, pose: Pose) -> View:
    """The view of a pinhole camera at ``pose`` (optical frame)."""
    u, v = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
    x, y = (u - intrinsics.cx) / intrinsics.fx, (v - intrinsics.cy) / intrinsics.fy
    to_base, from_base = pose.matrix, np.linalg.inv(pose.matrix)
    directions = np.stack([x, y, np.ones_like(x)], axis=-1) @ to_base[:3, :3].T
    origins = np.broadcast_to(to_base[:3, 3], directions.shape)

    def project(points: FloatArray) -> FloatArray:
        local = points @ from_base[:3, :3].T + from_base[:3, 3]
        depth = np.maximum(local[:, 2], _NEAR)
        column = intrinsics.cx + intrinsics.fx * local[:, 0] / depth
        row = intrinsics.cy + intrinsics.fy * local[:, 1] / depth
        return np.column_stack([column, row, local[:, 2]])

    return View(np.concatenate([origins, directions], axis=-1).astype(np.float32), project)


def orthographic(workspace: Workspace, height: float) -> View:
    """The view straight down on ``workspace`` from ``height`` m above it, one ray a pixel."""
    corner = np.array(workspace.to_metres(0, 0))
    x = corner[0] + workspace.resolution * np.arange(workspace.columns)
    y = corner[1] + workspace.resolution * np.arange(workspace.rows)[:, None]
    top = workspace.table_z + height
    rays = np.zeros((*workspace.shape, 6), dtype=np.float32)
    rays[..., 0], rays[..., 1], rays[..., 2], rays[..., 5] = x, y, top, -1.0

    def project(points: FloatArray) -> FloatArray:
        pixels = workspace.to_pixels(points[:, :2])
        return np.column_stack([pixels[:, 1], pixels[:, 0], top - points[:, 2]])

    return View(rays, project)


class Renderer:
    """Draws one view. ``static`` is drawn once; pass what moves to :meth:`render`."""

    def __init__(self, view: View, static: Iterable[Drawable]) -> None:
        self._view = view
        shape = view.rays.shape[:2]
        nothing = Picture(
            np.full(shape, np.inf, dtype=np.float32),
            np.zeros((*shape, 3), dtype=np.uint8),
            np.ones(shape, dtype=np.float32),
        )
        self._background = self._drawn(nothing, list(static), np.ones(shape, dtype=bool))

    def render(self, moving: Sequence[Drawable]) -> Picture:
        """The picture with ``moving`` before and behind the static bodies."""
        covered = np.zeros(self._view.rays.shape[:2], dtype=bool)
        visible = [body for body in moving if self._cover(covered, body)]
        return self._drawn(self._background, visible, covered)

    def _cover(self, covered: NDArray[np.bool_], body: Drawable) -> bool:
        """Mark the pixels that ``body`` may cover; returns whether there are any."""
        points = self._view.project(_vertices(body))
        if (points[:, 2] <= _NEAR).all():
            return False
        low = np.floor(points[:, :2].min(axis=0)).astype(int) - _MARGIN
        high = np.ceil(points[:, :2].max(axis=0)).astype(int) + _MARGIN + 1
        if (points[:, 2] <= _NEAR).any():
            low, high = np.zeros(2, dtype=int), np.array(covered.shape[::-1])
        low = np.maximum(low, 0)
        window = covered[low[1] : max(0, high[1]), low[0] : max(0, high[0])]
        window[:] = True
        return window.size > 0

    def _drawn(
        self, behind: Picture, bodies: list[Drawable], covered: NDArray[np.bool_]
    ) -> Picture:
        """``behind`` with ``bodies`` cast into its ``covered`` pixels where they are nearer."""
        if not bodies:
            return behind
        pixels = np.flatnonzero(covered)
        rays = self._view.rays.reshape(-1, 6)[pixels]
        triangles = _Triangles.of(bodies)
        depth, hit = triangles.cast(rays)
        nearer = depth < behind.depth.ravel()[pixels]
        pixels, hit, rays = pixels[nearer], hit[nearer], rays[nearer]
        result = Picture(behind.depth.copy(), behind.colour.copy(), behind.cosine.copy())
        result.depth.ravel()[pixels] = depth[nearer]
        result.colour.reshape(-1, 3)[pixels] = triangles.colours[hit]
        result.cosine.ravel()[pixels] = _cosine(rays[:, 3:], triangles.normals[hit])
        return result


@dataclass(frozen=True)
class _Triangles:
    """Triangles of several bodies in the base frame, with a shaded colour and a normal each."""

    scene: o3d.t.geometry.RaycastingScene
    normals: NDArray[np.float32]
    colours: NDArray[np.uint8]

    @staticmethod
    def of(bodies: Sequence[Drawable]) -> "_Triangles":
        """All triangles of ``bodies``."""
        corners = [_vertices(body)[mesh(body.shapes).triangles] for body in bodies]
        colours = [np.array(body.colours)[mesh(body.shapes).parts] for body in bodies]
        points = np.concatenate(corners).astype(np.float32)
        normals = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        light = _AMBIENT + (1 - _AMBIENT) * np.maximum(normals @ _LAMP, 0.0)
        shaded = np.concatenate(colours) * light[:, None] * 255
        scene = o3d.t.geometry.RaycastingScene(nthreads=1)
        indices = np.arange(3 * len(points), dtype=np.uint32).reshape(-1, 3)
        scene.add_triangles(o3d.core.Tensor(points.reshape(-1, 3)), o3d.core.Tensor(indices))
        return _Triangles(scene, normals, shaded.astype(np.uint8))

    def cast(self, rays: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
        """Depth of the first hit of each of N rays (inf without), and the triangle hit."""
        answer = self.scene.cast_rays(o3d.core.Tensor(rays), nthreads=1)
        return answer["t_hit"].numpy(), answer["primitive_ids"].numpy().astype(np.intp)


def _vertices(body: Drawable) -> FloatArray:
    """Corners of a body in the base frame, V×3 m."""
    points: FloatArray = mesh(body.shapes).vertices @ body.pose[:3, :3].T + body.pose[:3, 3]
    return points


def _cosine(directions: NDArray[np.float32], normals: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(directions, axis=1)
    return np.abs(np.einsum("ij,ij->i", directions, normals)) / lengths
