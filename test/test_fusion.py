"""Heightmap fusion against scenes of known geometry, ray-cast exactly, from any camera pose."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.frame import Frame, Intrinsics
from vpg_ros.geometry import DEFAULT_WORKSPACE, Pose, look_at
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.fusion import FusionConfig, fuse

Array = NDArray[np.float64]
INTRINSICS = Intrinsics(640, 480, 618.62, 618.62, 319.5, 239.5)
TOLERANCE = 0.002
# An example takes half a second: a failing one is reported as it is.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
CLEAR, GRAZING = np.deg2rad(60), np.deg2rad(75)  # rays to normals
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


def surface(scene: Scene, x: Array, y: Array) -> Array:
    """Height of the scene's upper surface above (x, y)."""
    return np.maximum.reduce([np.zeros(x.shape), *(body.top(x, y) for body in scene)])


def truth(scene: Scene) -> tuple[Array, Array]:
    """(lowest, highest) point of the scene's upper surface in each cell and 0.5 mm around it."""
    rows, columns = (np.arange(-1, 4 * size + 1) / 4 - 0.375 for size in DEFAULT_WORKSPACE.shape)
    x, y = DEFAULT_WORKSPACE.to_metres(rows[:, None], columns[None, :])
    top = surface(scene, *np.broadcast_arrays(x, y))
    cells = np.lib.stride_tricks.sliding_window_view(top, (6, 6))[::4, ::4]
    return cells.min(axis=(2, 3)), cells.max(axis=(2, 3))


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
    facing = (
        -(rays * normals).sum(1) / np.linalg.norm(rays, axis=1) / np.linalg.norm(normals, axis=1)
    )
    distance, _ = cast(scene, eye, rays, np.zeros(3))
    to_camera = frame.camera_pose.inverse().matrix
    cx, cy, cz = (points @ to_camera[:3, :3].T + to_camera[:3, 3]).T
    k = frame.intrinsics
    u, v = cx / cz * k.fx + k.cx, cy / cz * k.fy + k.cy
    in_image = (cz > 0) & (u > 0) & (u < k.width - 1) & (v > 0) & (v < k.height - 1)
    seen = in_image & (distance > 1 - 1e-6) & (facing > np.cos(steepest))
    return seen.reshape(DEFAULT_WORKSPACE.shape)


def hits(frame: Frame) -> NDArray[np.bool_]:
    """Cells that hold a point which the camera measured."""
    k = frame.intrinsics
    u, v = np.meshgrid(np.arange(k.width), np.arange(k.height))
    z = frame.depth.astype(float)
    optical = np.stack([(u - k.cx) / k.fx * z, (v - k.cy) / k.fy * z, z], axis=-1)
    matrix = frame.camera_pose.matrix
    points = (optical @ matrix[:3, :3].T + matrix[:3, 3]).reshape(-1, 3)
    pixels = DEFAULT_WORKSPACE.to_pixels(points[np.isfinite(points[:, 0]), :2])
    pixels = pixels[((pixels >= 0) & (pixels < DEFAULT_WORKSPACE.shape)).all(axis=1)]
    result = np.zeros(DEFAULT_WORKSPACE.shape, np.bool_)
    result[tuple(pixels.T)] = True
    return result


def camera(
    distance: float,
    elevation: float,
    azimuth: float,
    roll: float = 0.0,
    dx: float = 0.0,
    dy: float = 0.0,
) -> Pose:
    """A camera that looks at the workspace's middle, moved by (dx, dy), from a direction."""
    target = CENTRE + np.array([dx, dy, 0])
    towards = [
        np.cos(elevation) * np.cos(azimuth),
        np.cos(elevation) * np.sin(azimuth),
        np.sin(elevation),
    ]
    up = np.array(
        [
            -np.sin(elevation) * np.cos(azimuth),
            -np.sin(elevation) * np.sin(azimuth),
            np.cos(elevation),
        ]
    )
    side = np.cross(up, towards)
    return look_at(
        target + distance * np.array(towards), target, np.cos(roll) * up + np.sin(roll) * side
    )


