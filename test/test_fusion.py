"""Heightmap fusion against scenes of known geometry, ray-cast exactly, from any camera pose."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.frame import Frame, Intrinsics
from vpg_ros.geometry import DEFAULT_WORKSPACE, Pose, look_at
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.fusion import FusionConfig, fuse

Array = NDArray[np.float64]
INTRINSICS = Intrinsics(640, 480, 618.62, 618.62, 319.5, 239.5)
TOLERANCE = 0.002
GRAZING = np.deg2rad(70)
CENTRE = np.array([*DEFAULT_WORKSPACE.centre, 0.0])
TABLE_COLOUR, BOX_COLOUR, SPHERE_COLOUR = (90, 60, 30), (200, 30, 40), (30, 60, 220)


@dataclass(frozen=True)
class Box:
    """Cuboid on the table: centre (x, y), size (length, width, height), yaw; m and rad."""

    x: float
    y: float
    size: tuple[float, float, float]
    yaw: float = 0.0
    colour = BOX_COLOUR

    def local(self, vectors: Array, origin: tuple[float, float, float]) -> Array:
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return (vectors - origin) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])

    def cast(self, eye: Array, rays: Array) -> Array:
        """Distance along each ray (in rays' lengths) to the surface, inf where it misses."""
        origin = self.local(eye, (self.x, self.y, self.size[2] / 2))
        direction = self.local(rays, (0, 0, 0))
        half = np.array(self.size) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            sides = np.stack([(-half - origin) / direction, (half - origin) / direction])
        enter, leave = sides.min(axis=0).max(axis=1), sides.max(axis=0).min(axis=1)
        return np.where((enter <= leave) & (enter > 0), enter, np.inf)

    def top(self, x: Array, y: Array) -> Array:
        """Height of the surface above (x, y), 0 beside the box."""
        points = np.stack([x, y, np.zeros_like(x)], axis=-1)
        inside = np.abs(self.local(points, (self.x, self.y, 0))) <= np.array(self.size) / 2
        return np.where(inside[..., :2].all(axis=-1), self.size[2], 0.0)


@dataclass(frozen=True)
class Sphere:
    """Ball on the table: centre (x, y), radius; m."""

    x: float
    y: float
    radius: float
    colour = SPHERE_COLOUR

    def cast(self, eye: Array, rays: Array) -> Array:
        offset = eye - np.array([self.x, self.y, self.radius])
        a, b = (rays**2).sum(axis=1), rays @ offset
        discriminant = b**2 - a * (offset @ offset - self.radius**2)
        with np.errstate(invalid="ignore"):
            return np.where(discriminant >= 0, (-b - np.sqrt(discriminant)) / a, np.inf)

    def top(self, x: Array, y: Array) -> Array:
        rise = self.radius**2 - (x - self.x) ** 2 - (y - self.y) ** 2
        return np.where(rise >= 0, self.radius + np.sqrt(np.maximum(rise, 0)), 0.0)


Scene = tuple[Box | Sphere, ...]
EMPTY: Scene = ()
CLUTTER: Scene = (
    Box(-0.55, -0.08, (0.06, 0.04, 0.05), 0.4),
    Box(-0.40, 0.10, (0.10, 0.025, 0.025), -1.0),
    Box(-0.60, 0.12, (0.05, 0.05, 0.10), 0.0),
    Sphere(-0.45, -0.10, 0.03),
    Sphere(-0.50, 0.02, 0.02),
)


def cast(scene: Scene, eye: Array, rays: Array, plane: Array) -> tuple[Array, NDArray[np.uint8]]:
    """Distance and colour of what each ray meets first; plane: z = p[0]·x + p[1]·y + p[2]."""
    with np.errstate(divide="ignore"):
        drop = plane[0] * rays[:, 0] + plane[1] * rays[:, 1] - rays[:, 2]
        nearest = (eye[2] - plane[0] * eye[0] - plane[1] * eye[1] - plane[2]) / drop
    nearest = np.where(nearest > 0, nearest, np.inf)
    colours = np.tile(np.array(TABLE_COLOUR, np.uint8), (len(rays), 1))
    for body in scene:
        distance = body.cast(eye, rays)
        colours[distance < nearest] = body.colour
        nearest = np.minimum(nearest, distance)
    return nearest, colours


def render(scene: Scene, pose: Pose, plane: tuple[float, float, float] = (0, 0, 0)) -> Frame:
    """The frame a perfect pinhole camera takes at ``pose``."""
    k = INTRINSICS
    u, v = np.meshgrid(np.arange(k.width), np.arange(k.height))
    optical = np.stack([(u - k.cx) / k.fx, (v - k.cy) / k.fy, np.ones_like(u, float)], axis=-1)
    rays = optical.reshape(-1, 3) @ pose.matrix[:3, :3].T
    depth, colour = cast(scene, np.array(pose.position), rays, np.array(plane))
    depth = np.where(np.isfinite(depth), depth, np.nan).astype(np.float32)
    size = (k.height, k.width)
    return Frame(colour.reshape(*size, 3), depth.reshape(size), k, pose, stamp=1.5)


def cell_samples() -> tuple[Array, Array]:
    """(x, y) of 9×9 points in every cell and half a millimetre around it."""
    offsets = np.linspace(-0.75, 0.75, 9)
    rows = np.arange(DEFAULT_WORKSPACE.rows)[:, None] + offsets
    columns = np.arange(DEFAULT_WORKSPACE.columns)[:, None] + offsets
    x, y = DEFAULT_WORKSPACE.to_metres(rows[:, None, :, None], columns[None, :, None, :])
    return np.broadcast_to(x, np.broadcast(x, y).shape), np.broadcast_to(y, np.broadcast(x, y).shape)


def surface(scene: Scene, x: Array, y: Array) -> Array:
    """Height of the scene's upper surface above (x, y)."""
    return np.maximum.reduce([np.zeros(x.shape), *(body.top(x, y) for body in scene)])


def truth(scene: Scene) -> tuple[Array, Array]:
    """(lowest, highest) point of the scene's upper surface in each cell."""
    x, y = cell_samples()
    top = surface(scene, x, y)
    return top.min(axis=(2, 3)), top.max(axis=(2, 3))


def visible(scene: Scene, frame: Frame, steepest: float = np.pi / 2) -> NDArray[np.bool_]:
    """Whether the camera sees the middle of each cell's upper surface, at what incidence at most.

    steepest: rad between the ray and the surface's normal, which central differences tell.
    """
    rows, columns = np.indices(DEFAULT_WORKSPACE.shape)
    x, y = DEFAULT_WORKSPACE.to_metres(rows, columns)
    top = surface(scene, x, y)
    step = 1e-5
    slope_x = (surface(scene, x + step, y) - surface(scene, x - step, y)) / (2 * step)
    slope_y = (surface(scene, x, y + step) - surface(scene, x, y - step)) / (2 * step)
    points = np.stack([x, y, top], axis=-1).reshape(-1, 3)
    normals = np.stack([-slope_x, -slope_y, np.ones_like(x)], axis=-1).reshape(-1, 3)
    eye = np.array(frame.camera_pose.position)
    rays = points - eye
    facing = -(rays * normals).sum(1) / np.linalg.norm(rays, axis=1) / np.linalg.norm(normals, axis=1)
    distance, _ = cast(scene, eye, rays, np.zeros(3))
    to_camera = frame.camera_pose.inverse().matrix
    cx, cy, cz = (points @ to_camera[:3, :3].T + to_camera[:3, 3]).T
    k = frame.intrinsics
    u, v = cx / cz * k.fx + k.cx, cy / cz * k.fy + k.cy
    in_image = (cz > 0) & (u > 0) & (u < k.width - 1) & (v > 0) & (v < k.height - 1)
    seen = in_image & (distance > 1 - 1e-6) & (facing > np.cos(steepest))
    return seen.reshape(DEFAULT_WORKSPACE.shape)


def camera(
    distance: float, elevation: float, azimuth: float, roll: float = 0.0, dx: float = 0.0, dy: float = 0.0
) -> Pose:
    """A camera that looks at the workspace's middle, moved by (dx, dy), from a direction."""
    target = CENTRE + [dx, dy, 0]
    towards = [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
    up = np.array([-np.sin(elevation) * np.cos(azimuth), -np.sin(elevation) * np.sin(azimuth), np.cos(elevation)])
    side = np.cross(up, towards)
    return look_at(target + distance * np.array(towards), target, np.cos(roll) * up + np.sin(roll) * side)


OVERHEAD = look_at(np.array([-0.72, 0.0, 0.80]), np.array([-0.5, 0.0, 0.0]), np.array([1.0, 0.0, 0.0]))
poses = st.builds(
    camera,
    distance=st.floats(0.5, 1.2),
    elevation=st.floats(0.4, 1.55),
    azimuth=st.floats(-np.pi, np.pi),
    roll=st.floats(-np.pi, np.pi),
    dx=st.floats(-0.05, 0.05),
    dy=st.floats(-0.05, 0.05),
)
angles = st.floats(-np.pi, np.pi)
boxes = st.builds(
    Box,
    st.floats(-0.68, -0.32),
    st.floats(-0.18, 0.18),
    st.tuples(st.floats(0.02, 0.1), st.floats(0.02, 0.1), st.floats(0.015, 0.1)),
    angles,
)
spheres = st.builds(Sphere, st.floats(-0.68, -0.32), st.floats(-0.18, 0.18), st.floats(0.01, 0.05))
scenes = st.lists(boxes | spheres, max_size=5).map(tuple)


def errors(scene: Scene, frame: Frame, heightmap: Heightmap) -> NDArray[np.bool_]:
    """Cells further than TOLERANCE from the scene's surface.

    Where the upper surface is hidden or seen edge-on, all round the cell, the camera may rightly
    have seen what lies below it.
    """
    low, high = truth(scene)
    clear = binary_erosion(visible(scene, frame, GRAZING), np.ones((3, 3)))
    low = np.where(clear, low, 0.0)
    with np.errstate(invalid="ignore"):
        return (heightmap.height < low - TOLERANCE) | (heightmap.height > high + TOLERANCE)


def assert_true(scene: Scene, frame: Frame) -> None:
    """Every seen cell lies on the scene's surface, what is visible is seen, what is hidden is not."""
    heightmap = fuse(frame)
    wrong = errors(scene, frame, heightmap)
    assert not wrong.any(), f"{wrong.sum()} cells off, at {np.argwhere(wrong)[:5].tolist()}"
    seen = ~np.isnan(heightmap.height)
    shown = visible(scene, frame, GRAZING)
    assert not shown.any() or seen[shown].mean() > 0.99
    low, high = truth(scene)
    hidden = binary_erosion(~visible(scene, frame), iterations=3) & (high - low < 1e-9)
    assert not (seen & hidden).any()


@settings(max_examples=20, deadline=None)
@given(scene=scenes, pose=poses)
def test_known_scene_comes_back_within_two_millimetres_at_any_pose(scene: Scene, pose: Pose) -> None:
    assert_true(scene, render(scene, pose))
