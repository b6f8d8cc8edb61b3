"""The arm and gripper of a simulated world, and whether their physics can be trusted."""

import threading

import numpy as np
import pytest

from vpg_ros import primitives
from vpg_ros.devices.execute import execute
from vpg_ros.devices.interfaces import MoveEnd
from vpg_ros.devices.kinematics import HOME_JOINTS, UR5
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Pose, tool_down
from vpg_ros.primitives.descent import APPROACH_HEIGHT
from vpg_ros.primitives.grasp import OPEN_WIDTH
from vpg_ros.sim.arm import SimArm
from vpg_ros.sim.camera import OrthoCamera
from vpg_ros.sim.gripper import SimGripper
from vpg_ros.sim.objects import KINDS, block
from vpg_ros.sim.scenes.base import upright
from vpg_ros.sim.settle import settle
from vpg_ros.sim.world import World

CENTRE = (-0.5, 0.0)
SPEED, ACCELERATION = 0.25, 1.2


@pytest.fixture(scope="module")
def shared():
    world = World()
    yield world
    world.close()


@pytest.fixture
def world(shared):
    shared.reset(0)
    return shared


def place(world, kind, x, y, yaw, seed):
    spec = block(kind, np.random.default_rng(seed))
    body = world.add(spec, upright(spec, x, y, yaw, 0.0))
    return body, spec


def grasp(world, x, y, rotation, fast=True):
    """The shipped grasp primitive at (x, y), as the environment runs it."""
    primitive = primitives.get("grasp")
    heightmap = OrthoCamera(world).read()
    action = primitive.action(*world.workspace.to_pixel(x, y), rotation, heightmap)
    motion = primitive.motion(action, heightmap)
    outcome = execute(motion, SimArm(world, fast=fast), SimGripper(world, fast), HOME_JOINTS)
    settle(world)
    return outcome


# -- moves


@pytest.mark.parametrize("fast", [True, False])
def test_a_joint_move_ends_at_its_pose(world, fast):
    goal = tool_down(-0.45, 0.1, 0.15, 0.5)
    result = SimArm(world, fast=fast).move_to(goal, 2.0, 6.0)
    assert result.end is MoveEnd.REACHED
    assert np.allclose(result.pose.matrix, goal.matrix, atol=1e-3)


@pytest.mark.parametrize("fast", [True, False])
def test_a_linear_move_keeps_to_its_line(world, fast):
    arm = SimArm(world, fast=fast)
    arm.move_to(tool_down(-0.6, -0.15, 0.10, 0.0), 2.0, 6.0)
    seen = []
    step = world.step

    def watched(count=1):
        step(count)
        seen.append(world.robot.tip()[:3, 3])

    world.step = watched
    try:
        goal = tool_down(-0.4, 0.15, 0.05, 0.3)
        result = arm.move_linear(goal, SPEED, ACCELERATION, 50.0)
    finally:
        del world.step
    assert result.end is MoveEnd.REACHED
    assert np.allclose(result.pose.matrix, goal.matrix, atol=1e-3)
    start, way = np.array([-0.6, -0.15, 0.10]), np.array([0.2, 0.3, -0.05])
    for point in seen:
        along = np.clip((point - start) @ way / (way @ way), 0, 1)
        assert np.linalg.norm(point - start - along * way) < 1e-3
    assert fast or len(seen) > 300


def test_skipped_moves_are_credited_with_their_time(world):
    goals = [tool_down(-0.45, 0.1, 0.15, 0.5), tool_down(-0.45, 0.1, 0.05, 0.5)]
    stamps = []
    for fast in (True, False):
        world.reset(0)
        arm = SimArm(world, fast=fast)
        arm.move_to(goals[0], 2.0, 6.0)
        arm.move_linear(goals[1], SPEED, ACCELERATION, 50.0)
        SimGripper(world, fast).move(0.02, 20.0)
        stamps.append(arm.state().stamp)
    assert stamps[0] == pytest.approx(stamps[1], rel=0.1)
    assert stamps[1] > 1.5


def test_the_state_is_what_the_world_measures(world):
    arm = SimArm(world)
    goal = tool_down(-0.45, 0.1, 0.15, 0.5)
    arm.move_to(goal, 2.0, 6.0)
    world.step(10)
    state = arm.state()
    assert np.allclose(UR5.forward(state.joints).matrix, state.tool.matrix, atol=1e-6)
    assert np.allclose(state.tool.matrix, goal.matrix, atol=1e-3)
    assert state.force == 0.0 and np.abs(state.velocities).max() < 1e-2