OVERHEAD = look_at(
    np.array([-0.72, 0.0, 0.80]), np.array([-0.5, 0.0, 0.0]), np.array([1.0, 0.0, 0.0])
)
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

    Where the upper surface is not in clear view all round the cell, the camera may rightly have
    seen what lies below it: the table under a ball.
    """
    low, high = truth(scene)
    clear = binary_erosion(visible(scene, frame, CLEAR), np.ones((3, 3)))
    low = np.where(clear, low, 0.0)
    with np.errstate(invalid="ignore"):
        return (heightmap.height < low - TOLERANCE) | (heightmap.height > high + TOLERANCE)


def assert_true(scene: Scene, frame: Frame) -> None:
    """Seen cells lie on the scene's surface, what is visible is seen, what is hidden is not."""
    heightmap = fuse(frame)
    wrong = errors(scene, frame, heightmap)
    assert not wrong.any(), f"{wrong.sum()} cells off, at {np.argwhere(wrong)[:5].tolist()}"
    seen = ~np.isnan(heightmap.height)
    shown = visible(scene, frame, GRAZING)
    assert not shown.any() or seen[shown].mean() > 0.97
    assert not (seen & ~binary_dilation(hits(frame), np.ones((5, 5)))).any()


@settings(max_examples=15, deadline=None, phases=NO_SHRINKING, derandomize=True)
@given(scene=scenes, pose=poses)
def test_known_scene_comes_back_within_two_millimetres_at_any_pose(
    scene: Scene, pose: Pose
) -> None:
    assert_true(scene, render(scene, pose))


@pytest.mark.parametrize("pose", [OVERHEAD, camera(0.9, 0.9, 2.0, 0.5)])
def test_a_cluttered_table_comes_back(pose: Pose) -> None:
    frame = render(CLUTTER, pose)
    assert_true(CLUTTER, frame)
    heightmap = fuse(frame)
    assert heightmap.stamp == frame.stamp and heightmap.workspace == DEFAULT_WORKSPACE
    for body, height in zip(CLUTTER, (0.05, 0.025, 0.1, 0.06, 0.04), strict=True):
        row, column = DEFAULT_WORKSPACE.to_pixel(body.x, body.y)
        assert heightmap.height[row, column] == pytest.approx(height, abs=TOLERANCE)
        assert tuple(heightmap.colour[row, column]) == body.colour


def test_the_overhead_camera_sees_the_whole_empty_table() -> None:
    heightmap = fuse(render(EMPTY, OVERHEAD))
    assert np.isfinite(heightmap.height).all()
    assert np.abs(heightmap.height).max() < 1e-4
    assert (heightmap.colour == TABLE_COLOUR).all()


def test_a_distant_camera_leaves_no_gaps_between_its_samples() -> None:
    # At 1.6 m a pixel covers 2.6 mm, more than a cell; the depth image alone hits 6 cells in 10.
    heightmap = fuse(render(EMPTY, camera(1.6, 1.2, 0.3, 0.6)))
    assert np.isfinite(heightmap.height).mean() > 0.999


def test_a_shadow_stays_unseen() -> None:
    wall = (Box(-0.5, 0.0, (0.02, 0.2, 0.1)),)
    pose = camera(0.8, 0.8, np.pi)
    heightmap = fuse(render(wall, pose))
    # Seen from -x at 46°, the wall's shadow is about as long as it is high.
    row, column = DEFAULT_WORKSPACE.to_pixel(-0.485, 0.0)
    shadow = heightmap.height[row - 40 : row + 40, column : column + 35]
    assert np.isnan(shadow).all()
    assert (heightmap.colour[row - 40 : row + 40, column : column + 35] == 0).all()


def test_the_highest_point_wins_with_its_colour() -> None:
    tower = (Box(-0.5, 0.0, (0.1, 0.1, 0.02)), Sphere(-0.5, 0.0, 0.04))
    heightmap = fuse(render(tower, OVERHEAD))
    row, column = DEFAULT_WORKSPACE.to_pixel(-0.5, 0.0)
    assert heightmap.height[row, column] == pytest.approx(0.08, abs=TOLERANCE)
    assert tuple(heightmap.colour[row, column]) == SPHERE_COLOUR


def test_two_cameras_see_behind_each_others_shadows() -> None:
    frames = [render(CLUTTER, camera(0.9, 0.9, azimuth)) for azimuth in (0.0, np.pi)]
    late = replace(frames[1], stamp=9.0)
    both = fuse([frames[0], late])
    assert not errors(CLUTTER, frames[0], both).any()
    unseen = [np.isnan(fuse(frame).height).sum() for frame in frames]
    assert np.isnan(both.height).sum() < 0.5 * min(unseen)
    assert both.stamp == 9.0


