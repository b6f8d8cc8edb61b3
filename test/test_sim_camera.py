"""The simulated camera against exact geometry, and its noise against its model."""

import numpy as np
import pytest

from vpg_ros.devices.kinematics import HOME_JOINTS, UR5
from vpg_ros.frame import Intrinsics
from vpg_ros.geometry import Pose, Workspace, look_at, tool_down
from vpg_ros.heightmap.fusion import fuse
from vpg_ros.shapes import Box, Cylinder, Hull, Shape
from vpg_ros.sim import scenes
from vpg_ros.sim.camera import CAMERA_POSE, INTRINSICS, OrthoCamera, SimCamera
from vpg_ros.sim.noise import DepthNoise
from vpg_ros.sim.objects import ObjectSpec, block
from vpg_ros.sim.scenes.base import upright
from vpg_ros.sim.shapes import mesh, moments
from vpg_ros.sim.world import World

RED, GREEN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
EXACT = 1e-4  # m


@pytest.fixture(scope="module")
def shared():
    world = World()
    yield world
    world.close()


@pytest.fixture
def world(shared):
    shared.reset(0)
    return shared


def solid(*shapes: Shape, colour=RED) -> ObjectSpec:
    return ObjectSpec("solid", shapes, colour, 0.05, (1e-5, 1e-5, 1e-5), 0.7)


def ray(row, column, intrinsics=INTRINSICS, pose=CAMERA_POSE):
    """Origin and direction (depth 1) of a pixel's ray, base frame."""
    x = (column - intrinsics.cx) / intrinsics.fx
    y = (row - intrinsics.cy) / intrinsics.fy
    return pose.matrix[:3, 3], pose.matrix[:3, :3] @ [x, y, 1.0]


def pixel_of(point, intrinsics=INTRINSICS, pose=CAMERA_POSE):
    """(row, column) nearest to where a point is seen."""
    x, y, z = (np.linalg.inv(pose.matrix) @ [*point, 1.0])[:3]
    return (
        round(intrinsics.cy + intrinsics.fy * y / z),
        round(intrinsics.cx + intrinsics.fx * x / z),
    )


def plane_depth(row, column, height):
    """Depth at which a pixel's ray meets the horizontal plane at ``height``."""
    origin, direction = ray(row, column)
    return (height - origin[2]) / direction[2]


# -- depth and colour


def test_the_empty_table_is_a_plane(world):
    depth = SimCamera(world, noise=None).read().depth
    for row, column in [(240, 320), (150, 250), (380, 500), (200, 400)]:
        assert depth[row, column] == pytest.approx(plane_depth(row, column, 0.0), abs=EXACT)


@pytest.mark.parametrize("yaw", [0.0, 0.4])
def test_the_top_of_a_box_is_where_it_is(world, yaw):
    spec = solid(Box((0.05, 0.04, 0.03)))
    world.add(spec, upright(spec, -0.52, 0.03, yaw, 0.0))
    top = world.pose(world.objects[0]).position[2] + 0.015
    frame = SimCamera(world, noise=None).read()
    for dx, dy in [(0.0, 0.0), (0.01, 0.01), (-0.01, 0.005)]:
        row, column = pixel_of((-0.52 + dx, 0.03 + dy, top))
        assert frame.depth[row, column] == pytest.approx(plane_depth(row, column, top), abs=EXACT)
        r, g, b = frame.colour[row, column]
        assert r > 100 and g == b == 0


def test_the_nearer_of_two_bodies_is_seen(world):
    lower, upper = solid(Box((0.1, 0.1, 0.02)), colour=GREEN), solid(Box((0.02, 0.02, 0.02)))
    world.add(lower, Pose((-0.5, 0.0, 0.01)))
    world.add(upper, Pose((-0.5, 0.0, 0.10)))
    frame = SimCamera(world, noise=None).read()
    row, column = pixel_of((-0.5, 0.0, 0.11))
    assert frame.depth[row, column] == pytest.approx(plane_depth(row, column, 0.11), abs=EXACT)
    assert frame.colour[row, column, 0] > 100
    row, column = pixel_of((-0.47, 0.03, 0.02))
    assert frame.depth[row, column] == pytest.approx(plane_depth(row, column, 0.02), abs=EXACT)
    assert frame.colour[row, column, 1] > 100


def test_what_moved_is_drawn_where_it_is_now(world):
    camera = SimCamera(world, noise=None)
    spec = solid(Box((0.04, 0.04, 0.04)))
    body = world.add(spec, Pose((-0.5, 0.0, 0.02)))
    before = camera.read()
    world.place(body, Pose((-0.4, 0.1, 0.02)))
    after = camera.read()
    old, new = pixel_of((-0.5, 0.0, 0.04)), pixel_of((-0.4, 0.1, 0.04))
    assert before.depth[old] == pytest.approx(plane_depth(*old, 0.04), abs=EXACT)
    assert after.depth[old] == pytest.approx(plane_depth(*old, 0.0), abs=EXACT)
    assert after.depth[new] == pytest.approx(plane_depth(*new, 0.04), abs=EXACT)


