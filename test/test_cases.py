"""Test cases: what is read from the original's format, and how a case is put on the table."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, Workspace
from vpg_ros.learning.env import TableEnv
from vpg_ros.shapes import Hull, prism_corners
from vpg_ros.sim import cases
from vpg_ros.sim.scenes.challenging import OBJECTS
from vpg_ros.sim.shapes import mesh
from vpg_ros.sim.world import World

FINGER = 0.010  # m, the thickness of the thinner side of a finger


@pytest.fixture(scope="module")
def shared():
    world = World()
    yield world
    world.close()


@pytest.fixture
def world(shared):
    shared.reset(0)
    return shared


def write_mesh(path: Path, corners) -> None:
    body = mesh((Hull(tuple(map(tuple, corners))),))
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in body.vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in body.triangles + 1]
    path.write_text("\n".join(lines) + "\n")


def box(x, y, z):
    return prism_corners(np.array([[-x, -y], [x, -y], [x, y], [-x, y]]) / 2, z)


ARCH = [(-0.05, -0.025), (-0.025, -0.025)]
ARCH += [(-0.025 * np.cos(a), 0.025 * np.sin(a) - 0.025) for a in np.linspace(0, np.pi, 13)[1:-1]]
ARCH += [(0.025, -0.025), (0.05, -0.025), (0.05, 0.025), (-0.05, 0.025)]


def write_arch(path: Path) -> None:
    """A block of 100 × 50 × 50 mm with half a tunnel of 25 mm radius below."""
    count = len(ARCH)
    lines = [f"v {x:.6f} {y} {z:.6f}" for y in (-0.025, 0.025) for x, z in ARCH]
    for i in range(count):
        j = (i + 1) % count
        lines += [f"f {i + 1} {j + 1} {count + i + 1}"]
        lines += [f"f {j + 1} {count + j + 1} {count + i + 1}"]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path):
    """As the original's: cases in one folder, meshes in another."""
    blocks = tmp_path / "objects" / "blocks"
    blocks.mkdir(parents=True)
    write_mesh(blocks / "cube.obj", box(0.05, 0.05, 0.05))
    write_mesh(blocks / "brick.obj", box(0.10, 0.05, 0.03))
    roof = np.array([[-0.025, -0.02], [0.025, -0.02], [0.0, 0.02]])
    x, z, y = prism_corners(roof, 0.10).T
    write_mesh(blocks / "roof.obj", np.column_stack([x, y, z]))
    write_arch(blocks / "arch.obj")
    texts = tmp_path / "simulation" / "test-cases"
    texts.mkdir(parents=True)
    return texts


CUBE = "cube.obj 0.5 0.25 1.0 -0.45 0.1 0.025 0 0 0.3"


def test_a_line_is_an_object_with_its_colour_and_pose(folder, world):
    (folder / "one.txt").write_text(CUBE + "\nbrick.obj 0 1 0 -0.6 -0.1 0.025 1.5707963 0.4 0\n")
    (case,) = cases.load_folder(folder)
    assert case.name == "one"
    assert [spec.kind for spec in case.specs] == ["cube", "brick"]
    assert case.specs[0].colour == (0.5, 0.25, 1.0)
    assert case.specs[0].extent == pytest.approx([0.05] * 3, abs=1e-6)
    case.build(world, jitter=False)
    cube, brick = (world.pose(body) for body in world.objects)
    assert cube.position == pytest.approx([-0.45, 0.1, 0.025], abs=1e-3)
    assert brick.position == pytest.approx([-0.6, -0.1, 0.025], abs=1e-3)
    yaw = np.arctan2(cube.matrix[1, 0], cube.matrix[0, 0])
    assert yaw == pytest.approx(0.3, abs=1e-2)
    # Rx(90°)·Ry(0.4): the brick's y is up, and its x turned by −0.4 about it.
    assert brick.matrix[:3, 1] == pytest.approx([0, 0, 1], abs=1e-2)
    assert brick.matrix[:2, 0] == pytest.approx([np.cos(0.4), np.sin(0.4)], abs=1e-2)


def test_the_angles_are_those_of_vrep(folder):
    alpha, beta, gamma = 0.3, -0.5, 1.1
    line = f"# frame mesh\ncube.obj 1 1 1 -0.5 0 0.1 {alpha} {beta} {gamma}\n"
    (folder / "one.txt").write_text(line)
    (case,) = cases.load_folder(folder)
    (ca, cb, cg), (sa, sb, sg) = np.cos([alpha, beta, gamma]), np.sin([alpha, beta, gamma])
    about_x = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    about_y = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    about_z = np.array([[cg, -sg, 0], [sg, cg, 0], [0, 0, 1]])
    assert np.allclose(case.poses[0].matrix[:3, :3], about_x @ about_y @ about_z, atol=1e-9)