@settings(max_examples=8, deadline=None)
@given(
    direction=angles,
    tilt=st.floats(0, np.deg2rad(1.3)),
    offset=st.floats(-0.007, 0.007),
)
def test_heights_count_from_a_table_that_is_a_little_off(
    direction: float, tilt: float, offset: float
) -> None:
    slope = np.tan(tilt) * np.array([np.cos(direction), np.sin(direction)])
    plane = (slope[0], slope[1], offset - slope @ CENTRE[:2])
    heightmap = fuse(render(EMPTY, OVERHEAD, plane))
    assert np.nanmax(np.abs(heightmap.height)) < TOLERANCE / 2
    box = Box(-0.5, 0.0, (0.05, 0.05, 0.05))
    with_box = fuse(render((box,), OVERHEAD, plane))
    row, column = DEFAULT_WORKSPACE.to_pixel(-0.5, 0.0)
    assert with_box.height[row, column] == pytest.approx(0.05 - offset, abs=TOLERANCE / 2)


@pytest.mark.parametrize(
    "plane", [(0.0, 0.0, 0.015), (0.0, 0.0, -0.015), (np.tan(np.deg2rad(4)), 0.0, 0.036)]
)
def test_a_plane_far_from_the_expected_table_is_not_taken_for_it(
    plane: tuple[float, float, float],
) -> None:
    heightmap = fuse(render(EMPTY, OVERHEAD, plane))
    rows, columns = np.indices(DEFAULT_WORKSPACE.shape)
    x, y = DEFAULT_WORKSPACE.to_metres(rows, columns)
    expected = plane[0] * x + plane[1] * y + plane[2]
    seen = np.isfinite(heightmap.height)
    assert np.abs(heightmap.height - expected)[seen].max() < TOLERANCE
    assert seen.mean() > 0.9


def test_a_wide_flat_object_is_not_taken_for_the_table() -> None:
    board = (Box(-0.5, 0.0, (0.4, 0.4, 0.015)),)
    heightmap = fuse(render(board, OVERHEAD))
    row, column = DEFAULT_WORKSPACE.to_pixel(-0.5, 0.0)
    assert heightmap.height[row, column] == pytest.approx(0.015, abs=1e-4)


def test_without_the_fit_heights_count_from_the_expected_table() -> None:
    frame = render(EMPTY, OVERHEAD, (0.0, 0.0, 0.005))
    heightmap = fuse(frame, config=FusionConfig(fit_table=False))
    assert np.nanmedian(heightmap.height) == pytest.approx(0.005, abs=1e-4)
    assert np.nanmedian(fuse(frame).height) == pytest.approx(0.0, abs=1e-4)


def noisy(frame: Frame, sigma: float, dropout: float) -> Frame:
    generator = np.random.default_rng(3)
    depth = frame.depth + generator.normal(0, sigma, frame.depth.shape)
    depth[generator.random(depth.shape) < dropout] = np.nan
    return replace(frame, depth=depth.astype(np.float32))


def test_depth_noise_stays_small() -> None:
    frame = noisy(render(CLUTTER, OVERHEAD), 0.0015, 0.02)
    heightmap = fuse(frame)
    low, high = truth(CLUTTER)
    seen = np.isfinite(heightmap.height)
    below, above = low - heightmap.height, heightmap.height - high
    error = np.maximum(0, np.maximum(below, above))[seen]
    assert np.median(error) < 0.002 and (error < 0.006).mean() > 0.99
    assert seen[visible(CLUTTER, frame, GRAZING)].mean() > 0.97


def test_specks_in_the_air_are_dropped() -> None:
    frame = render(CLUTTER, OVERHEAD)
    depth = frame.depth.copy()
    generator = np.random.default_rng(5)
    rows, columns = generator.integers(100, 380, 25), generator.integers(150, 490, 25)
    depth[rows, columns] -= 0.2
    speckled = replace(frame, depth=depth)
    unfiltered = fuse(speckled, config=FusionConfig(outlier_neighbours=0))
    assert np.nanmax(unfiltered.height) > 0.15
    heightmap = fuse(speckled)
    assert not errors(CLUTTER, frame, heightmap).any()