def test_unreachable_poses_are_refused(world):
    arm = SimArm(world)
    with pytest.raises(VpgError) as error:
        arm.move_to(tool_down(-1.2, 0.0, 0.2, 0.0), 2.0, 6.0)
    assert error.value.code is ErrorCode.POSE_UNREACHABLE
    with pytest.raises(VpgError, match="straight line") as error:
        arm.move_linear(tool_down(-1.2, 0.0, 0.2, 0.0), SPEED, ACCELERATION, 50.0)
    assert error.value.code is ErrorCode.POSE_UNREACHABLE


def test_stop_from_another_thread_cancels_the_move(world):
    arm = SimArm(world, fast=False)
    world.step = _stopping_after(30, world.step, arm)
    try:
        with pytest.raises(VpgError) as error:
            arm.move_to(tool_down(-0.45, 0.1, 0.15, 0.5), 1.0, 2.0)
    finally:
        del world.step
    assert error.value.code is ErrorCode.CANCELLED
    before = world.robot.joints()
    world.step(50)
    assert np.abs(world.robot.joints() - before).max() < 2e-3
    assert arm.move_to(tool_down(-0.45, 0.1, 0.15, 0.5), 2.0, 6.0).end is MoveEnd.REACHED


def _stopping_after(count, step, arm):
    taken = []

    def stepped(steps=1):
        step(steps)
        taken.append(steps)
        if len(taken) == count:
            thread = threading.Thread(target=arm.stop)
            thread.start()
            thread.join()

    return stepped


# -- contact


@pytest.mark.parametrize("fast", [True, False])
def test_a_descent_onto_a_block_ends_with_contact(world, fast):
    _, spec = place(world, "cube", *CENTRE, 0.0, 1)
    settle(world)
    world.robot.teleport_fingers(0.0)
    arm = SimArm(world, fast=fast)
    arm.move_to(tool_down(*CENTRE, 0.15, 0.0), 2.0, 6.0)
    result = arm.move_linear(tool_down(*CENTRE, 0.01, 0.0), SPEED, ACCELERATION, 30.0)
    assert result.end is MoveEnd.CONTACT
    assert result.pose.position[2] == pytest.approx(spec.extent[2], abs=1.5e-3)
    assert 30 < result.peak_force < 250


def test_free_space_ends_without_contact(world):
    place(world, "cube", -0.6, 0.15, 0.0, 1)
    settle(world)
    arm = SimArm(world)
    arm.move_to(tool_down(*CENTRE, 0.15, 0.0), 2.0, 6.0)
    result = arm.move_linear(tool_down(*CENTRE, 0.01, 0.0), SPEED, ACCELERATION, 30.0)
    assert result.end is MoveEnd.REACHED and result.peak_force == 0.0


def test_a_joint_move_into_the_bin_wall_stops_itself(world):
    arm = SimArm(world)
    arm.move_to(tool_down(-0.35, 0.20, 0.05, 0.0), 2.0, 6.0)
    with pytest.raises(VpgError) as error:
        arm.move_to(tool_down(-0.35, 0.45, 0.05, 0.0), 2.0, 6.0)
    assert error.value.code is ErrorCode.PROTECTIVE_STOP


def test_skipping_never_passes_through_what_is_in_the_way(world):
    """Sideways through a block: the block must have been pushed, not passed."""
    body, _ = place(world, "brick", -0.5, 0.05, 0.0, 1)
    settle(world)
    world.robot.teleport_fingers(0.0)
    arm = SimArm(world)
    arm.move_to(tool_down(-0.5, -0.15, 0.015, 0.0), 2.0, 6.0)
    result = arm.move_linear(tool_down(-0.5, 0.12, 0.015, 0.0), 0.1, ACCELERATION, 60.0)
    assert result.end is MoveEnd.REACHED
    assert world.pose(body).position[1] > 0.12


# -- gripper


@pytest.mark.parametrize("fast", [True, False])
def test_the_gripper_goes_where_it_is_told(world, fast):
    gripper = SimGripper(world, fast)
    for width in (0.11, 0.0, 0.05):
        assert gripper.move(width, 20.0) == pytest.approx(width, abs=1e-3)
        assert gripper.width() == pytest.approx(width, abs=1e-3)
        assert not gripper.is_holding()