def test_positions_count_from_the_middle_of_the_workspace(folder):
    (folder / "a.txt").write_text(CUBE)
    (folder / "b.txt").write_text("# workspace 0.1 0.2\n" + CUBE.replace("-0.45 0.1", "0.15 0.3"))
    a, b = cases.load_folder(folder)
    assert a.poses[0].position == pytest.approx(b.poses[0].position)
    elsewhere = World(0, Workspace(-0.6, -0.3, 0.0, 0.002, 200, 150))
    a.build(elsewhere, jitter=False)
    x, y = elsewhere.workspace.centre
    (body,) = elsewhere.objects
    assert elsewhere.pose(body).position[:2] == pytest.approx([x + 0.05, y + 0.1], abs=1e-3)
    elsewhere.close()


def test_parked_objects_are_left_out(folder):
    parked = ["-0.9 0.1 0.025", "-0.45 0.3 0.025", "-0.45 0.1 -726"]
    lines = [CUBE, *(CUBE.replace("-0.45 0.1 0.025", place) for place in parked)]
    (folder / "one.txt").write_text("\n".join(lines))
    assert len(cases.load_folder(folder)[0].specs) == 1


@pytest.mark.parametrize("place", [".", "blocks", "../blocks", "../../objects/blocks"])
def test_meshes_are_found_where_they_usually_lie(tmp_path, place):
    texts = tmp_path / "a" / "b"
    (texts / place).mkdir(parents=True)
    texts.mkdir(exist_ok=True)
    write_mesh(texts / place / "cube.obj", box(0.05, 0.05, 0.05))
    (texts / "one.txt").write_text(CUBE)
    assert cases.load(texts / "one.txt") == cases.load_folder(texts)[0]


def test_meshes_may_lie_in_a_folder_of_their_own(folder, tmp_path):
    own = tmp_path / "mine"
    own.mkdir()
    write_mesh(own / "cube.obj", box(0.04, 0.04, 0.04))
    (folder / "one.txt").write_text(CUBE)
    assert cases.load_folder(folder, own)[0].specs[0].extent[0] == pytest.approx(0.04, abs=1e-6)


def test_poses_saved_from_vrep_place_its_own_frame_of_a_mesh(folder, world):
    """There z runs along a mesh's longest side: a lying roof's z is level, its x up or down."""
    level = 1.5707963
    (folder / "one.txt").write_text(
        f"brick.obj 1 0 0 -0.6 0 0.026 {-level} 0.4 0\n"
        f"roof.obj 0 1 0 -0.4 0 0.021 {level} 0.2 {level}\n"
    )
    (case,) = cases.load_folder(folder)
    case.build(world, jitter=False)
    brick, roof = (world.pose(body) for body in world.objects)
    # The brick's x and z of the file, 100 and 30 mm, lie level; its y stands.
    assert abs(brick.matrix[2, 1]) == pytest.approx(1.0, abs=1e-3)
    assert brick.position[2] == pytest.approx(0.025, abs=1e-3)
    # Ridge up, and the centre of mass below the middle.
    assert roof.matrix[2, 2] == pytest.approx(1.0, abs=1e-3)
    assert roof.position[2] == pytest.approx(0.04 / 3, abs=1e-3)


def test_a_hollow_stays_hollow(folder, world):
    """A cube that stands in an arch's tunnel touches nothing."""
    write_mesh(folder / "peg.obj", box(0.03, 0.04, 0.018))
    text = "# frame mesh\narch.obj 1 0 0 -0.5 0 0.025 0 0 0\npeg.obj 0 1 0 -0.5 0 0.0092 0 0 0\n"
    (folder / "one.txt").write_text(text)
    (case,) = cases.load_folder(folder)
    assert len(case.specs[0].shapes) > 1
    solid = 0.1 * 0.05 * 0.05 - np.pi * 0.025**2 / 2 * 0.05
    assert case.specs[0].mass == pytest.approx(850 * solid, rel=0.03)
    case.build(world, jitter=False)
    arch, peg = world.objects
    assert world.pose(peg).position == pytest.approx([-0.5, 0, 0.009], abs=1e-3)
    assert world.pose(arch).position[:2] == pytest.approx([-0.5, 0], abs=1e-3)