def test_casting_part_of_a_picture_gives_what_casting_all_of_it_gives(world):
    """Only covered pixels are cast; a camera that sees the same from scratch must agree."""
    scenes.build(world, "random", 8)
    camera = SimCamera(world, noise=None)
    frame = camera.read()
    rows, columns = np.nonzero(frame.colour.max(axis=2) > 0)
    chosen = np.random.default_rng(0).choice(len(rows), 40)
    for row, column in zip(rows[chosen], columns[chosen], strict=True):
        single = Intrinsics(
            1, 1, INTRINSICS.fx, INTRINSICS.fy, INTRINSICS.cx - column, INTRINSICS.cy - row
        )
        alone = SimCamera(world, single, CAMERA_POSE, noise=None).read()
        assert alone.depth[0, 0] == pytest.approx(frame.depth[row, column], abs=1e-6)


def test_the_robot_is_in_the_picture(world):
    camera = SimCamera(world, noise=None)
    empty = camera.read().depth
    world.robot.teleport(UR5.inverse(tool_down(-0.5, 0.0, 0.2, 0.0), HOME_JOINTS))
    assert (empty - camera.read().depth > 0.1).mean() > 0.05


def test_at_home_the_robot_hides_nothing_of_the_workspace(world):
    height = OrthoCamera(world).read().height
    assert np.abs(height).max() < EXACT
    frame = SimCamera(world, noise=None).read()
    for x in (-0.72, -0.5, -0.28):
        for y in (-0.22, 0.0, 0.22):
            row, column = pixel_of((x, y, 0.0))
            assert frame.depth[row, column] == pytest.approx(
                plane_depth(row, column, 0.0), abs=EXACT
            )


def test_there_is_no_reading_where_there_is_nothing(world):
    up = look_at(np.array([-0.5, 0.0, 0.5]), np.array([-1.5, 0.0, 0.9]), np.array([0.0, 0, 1]))
    frame = SimCamera(world, pose=up, noise=None).read()
    sky = np.s_[0, :100]  # beside the mast
    assert np.isnan(frame.depth[sky]).all()
    assert (frame.colour[sky] == 0).all()


def test_faces_turned_to_the_lamp_are_brighter(world):
    roof = Hull(
        (
            (-0.03, -0.03, 0),
            (-0.03, 0.03, 0),
            (0.03, -0.03, 0),
            (0.03, 0.03, 0),
            (0.0, -0.03, 0.03),
            (0.0, 0.03, 0.03),
        )
    )
    world.add(solid(roof), Pose((-0.5, 0.0, 0.0)))
    colour = SimCamera(world, noise=None).read().colour
    towards, away = pixel_of((-0.485, 0.0, 0.015)), pixel_of((-0.515, 0.0, 0.015))
    assert int(colour[towards][0]) > int(colour[away][0]) + 20


# -- shapes


@pytest.mark.parametrize(
    ("shape", "volume"),
    [
        (Box((0.1, 0.2, 0.3)), 0.006),
        (Cylinder(0.05, 0.1), np.pi * 0.05**2 * 0.1),
        (Hull(((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))), 1 / 6),
    ],
)
def test_meshes_enclose_the_volume_and_face_outwards(shape, volume):
    found, centroid, inertia = moments((shape,))
    assert found == pytest.approx(volume, rel=0.01)
    body = mesh((shape,))
    corners = body.vertices[body.triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("ij,ij->i", normals, corners.mean(axis=1) - centroid) > 0).all()
    assert (np.linalg.eigvalsh(inertia) > 0).all()


def test_inertia_is_that_of_the_textbook():
    _, centroid, inertia = moments((Box((0.1, 0.2, 0.3), Pose((1.0, 2.0, 3.0))),))
    expected = 0.006 / 12 * np.array([0.2**2 + 0.3**2, 0.1**2 + 0.3**2, 0.1**2 + 0.2**2])
    assert centroid == pytest.approx([1.0, 2.0, 3.0], rel=1e-5)
    assert np.diag(inertia) == pytest.approx(expected, rel=1e-3)


# -- straight down


def test_the_view_from_above_reads_heights_per_pixel(world):
    spec = solid(Box((0.05, 0.03, 0.04)))
    x, y = world.workspace.to_metres(100, 80)
    world.add(spec, Pose((x, y, 0.02)))
    heightmap = OrthoCamera(world).read()
    assert heightmap.height[100, 80] == pytest.approx(0.04, abs=EXACT)
    occupied = heightmap.height > 0.01
    rows, columns = np.nonzero(occupied)
    assert np.ptp(columns) * 0.002 == pytest.approx(0.05, abs=0.0041)  # columns along x
    assert np.ptp(rows) * 0.002 == pytest.approx(0.03, abs=0.0041)
    assert heightmap.colour[100, 80, 0] > 100