@pytest.mark.parametrize(("width", "force"), [(-0.01, 20), (0.12, 20), (0.05, 2), (0.05, 41)])
def test_the_gripper_refuses_what_it_cannot_do(world, width, force):
    with pytest.raises(VpgError, match="allowed"):
        SimGripper(world).move(width, force)


@pytest.mark.parametrize("fast", [True, False])
def test_the_gripper_stops_at_a_block_and_says_so(world, fast):
    _, spec = place(world, "cube", *CENTRE, 0.0, 1)
    settle(world)
    arm, gripper = SimArm(world, fast=fast), SimGripper(world, fast)
    arm.move_to(tool_down(*CENTRE, 0.01, 0.0), 2.0, 6.0)
    assert gripper.move(0.0, 25.0) == pytest.approx(spec.extent[0], abs=1.5e-3)
    assert gripper.is_holding()


def test_letting_go_over_the_bin_counts_as_picked(world):
    body, _ = place(world, "cube", *CENTRE, 0.0, 1)
    settle(world)
    arm, gripper = SimArm(world), SimGripper(world)
    arm.move_to(tool_down(*CENTRE, 0.01, 0.0), 2.0, 6.0)
    gripper.move(0.0, 25.0)
    arm.move_linear(tool_down(*CENTRE, 0.2, 0.0), SPEED, ACCELERATION, 50.0)
    assert world.held_object() == body
    arm.move_to(tool_down(-0.35, 0.45, 0.22, 0.0), 2.0, 6.0)
    assert world.held_object() == body
    gripper.move(OPEN_WIDTH, 25.0)
    assert (world.picked, world.objects) == (1, ())


def test_letting_go_over_the_tray_drops_the_block_there(world):
    body, _ = place(world, "cube", *CENTRE, 0.0, 1)
    settle(world)
    arm, gripper = SimArm(world), SimGripper(world)
    arm.move_to(tool_down(*CENTRE, 0.01, 0.0), 2.0, 6.0)
    gripper.move(0.0, 25.0)
    arm.move_linear(tool_down(*CENTRE, 0.1, 0.0), SPEED, ACCELERATION, 50.0)
    arm.move_to(tool_down(-0.6, 0.1, 0.1, 0.0), 2.0, 6.0)
    gripper.move(OPEN_WIDTH, 25.0)
    assert settle(world)
    assert world.pose(body).position[:2] == pytest.approx([-0.6, 0.1], abs=0.03)
    assert world.picked == 0


# -- grasps that must succeed, and grasps that must not


@pytest.mark.parametrize("kind", KINDS)
def test_single_blocks_gripped_along_their_axis_are_picked(world, kind):
    primitive = primitives.get("grasp")
    picked = 0
    for seed in range(6):
        world.reset(seed)
        x, y = np.array(CENTRE) + world.rng.uniform(-0.12, 0.12, 2)
        rotation = int(world.rng.integers(primitive.rotations))
        spec = block(kind, np.random.default_rng(seed))
        # Across the slopes of a roof nothing holds; otherwise across the narrow side.
        along_y = kind in ("prism", "half_cylinder") or spec.extent[1] < spec.extent[0]
        yaw = primitive.angle(rotation) - (np.pi / 2 if along_y else 0.0)
        world.add(spec, upright(spec, x, y, yaw, 0.0))
        settle(world)
        outcome = grasp(world, x, y, rotation)
        assert outcome.success == (world.picked == 1), outcome
        picked += world.picked
    assert picked >= 5


@pytest.mark.parametrize("kind", ["cube", "brick", "hexagon", "cylinder"])
def test_without_skipping_the_same_grasps_succeed(world, kind):
    """As over the real controller: every millimetre of the way is physics."""
    place(world, kind, *CENTRE, 0.0, 2)
    settle(world)
    rotation = 4 if world.spec(world.objects[0]).extent[1] < 0.04 else 0
    outcome = grasp(world, *CENTRE, rotation, fast=False)
    world.step(250)
    assert outcome.success, outcome
    assert world.picked == 1


def pack(world, kind, seed):
    """Nine blocks in touch, at a random angle; returns the block and where its middle one is."""
    world.reset(seed)
    spec, yaw = block(kind, np.random.default_rng(seed)), world.rng.uniform(0, np.pi)
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            x, y = CENTRE + turn @ ((spec.extent[:2] + 2e-4) * (column, row))
            world.add(spec, upright(spec, x, y, yaw, 0.0))
    settle(world)
    return spec


