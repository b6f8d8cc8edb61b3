"""Objects that are put back on the table: where, by which motion, and that they are there again."""

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vpg_ros import primitives
from vpg_ros.devices.collision import CollisionModel
from vpg_ros.devices.description import expand
from vpg_ros.devices.execute import execute
from vpg_ros.devices.kinematics import HOME_JOINTS, UR5
from vpg_ros.devices.safety import Limits, SafetyGate
from vpg_ros.geometry import DEFAULT_WORKSPACE, Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import LinearMove
from vpg_ros.returning import MARGIN, random_place, returned
from vpg_ros.sim.arm import SimArm
from vpg_ros.sim.camera import OrthoCamera
from vpg_ros.sim.gripper import SimGripper
from vpg_ros.sim.objects import block
from vpg_ros.sim.scenes.base import upright
from vpg_ros.sim.settle import settle
from vpg_ros.sim.world import World
from vpg_ros.system import sim


def scene(height: float = 0.04) -> Heightmap:
    """A block in the middle of the workspace, and a tower of 10 cm in its corner."""
    heights = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    heights[102:122, 102:122] = height
    heights[:80, :80] = 0.10
    return Heightmap(np.zeros((*heights.shape, 3), np.uint8), heights, DEFAULT_WORKSPACE)


def motion(name: str, heightmap: Heightmap):
    primitive = primitives.get(name)
    return primitive.motion(primitive.action(112, 112, 0, heightmap), heightmap)


@pytest.fixture(scope="module")
def gate() -> SafetyGate:
    """The gate of the simulated cell's parameter file."""
    content = yaml.safe_load(sim().parameters_path.read_text())
    limits = content["/**/motion_node"]["ros__parameters"]["limits"]
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in limits.items()}
    urdf = expand(robot=True, cell=False, frames=True, workspace=DEFAULT_WORKSPACE)
    space = CollisionModel(urdf, limits["table_z"], (), limits["gripper_width"])
    return SafetyGate(Limits(**values), UR5, HOME_JOINTS, space)


def test_a_motion_that_carries_nothing_stays_as_it_is():
    rng = np.random.default_rng(0)
    push = motion("push", scene())
    assert returned(push, scene(), rng) == push
    assert rng.random() == np.random.default_rng(0).random()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.01, 0.09))
def test_the_safety_gate_allows_every_place(gate, seed, height):
    heightmap = scene(height)
    grasp = motion("grasp", heightmap)
    back = returned(grasp, heightmap, np.random.default_rng(seed))
    gate.check(back, HOME_JOINTS)
    assert back.retreat == grasp.retreat
    lower = next(step for step in back.steps if step.phase == "lower")
    x, y, z = lower.pose.position
    w = DEFAULT_WORKSPACE
    assert w.origin_x + MARGIN <= x <= w.origin_x + w.columns * w.resolution - MARGIN
    assert w.origin_y + MARGIN <= y <= w.origin_y + w.rows * w.resolution - MARGIN
    descend = next(step for step in grasp.steps if step.phase == "descend")
    row, column = w.to_pixel(x, y)
    assert isinstance(descend, LinearMove)
    assert z > descend.pose.position[2] + heightmap.height[row, column]


def test_places_are_as_the_seed_says():
    draws = [returned(motion("grasp", scene()), scene(), np.random.default_rng(n)) for n in (3, 3)]
    assert draws[0] == draws[1]
    other = returned(motion("grasp", scene()), scene(), np.random.default_rng(4))
    assert other != draws[0]


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**31))
def test_a_place_lies_on_the_smallest_workspace_too(rows, columns, seed):
    workspace = Workspace(0.1, 0.2, 0.0, 0.002, rows, columns)
    flat = Heightmap(
        np.zeros((rows, columns, 3), np.uint8), np.zeros((rows, columns), np.float32), workspace
    )
    x, y, _ = random_place(flat, np.random.default_rng(seed)).position
    assert workspace.contains(x, y)


def test_the_same_block_is_picked_and_put_back_again_and_again():
    world = World()
    try:
        spec = block("cube", np.random.default_rng(1))
        body = world.add(spec, upright(spec, -0.5, 0.0, 0.0, 0.0))
        settle(world)
        rng, places = np.random.default_rng(0), []
        for _ in range(4):
            heightmap = OrthoCamera(world).read()
            x, y, _ = world.pose(body).position
            yaw = np.arctan2(*world.pose(body).matrix[1::-1, 0])
            primitive = primitives.get("grasp")
            rotation = round(yaw / (np.pi / 8)) % primitive.rotations
            action = primitive.action(*world.workspace.to_pixel(x, y), rotation, heightmap)
            back = returned(primitive.motion(action, heightmap), heightmap, rng)
            outcome = execute(back, SimArm(world), SimGripper(world), HOME_JOINTS)
            settle(world)
            assert outcome.success, outcome
            assert 0.01 < outcome.gripper_width < 0.06
            target = next(step.pose for step in back.steps if step.phase == "lower").position
            assert np.allclose(world.pose(body).position[:2], target[:2], atol=0.05)
            places.append(target)
        assert world.objects == (body,) and world.picked == world.lost == 0
        assert len(set(places)) == 4
    finally:
        world.close()