def test_both_views_agree_where_both_see(world):
    scenes.build(world, "random", 10)
    above = OrthoCamera(world).read()
    fused = fuse(SimCamera(world, noise=None).read())
    low = np.lib.stride_tricks.sliding_window_view(np.pad(above.height, 3, "edge"), (7, 7))
    flat = np.ptp(low, axis=(2, 3)) < 0.002  # away from edges, where a pixel decides
    both = flat & np.isfinite(fused.height)
    assert both.mean() > 0.7
    assert np.abs(above.height - fused.height)[both].max() < 0.003
    assert np.median(np.abs(above.height - fused.height)[both]) < 5e-4


def test_another_workspace_moves_the_cell_and_the_view():
    small = Workspace(-0.6, -0.1, 0.0, 0.002, 100, 100)
    world = World(0, small)
    scenes.build(world, "row", 2)
    heightmap = OrthoCamera(world).read()
    assert heightmap.height.shape == (100, 100)
    for body in world.objects:
        x, y, _ = world.pose(body).position
        row, column = small.to_pixel(x, y)
        assert heightmap.height[row, column] > 0.01
    world.close()


# -- noise


def noisy(world, **parameters):
    quiet = {"grazing_loss": 0.0, "edge_loss": 0.0, "speckle_loss": 0.0, "unit": 1e-6}
    return SimCamera(world, noise=DepthNoise(**(quiet | parameters))).read()


def test_noise_has_the_standard_deviation_of_its_model(world):
    exact = SimCamera(world, noise=None).read().depth
    error = noisy(world).depth - exact
    assert np.abs(np.mean(error)) < 1e-4
    sigma = 0.05 * exact**2 / (618.62 * 0.055)
    assert np.std(error / sigma) == pytest.approx(1.0, abs=0.05)


def test_noise_grows_with_the_square_of_distance(world):
    def spread(height):
        pose = look_at(np.array([-0.5, 0, height]), np.array([-0.5, 0, 0]), np.array([1.0, 0, 0]))
        noise = DepthNoise(grazing_loss=0.0, edge_loss=0.0, speckle_loss=0.0, unit=1e-6)
        window = np.s_[200:280, 280:360]
        return np.std(SimCamera(world, pose=pose, noise=noise).read().depth[window])

    assert spread(0.8) / spread(0.4) == pytest.approx(4.0, rel=0.15)


def test_neighbouring_pixels_share_part_of_their_error(world):
    error = noisy(world).depth - SimCamera(world, noise=None).read().depth
    near = np.corrcoef(error[:, :-1].ravel(), error[:, 1:].ravel())[0, 1]
    far = np.corrcoef(error[:, :-40].ravel(), error[:, 40:].ravel())[0, 1]
    assert near > 0.3 and abs(far) < 0.1


def test_depth_is_quantised(world):
    depth = noisy(world, unit=0.001).depth.astype(float)
    assert np.abs(depth - np.round(depth, 3)).max() < 1e-6


def test_readings_are_lost_at_edges_and_grazing_faces(world):
    scenes.build(world, "random", 10)
    frame = SimCamera(world).read()
    lost = np.isnan(frame.depth)
    assert 0.003 < lost.mean() < 0.06
    exact = SimCamera(world, noise=None).read().depth
    jump = np.abs(np.diff(exact, axis=1))[1:] > 0.02
    assert lost[1:, 1:][jump].mean() > 0.3
    assert lost[300:340, 300:340].mean() < 0.05


def test_the_same_instant_has_the_same_noise_and_another_has_other(world):
    camera = SimCamera(world)
    first = camera.read().depth
    assert np.array_equal(first, camera.read().depth, equal_nan=True)
    world.step()
    assert not np.array_equal(first, camera.read().depth, equal_nan=True)
    world.reset(0)
    assert np.array_equal(first, SimCamera(world).read().depth, equal_nan=True)
    world.reset(1)
    assert not np.array_equal(first, SimCamera(world).read().depth, equal_nan=True)


def test_a_frame_says_where_and_when_it_was_taken(world):
    world.step(25)
    frame = SimCamera(world).read()
    assert frame.stamp == pytest.approx(0.1)
    assert frame.camera_pose == CAMERA_POSE and frame.intrinsics == INTRINSICS
    assert frame.depth.dtype == np.float32 and frame.depth.shape == (480, 640)
    assert frame.colour.dtype == np.uint8 and frame.colour.shape == (480, 640, 3)


def test_blocks_of_every_kind_can_be_drawn(world):
    rng = np.random.default_rng(0)
    for index, kind in enumerate(["arch", "corner", "half_cylinder", "hexagon", "prism"]):
        spec = block(kind, rng)
        world.add(spec, upright(spec, -0.65 + 0.07 * index, 0.0, 0.0, 0.0))
    height = OrthoCamera(world).read().height
    for body in world.objects:
        spec, pose = world.spec(body), world.pose(body)
        if spec.kind != "corner":  # its centre of mass lies in the open angle
            row, column = world.workspace.to_pixel(*pose.position[:2])
            tallest = spec.lowest + spec.extent[2] + pose.position[2]
            assert height[row, column] == pytest.approx(tallest, abs=3e-3)
