"""Scene families: what they promise of every scene that they build."""

from itertools import combinations

import numpy as np
import pytest

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.sim import scenes
from vpg_ros.sim.scenes.base import check
from vpg_ros.sim.world import World


@pytest.fixture(scope="module")
def world():
    world = World()
    yield world
    world.close()


def built(world, name, objects, seed):
    world.reset(seed)
    scenes.build(world, name, objects)
    return world


def poses(world):
    return [world.client.getBasePositionAndOrientation(body) for body in world.objects]


def allows(name, objects):
    try:
        check(name, objects)
    except VpgError:
        return False
    return True


def gap(world, a, b):
    """Distance between two objects' surfaces, m (at most 0.1)."""
    return min((point[8] for point in world.client.getClosestPoints(a, b, 0.1)), default=0.1)


CASES = [("random", 1), ("random", 10), ("random", 20), ("packed", 1), ("packed", 9)]
CASES += [("packed", 14), ("row", 1), ("row", 9), ("row", 16)]
CASES += [("tight", 1), ("tight", 6), ("tight", 14)]
# As many objects as a scene takes, or six.
FEW = {name: next(n for n in (6, 4, 5, 7, 8, 2) if allows(name, n)) for name in scenes.names()}


@pytest.mark.parametrize(("name", "objects"), CASES)
def test_a_scene_holds_its_objects_at_rest_on_the_workspace(world, name, objects):
    built(world, name, objects, seed=5)
    assert len(world.objects) == objects
    assert (world.picked, world.lost) == (0, 0)
    for body in world.objects:
        x, y, z = world.pose(body).position
        assert world.workspace.contains(x, y) and 0 < z < 0.15
    before = poses(world)
    world.step(250)
    moved = [
        np.abs(np.subtract(a[0], b[0])).max() for a, b in zip(before, poses(world), strict=True)
    ]
    assert max(moved) < 2e-3


@pytest.mark.parametrize("name", scenes.names())
def test_a_scene_follows_from_its_seed(world, name):
    objects = FEW[name]
    first = poses(built(world, name, objects, seed=2))
    assert poses(built(World(9), name, objects, seed=2)) == first
    assert poses(built(world, name, objects, seed=3)) != first


def test_random_scenes_mix_kinds_and_orientations(world):
    built(world, "random", 20, seed=0)
    assert len({world.spec(body).kind for body in world.objects}) >= 5
    upright = [abs(np.array(world.pose(body).matrix)[2, 2]) > 0.99 for body in world.objects]
    assert not all(upright)


@pytest.mark.parametrize("seed", range(5))
def test_no_finger_fits_between_packed_neighbours(world, seed):
    built(world, "packed", 9, seed)
    specs = {body: world.spec(body) for body in world.objects}
    kinds = {}
    for body, spec in specs.items():
        kinds.setdefault((spec.kind, spec.mass), []).append(body)
    for group in kinds.values():
        for body in group:
            others = [gap(world, body, other) for other in group if other != body]
            assert not others or min(others) < 3e-3


def test_objects_in_a_row_stand_apart(world):
    built(world, "row", 16, seed=1)
    assert min(gap(world, a, b) for a, b in combinations(world.objects, 2)) > 0.03


def test_an_unknown_scene_is_named_with_those_there_are(world):
    with pytest.raises(VpgError, match=r"'heap'.*packed, random, row, .*tight") as error:
        scenes.build(world, "heap", 3)
    assert error.value.code is ErrorCode.SCENE_UNKNOWN


@pytest.mark.parametrize("name", scenes.names())
@pytest.mark.parametrize("objects", [-1, 0, 1000])
def test_a_scene_says_how_many_objects_it_takes(world, name, objects):
    allowed = "exactly" if name.startswith("challenging") else "(exactly|[1-9] to)"
    sentence = f"objects is {objects}; scene '{name}' takes {allowed} [0-9]+$"
    with pytest.raises(VpgError, match=sentence) as error:
        scenes.build(world, name, objects)
    assert error.value.code is ErrorCode.SCENE_INVALID


def test_a_scene_is_one_registered_function(world):
    @scenes.scene("pair", max_objects=2)
    def pair(world, objects):
        scenes.build(world, "row", objects)

    world.reset(0)
    scenes.build(world, "pair", 2)
    assert len(world.objects) == 2
    assert "pair" in scenes.names()