def test_the_same_frame_gives_the_same_heightmap() -> None:
    frame = noisy(render(CLUTTER, camera(0.9, 0.8, 1.0)), 0.001, 0.05)
    first, second = fuse(frame), fuse(frame)
    np.testing.assert_array_equal(first.height, second.height)
    np.testing.assert_array_equal(first.colour, second.colour)


def test_the_frame_is_not_changed() -> None:
    frame = render(CLUTTER, OVERHEAD)
    depth, colour = frame.depth.copy(), frame.colour.copy()
    fuse(frame)
    np.testing.assert_array_equal(frame.depth, depth)
    np.testing.assert_array_equal(frame.colour, colour)


@pytest.mark.parametrize("value", [np.nan, 0.0, np.inf, -1.0])
def test_a_depth_image_without_a_reading_is_refused(value: float) -> None:
    frame = render(EMPTY, OVERHEAD)
    blind = replace(frame, depth=np.full_like(frame.depth, value))
    with pytest.raises(VpgError, match="no valid reading") as error:
        fuse(blind)
    assert error.value.code == ErrorCode.DEPTH_EMPTY


def test_a_lost_pixel_is_closed_and_a_lost_patch_is_not() -> None:
    frame = render(EMPTY, OVERHEAD)
    depth = frame.depth.copy()
    depth[::4, ::4] = np.nan  # 2.7 mm from sample to sample there
    heightmap = fuse(replace(frame, depth=depth))
    assert np.isfinite(heightmap.height[1:-1, 1:-1]).all()
    assert (heightmap.colour[1:-1, 1:-1] == TABLE_COLOUR).all()
    depth[200:210, 300:310] = np.nan
    lost = np.isnan(fuse(replace(frame, depth=depth)).height)
    assert 20 < lost.sum() < 80


def test_zeros_are_no_readings() -> None:
    frame = render(CLUTTER, OVERHEAD)
    depth = frame.depth.copy()
    depth[200:280, 300:340] = 0
    holed = fuse(replace(frame, depth=depth))
    nan = fuse(replace(frame, depth=np.where(depth == 0, np.nan, depth)))
    np.testing.assert_array_equal(holed.height, nan.height)
    assert np.isnan(holed.height).sum() > np.isnan(fuse(frame).height).sum() + 500


def test_a_camera_that_looks_elsewhere_is_refused() -> None:
    aside = look_at(np.array([2.0, 2.0, 1.0]), np.array([2.1, 2.0, 0.0]), np.array([0.0, 0.0, 1.0]))
    with pytest.raises(VpgError, match="camera pose") as error:
        fuse(render(EMPTY, aside))
    assert error.value.code == ErrorCode.DEPTH_EMPTY


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        ({"depth": np.ones((240, 320), np.float32)}, "INTRINSICS_CHANGED", "240"),
        ({"colour": np.zeros((480, 640), np.uint8)}, "INTRINSICS_CHANGED", "colour"),
        ({"depth": np.ones((480, 640), np.uint16)}, "PARAMETER_INVALID", "uint16"),
        ({"colour": np.zeros((480, 640, 3), np.float32)}, "PARAMETER_INVALID", "float32"),
        ({"intrinsics": replace(INTRINSICS, fx=0.0)}, "PARAMETER_INVALID", "fx=0"),
        ({"intrinsics": replace(INTRINSICS, cy=np.nan)}, "PARAMETER_INVALID", "nan"),
        ({"camera_pose": Pose((0.0, np.nan, 1.0))}, "PARAMETER_INVALID", "camera_pose"),
        ({"camera_pose": Pose((0, 0, 1), (0, 0, 0, 0))}, "PARAMETER_INVALID", "quaternion"),
    ],
)
def test_a_frame_that_contradicts_itself_is_refused(
    change: dict[str, object], code: str, named: str
) -> None:
    frame = replace(render(EMPTY, OVERHEAD), **change)  # type: ignore[arg-type]
    with pytest.raises(VpgError, match=named) as error:
        fuse(frame)
    assert error.value.code == ErrorCode[code]


def test_no_frame_is_refused() -> None:
    with pytest.raises(VpgError, match="at least one frame"):
        fuse([])


@pytest.mark.parametrize(
    "change", [{"max_height": 0.0}, {"outlier_radius": -1.0}, {"outlier_neighbours": -1}]
)
def test_a_senseless_configuration_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(VpgError, match=next(iter(change))) as error:
        FusionConfig(**change)  # type: ignore[arg-type]
    assert error.value.code == ErrorCode.PARAMETER_INVALID