@pytest.mark.parametrize("kind", ["cube", "brick", "cylinder", "hexagon"])
def test_where_no_finger_fits_nothing_is_picked(world, kind):
    """Sixteen grasps at the middle of nine packed blocks, at every rotation, twice."""
    picked = 0
    for seed in range(16):
        pack(world, kind, seed)
        dx, dy = world.rng.uniform(-0.008, 0.008, 2)
        grasp(world, CENTRE[0] + dx, CENTRE[1] + dy, seed % 8)
        picked += world.picked
    assert picked == 0


@pytest.mark.parametrize("seed", range(3))
def test_fingers_do_not_sink_into_packed_blocks(world, seed):
    spec = pack(world, "cube", seed)
    world.robot.teleport_fingers(0.06)
    arm = SimArm(world)
    arm.move_to(tool_down(*CENTRE, spec.extent[2] + APPROACH_HEIGHT, 0.3), 2.0, 6.0)
    low = tool_down(*CENTRE, spec.extent[2] - 0.03, 0.3)
    result = arm.move_linear(low, SPEED, ACCELERATION, 30.0)
    assert result.end is MoveEnd.CONTACT
    assert result.pose.position[2] > spec.extent[2] - 1.5e-3
    heights = [world.pose(body).position[2] + spec.lowest for body in world.objects]
    assert np.abs(heights).max() < 2e-3


def test_a_push_moves_what_stands_in_its_way(world):
    body, _ = place(world, "brick", *CENTRE, 0.0, 3)
    settle(world)
    heightmap = OrthoCamera(world).read()
    primitive = primitives.get("push")
    row, column = world.workspace.to_pixel(CENTRE[0] - 0.06, CENTRE[1])
    action = primitive.action(row, column, 0, heightmap)
    motion = primitive.motion(action, heightmap)
    outcome = execute(motion, SimArm(world), SimGripper(world), HOME_JOINTS)
    settle(world)
    assert outcome.success, outcome
    assert world.pose(body).position[0] > CENTRE[0] + 0.02
    assert abs(world.pose(body).position[1]) < 0.03


def test_fingers_let_go_of_what_jammed_before_they_rise(world):
    """Pressed on, it would hold them with its friction."""
    place(world, "prism", -0.31, 0.0, 0.0, 3)  # a push of 10 cm ends against the tray's rim
    settle(world)
    heightmap, arm, primitive = OrthoCamera(world).read(), SimArm(world), primitives.get("push")
    action = primitive.action(*world.workspace.to_pixel(-0.37, 0.0), 0, heightmap)
    pressed = {}

    def note(phase):
        pressed[phase] = arm.state().force

    motion = primitive.motion(action, heightmap)
    outcome = execute(motion, arm, SimGripper(world), HOME_JOINTS, note)
    assert "stopped in 'push'" in outcome.error_msg
    assert pressed["rise"] < 1.0


def test_grasps_repeat_bit_for_bit(world):
    def run():
        world.reset(4)
        for x in (-0.52, -0.48):
            place(world, "prism", x, 0.02, 0.4, 4)
        settle(world)
        outcome = grasp(world, *CENTRE, 1)
        return outcome, [world.pose(body) for body in world.objects]

    assert run() == run()


def test_poses_survive_being_carried(world):
    """A block that is carried ends up where the gripper took it."""
    body, _ = place(world, "brick", *CENTRE, np.pi / 2, 5)
    settle(world)
    arm, gripper = SimArm(world), SimGripper(world)
    arm.move_to(tool_down(*CENTRE, 0.01, 0.0), 2.0, 6.0)
    gripper.move(0.0, 25.0)
    arm.move_linear(tool_down(*CENTRE, 0.15, 0.0), SPEED, ACCELERATION, 50.0)
    before = Pose.from_matrix(world.robot.tip()).inverse() @ world.pose(body)
    arm.move_to(tool_down(-0.6, 0.1, 0.2, 1.0), 2.0, 6.0)
    world.step(25)
    after = Pose.from_matrix(world.robot.tip()).inverse() @ world.pose(body)
    assert np.allclose(before.matrix[:3, :3], after.matrix[:3, :3], atol=1e-2)
    assert np.allclose(before.position, after.position, atol=1e-3)
