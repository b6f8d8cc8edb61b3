"""Whether grasps in simulation succeed only where fingers have room, by geometry alone.

The oracle knows the objects' outlines and the fingers' size, and nothing of physics: fingertips
come to rest on whatever lies under them, and where nothing between them rises above that, they
close on air.
"""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from vpg_ros import primitives
from vpg_ros.geometry import DEFAULT_WORKSPACE, half_turn
from vpg_ros.learning.cases import FamilyCase
from vpg_ros.learning.env import TableEnv
from vpg_ros.learning.evaluate import evaluate_run
from vpg_ros.policy import HeuristicPolicy, RandomPolicy
from vpg_ros.primitives.grasp import OPEN_WIDTH
from vpg_ros.sim import cases

# m, of a finger as urdf/rg2.xacro describes it: along the closing axis, and across.
THICKNESS, WIDTH = 0.010, 0.020
GRAZE = 0.003  # m of a finger's rim, and of an object's top, that may not matter
ATTEMPTS = 20  # at each table
CHALLENGING = cases.challenging()
TIGHT = [FamilyCase("tight", objects) for objects in (4, 8, 12)]


@pytest.fixture(scope="module")
def env():
    return TableEnv("ortho")


class Tops:
    """How high the objects reach above any point of the table, from their shapes and poses."""

    def __init__(self, world):
        self.planes = [
            ConvexHull(shape.corners() @ inner[:3, :3].T + inner[:3, 3]).equations
            for body in world.objects
            for shape in world.spec(body).shapes
            for inner in [world.pose(body).matrix @ shape.pose.matrix]
        ]

    def over(self, points):
        """Height of the highest object above any of N×2 points, m; 0 where there is none."""
        return max((self._of(planes, points) for planes in self.planes), default=0.0)

    @staticmethod
    def _of(planes, points):
        normals, up = planes[:, :3], planes[:, 2]
        rest = points @ normals[:, :2].T + planes[:, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            limits = -rest / up
        top = np.where(up > 1e-9, limits, np.inf).min(axis=1)
        bottom = np.where(up < -1e-9, limits, -np.inf).max(axis=1)
        beside = np.where(np.abs(up) <= 1e-9, rest, -np.inf).max(axis=1)
        return float(np.where((bottom < top) & (beside < 0), top, 0.0).max())


def rectangle(pose, low, high, half):
    """Points of [low, high] × [−half, half] m along and across a tool's closing axis, N×2."""
    x, y = np.meshgrid(np.linspace(low, high, 25), np.linspace(-half, half, 9))
    return np.column_stack([x.ravel(), y.ravel()]) @ pose.matrix[:2, :2].T + pose.position[:2]


def is_possible(world, pose):
    """Whether open fingers that come down to ``pose`` have anything between them."""
    tops, half = Tops(world), OPEN_WIDTH / 2
    inner, outer, across = half + GRAZE, half + THICKNESS - GRAZE, WIDTH / 2 - GRAZE
    pads = (rectangle(pose, inner, outer, across), rectangle(pose, -outer, -inner, across))
    rest = max(pose.position[2], *(tops.over(pad) for pad in pads))
    return tops.over(rectangle(pose, -half, half, WIDTH / 2)) > rest + GRAZE


def between_neighbours(world, heightmap, rng):
    """A grasp at the joint of two objects in touch, across it or along it; None where none are."""
    touching = [
        (a, b)
        for a, b in combinations(world.objects, 2)
        if world.client.getClosestPoints(a, b, 0.003)
    ]
    if not touching:
        return None
    a, b = touching[int(rng.integers(len(touching)))]
    (ax, ay, _), (bx, by, _) = world.pose(a).position, world.pose(b).position
    primitive = primitives.get("grasp")
    step = primitive.angle(1)
    rotation = round(half_turn(np.arctan2(by - ay, bx - ax)) / step) + 4 * int(rng.integers(2))
    row, column = DEFAULT_WORKSPACE.to_pixel((ax + bx) / 2, (ay + by) / 2)
    return primitive.action(row, column, rotation % primitive.rotations, heightmap)


def attempts(env, reset):
    """(whether geometry allows it, whether it succeeded) of grasps on one table, each anew."""
    policy, rng = RandomPolicy(1, ("grasp",)), np.random.default_rng(1)
    for seed in range(ATTEMPTS):
        heightmap = reset(env, seed)
        action = policy.decide(heightmap).action
        if seed % 2:
            action = between_neighbours(env.world, heightmap, rng) or action
        possible = is_possible(env.world, action.pose)
        yield possible, env.step(action).outcome.success


def test_the_oracle_knows_a_free_block_from_one_among_others(env):
    heightmap = env.reset("row", 1, seed=0)
    x, y, _ = env.world.pose(env.world.objects[0]).position
    pixel = DEFAULT_WORKSPACE.to_pixel(x, y)
    assert is_possible(env.world, primitives.get("grasp").pose(*pixel, 0, heightmap))
    beside = DEFAULT_WORKSPACE.to_pixel(x + OPEN_WIDTH / 2 + THICKNESS / 2, y)
    assert not is_possible(env.world, primitives.get("grasp").pose(*beside, 0, heightmap))
    heightmap = env.reset_case(CHALLENGING[6], seed=0)
    x, y, _ = env.world.pose(env.world.objects[0]).position
    pixel = DEFAULT_WORKSPACE.to_pixel(x, y)
    for rotation in range(8):
        pose = primitives.get("grasp").pose(*pixel, rotation, heightmap)
        assert not is_possible(env.world, pose)


def test_no_grasp_clears_a_challenging_case_from_its_start(env):
    """Many grasps at each: as good as none is possible, as good as none succeeds."""
    tried = [
        each
        for case in CHALLENGING
        for each in attempts(env, lambda env, seed, case=case: env.reset_case(case, seed))
    ]
    allowed = [success for possible, success in tried if possible]
    forbidden = [success for possible, success in tried if not possible]
    assert len(forbidden) > 0.85 * len(tried)
    assert sum(forbidden) <= 0.02 * len(forbidden)
    assert sum(allowed) + sum(forbidden) <= 0.05 * len(tried)


def test_grasps_at_tight_tables_succeed_only_where_fingers_have_room(env):
    tried = [
        each
        for case in TIGHT
        for each in attempts(env, lambda env, seed, case=case: case.reset(env, 100 + seed))
    ]
    allowed = [success for possible, success in tried if possible]
    forbidden = [success for possible, success in tried if not possible]
    assert len(forbidden) >= 30
    assert sum(forbidden) <= 0.02 * len(forbidden)
    assert sum(allowed) > 0


def test_the_oracle_grants_what_the_heuristic_picks(env):
    """Blocks apart from each other: geometry allows it, and physics too."""
    heightmap = env.reset("row", 4, seed=0)
    for _ in range(4):
        action = HeuristicPolicy().decide(heightmap, env.tried).action
        assert is_possible(env.world, action.pose)
        transition = env.step(action)
        assert transition.outcome.success
        heightmap = transition.after


# -- objects that leave the table


class Spill:
    """Throws an object off the table before its first action, and then grasps what is left."""

    name, checkpoint = "spill", ""

    def __init__(self, env):
        self.env, self.inner, self.spilt = env, HeuristicPolicy(), False

    def decide(self, heightmap, tried=()):
        if not self.spilt:
            self.spilt = True
            world = self.env.world
            pose = world.pose(world.objects[0])
            x, y, z = pose.position
            world.place(world.objects[0], replace(pose, position=(x, y - 0.4, z)))
            world.step(50)
            world.tally()
        return self.inner.decide(heightmap, tried)


def test_an_object_off_the_table_is_lost_and_the_run_not_completed(env):
    run = evaluate_run(env, Spill(env), FamilyCase("row", 3), seed=0)
    assert (run.picked, run.lost) == (2, 1)
    assert not run.completed


def test_an_object_pushed_over_the_rim_is_lost(env):
    env.reset("row", 2, seed=0)
    world = env.world
    body = world.objects[0]
    x, _, z = world.pose(body).position
    edge = DEFAULT_WORKSPACE.centre[1] - DEFAULT_WORKSPACE.rows * DEFAULT_WORKSPACE.resolution / 2
    world.place(body, replace(world.pose(body), position=(x, edge - 0.03, z + 0.05)))
    world.client.resetBaseVelocity(body, [0, -0.5, 0])
    world.step(250)
    world.tally()
    assert body not in world.objects
    assert (world.picked, world.lost) == (0, 1)