WRONG = {
    "cube.obj 1 1 1 -0.5 0 0.025 0 0": r"line 2: 8 numbers; expected 9: 'mesh.obj r g b x y z",
    "cube.obj 1 1 1 -0.5 nan 0.025 0 0 0": r"line 2: .*nan.* not all finite .*'mesh.obj r g b",
    "cube.obj 1 1 1 -0.5 left 0.025 0 0 0": r"line 2: .*left.* not all finite .*'mesh.obj r g b",
    "cube.obj 1 2 1 -0.5 0 0.025 0 0 0": r"line 2: colour is 1 2 1; expected .* 0 … 1",
    "ball.obj 1 1 1 -0.5 0 0.025 0 0 0": r"line 2: mesh ball.obj does not exist; expected in .*blo",
    "# workspace 0.5": r"line 2: 1 numbers; expected 2: '# workspace X Y'",
    "# frame world": r"line 2: frame is 'world'; expected 'mesh' or 'box'",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_line_is_named(folder, line):
    (folder / "wrong.txt").write_text(f"{CUBE}\n{line}\n")
    with pytest.raises(VpgError, match=r"wrong\.txt, " + WRONG[line]) as error:
        cases.load_folder(folder)
    assert error.value.code is ErrorCode.SCENE_INVALID
    assert "\n" not in error.value.message


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n"])
def test_an_empty_case_is_refused(folder, text):
    (folder / "bare.txt").write_text(text)
    with pytest.raises(VpgError, match=r"bare\.txt is empty; expected lines 'mesh\.obj r g b"):
        cases.load_folder(folder)


def test_a_case_with_nothing_on_the_workspace_is_refused(folder):
    (folder / "far.txt").write_text(CUBE.replace("-0.45", "0.45"))
    with pytest.raises(
        VpgError, match=r"far\.txt has no object on the workspace around \(-0\.5, 0"
    ):
        cases.load_folder(folder)


def test_a_missing_folder_and_one_without_cases_are_refused(folder):
    with pytest.raises(VpgError, match=r"folder of cases .*nowhere does not exist"):
        cases.load_folder(folder / "nowhere")
    with pytest.raises(VpgError, match=r"holds no case; expected text files \*\.txt"):
        cases.load_folder(folder)


@pytest.mark.parametrize("content", [b"v 1 2\n", b"", b"\xff\x00", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n"])
def test_a_mesh_that_is_no_solid_is_refused(folder, content):
    (folder / "cube.obj").write_bytes(content)
    (folder / "one.txt").write_text(CUBE)
    with pytest.raises(VpgError, match=r"mesh .*cube\.obj holds no solid of triangles; expected"):
        cases.load_folder(folder)


# -- the cases that come along


CHALLENGING = cases.challenging()


def gaps(world):
    """Distances between any two neighbouring objects, m."""
    for a, b in combinations(world.objects, 2):
        points = world.client.getClosestPoints(a, b, 0.02)
        if points:
            yield min(point[8] for point in points)


def test_eleven_different_cases_come_along():
    assert tuple(len(case.specs) for case in CHALLENGING) == OBJECTS
    assert len({case.poses for case in CHALLENGING}) == 11
    kinds = {spec.kind for case in CHALLENGING for spec in case.specs}
    assert len(kinds) >= 8


@pytest.mark.parametrize("case", CHALLENGING, ids=lambda case: case.name)
def test_a_challenging_case_stands_in_touch_well_inside_the_workspace(world, case):
    for spec in case.specs:
        # By itself every object fits between the fingers, 85 mm apart.
        assert min(spec.extent[:2]) <= 0.065
    for seed in range(2):
        world.reset(seed)
        case.build(world)
        assert len(world.objects) == len(case.specs)
        for body in world.objects:
            low, high = np.array(world.client.getAABB(body))[:, :2]
            half = DEFAULT_WORKSPACE.columns * DEFAULT_WORKSPACE.resolution / 2
            middle = np.array(DEFAULT_WORKSPACE.centre)
            assert max(np.abs(low - middle).max(), np.abs(high - middle).max()) < half - 0.06
        found = list(gaps(world))
        assert min(found) > -5e-4
        for body in world.objects:
            points = [
                point[8]
                for other in world.objects
                if other != body
                for point in world.client.getClosestPoints(body, other, 0.02)
            ]
            assert min(points) < FINGER / 2


def test_jitter_is_bounded_and_follows_from_the_seed(world):
    case = CHALLENGING[1]
    centre = np.mean([pose.position for pose in case.poses], axis=0)[:2]

    def start(seed, jitter=True):
        world.reset(seed)
        case.build(world, jitter)
        return [world.pose(body) for body in world.objects]

    still = start(0, jitter=False)
    assert start(5, jitter=False) == still
    assert start(1) == start(1) and start(1) != start(2)
    shifts, turns = [], []
    for seed in range(20):
        poses = start(seed)
        shifts.append(np.mean([p.position for p in poses], axis=0)[:2] - centre - [-0.5, 0])
        for before, after in zip(still, poses, strict=True):
            turn = before.matrix[:3, :3].T @ after.matrix[:3, :3]
            turns.append(np.rad2deg(np.arctan2(turn[1, 0], turn[0, 0])))
    assert 2e-3 < max(map(np.linalg.norm, shifts)) < 5e-3
    assert 2 < np.abs(turns).max() < 5.5
    assert min(turns) < -1 and max(turns) > 1


def test_the_environment_plays_a_case():
    env = TableEnv("ortho")
    case = CHALLENGING[4]
    heightmap = env.reset_case(case, seed=3)
    assert heightmap.occupied.sum() * DEFAULT_WORKSPACE.resolution**2 == pytest.approx(
        4 * 0.064**2, rel=0.05
    )
    assert np.array_equal(env.reset(case.name, len(case.specs), seed=3).height, heightmap.height)
    assert not np.array_equal(env.reset_case(case, seed=4).height, heightmap.height)
    still = env.reset_case(case, seed=3, jitter=False)
    assert np.array_equal(env.reset_case(case, seed=4, jitter=False).height, still.height)
