"""The simulated cell: its description, its physics, and what becomes of objects in it."""

import errno
import tempfile
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vpg_ros.devices.description import expand, fixed_frames
from vpg_ros.devices.kinematics import HOME_JOINTS, JOINT_NAMES, UR5
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, Pose, tool_down
from vpg_ros.sim.camera import CAMERA_POSE
from vpg_ros.sim.controller.link import RobotCommand, RobotState
from vpg_ros.sim.objects import KINDS, PALETTE, block
from vpg_ros.sim.robot import GRIPPER_SPEED, STROKE
from vpg_ros.sim.scenes.base import upright
from vpg_ros.sim.settle import settle
from vpg_ros.sim.world import DT, GRAVITY, World

JOINTS = st.lists(st.floats(-3.1, 3.1), min_size=6, max_size=6).map(np.array)
DESCRIPTION = expand(robot=True, cell=True, frames=True, workspace=DEFAULT_WORKSPACE)


@pytest.fixture(scope="module")
def shared():
    world = World()
    yield world
    world.close()


@pytest.fixture
def world(shared):
    shared.reset(0)
    return shared


def cube(world, x=-0.5, y=0.0, seed=1):
    spec = block("cube", np.random.default_rng(seed))
    return world.add(spec, upright(spec, x, y, 0.0, 0.0))


def over(x, y, z):
    return UR5.inverse(tool_down(x, y, z, 0.0), HOME_JOINTS)


def test_a_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    with pytest.raises(VpgError, match="temporary files cannot be written to: No space") as error:
        World()
    assert error.value.code is ErrorCode.DISK_FULL


# -- description


def chain(link, joints):
    """Pose of ``link`` in ``base``, from the URDF's joint origins alone."""
    angles = dict(zip(JOINT_NAMES, joints, strict=True))
    parents = {
        joint.find("child").attrib["link"]: joint
        for joint in ElementTree.fromstring(DESCRIPTION).findall("joint")
    }
    pose = np.eye(4)
    while link != "base":
        joint = parents[link]
        origin = joint.find("origin").attrib
        local = np.eye(4)
        turn = Rotation.from_euler("xyz", [float(v) for v in origin["rpy"].split()])
        turn = turn * Rotation.from_rotvec([0, 0, angles.get(joint.attrib["name"], 0.0)])
        local[:3, :3] = turn.as_matrix()
        local[:3, 3] = [float(v) for v in origin["xyz"].split()]
        pose = local @ pose
        link = joint.find("parent").attrib["link"]
    return pose


@given(JOINTS)
@settings(max_examples=50, deadline=None)
def test_description_agrees_with_kinematics(joints):
    frames = UR5.links(joints)
    assert np.allclose(chain("tcp", joints), frames[-1], atol=1e-6)
    assert np.allclose(chain("tool0", joints), frames[-2], atol=1e-6)


@given(JOINTS)
@settings(max_examples=25, deadline=None)
def test_physics_agrees_with_kinematics(shared, joints):
    shared.robot.teleport(joints)
    assert np.allclose(shared.robot.tip(), UR5.links(joints)[-1], atol=1e-6)


def test_description_has_the_camera_where_the_simulation_has_it():
    frame = fixed_frames(DESCRIPTION)["camera_color_optical_frame"]
    assert np.allclose(frame.matrix, CAMERA_POSE.matrix, atol=1e-9)


def test_base_link_is_turned_half_about_base():
    assert np.allclose(chain("base_link", np.zeros(6))[:3, 0], [-1, 0, 0], atol=1e-9)


def test_masses_and_inertias_are_those_of_solid_bodies():
    inertials = ElementTree.fromstring(DESCRIPTION).findall("link/inertial")
    masses = [float(inertial.find("mass").attrib["value"]) for inertial in inertials]
    assert 15 < sum(masses) < 25  # UR5: 18.4 kg, and the gripper
    for inertial in inertials:
        moments = sorted(float(inertial.find("inertia").attrib[f"i{a}{a}"]) for a in "xyz")
        assert moments[0] > 0 and moments[2] <= moments[0] + moments[1] + 1e-12


# -- objects


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_have_the_promised_size_and_mass(kind):
    for seed in range(10):
        spec = block(kind, np.random.default_rng(seed))
        assert (spec.extent > 0.024).all() and (spec.extent < 0.0605).all()
        assert 0.015 < spec.mass < 0.150
        assert 0.6 <= spec.friction <= 0.8
        assert spec.colour in PALETTE
        assert min(spec.inertia) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_lie_where_their_shape_says(world, kind):
    spec = block(kind, np.random.default_rng(3))
    body = world.add(spec, upright(spec, -0.5, 0.0, 0.3, 0.0))
    assert settle(world)
    assert world.pose(body).position[2] == pytest.approx(-spec.lowest, abs=5e-4)
    tilt = Rotation.from_quat(world.pose(body).quaternion).apply([0, 0, 1])
    assert tilt[2] > 0.999


# -- time and determinism


def history(world, seed):
    """A busy run: three blocks tumble while the arm sweeps through and grips."""
    world.reset(seed)
    for x in (-0.52, -0.48, -0.5):
        spec = block("prism" if x < -0.5 else "cylinder", world.rng)
        quaternion = Rotation.random(rng=world.rng).as_quat()
        world.add(spec, Pose((x, 0.0, 0.10), tuple(quaternion)))
    world.robot.teleport(over(-0.5, -0.06, 0.02))
    path = np.linspace(world.robot.target, over(-0.5, 0.06, 0.02), 60)
    for joints in path:
        world.apply(RobotCommand(joints, 0.02, 20.0))
        world.step(2)
    poses = [world.client.getBasePositionAndOrientation(body) for body in world.objects]
    return poses, world.state().pack()


def test_same_seed_same_run_bit_for_bit(world):
    first = history(world, 7)
    other = World(3)
    assert history(other, 7) == first
    other.close()
    history(world, 8)
    assert history(world, 7) == first
    assert history(world, 8) != first


def test_settling_is_bounded(world):
    body = cube(world)
    world.client.resetBaseVelocity(body, [0, 0, 0], [0, 0, 60.0])
    world.client.changeDynamics(body, -1, lateralFriction=0, spinningFriction=0, angularDamping=0)
    before = world.time
    assert not settle(world, max_seconds=0.4)
    assert world.time - before <= 0.4 + 1e-9


def test_what_sleeps_wakes_up_when_touched(world):
    body = cube(world, y=0.03)
    assert settle(world)
    world.robot.teleport_fingers(0.0)
    world.robot.teleport(over(-0.5, -0.05, 0.02))
    for joints in np.linspace(world.robot.target, over(-0.5, 0.03, 0.02), 100):
        world.robot.servo(joints)
        world.step()
    assert world.pose(body).position[1] > 0.05


def test_what_loses_its_support_wakes_up(world):
    lower = cube(world)
    spec = world.spec(lower)
    upper = world.add(spec, Pose((-0.5, 0.0, world.pose(lower).position[2] + spec.extent[2])))
    assert settle(world)
    height = world.pose(upper).position[2]
    world.remove(lower)
    assert settle(world)
    assert world.pose(upper).position[2] < height - 0.02


def test_a_negative_seed_is_refused(world):
    with pytest.raises(VpgError, match="seed is -1"):
        world.reset(-1)


# -- what becomes of objects


def test_what_falls_into_the_bin_is_picked_and_taken_out(world):
    stays = cube(world)
    spec = world.spec(stays)
    world.add(spec, Pose((-0.35, 0.45, 0.20)))
    assert settle(world)
    world.step(100)
    assert (world.picked, world.lost) == (1, 0)
    assert world.objects == (stays,)


def test_what_leaves_the_tray_is_lost(world):
    stays = cube(world)
    spec = world.spec(stays)
    world.add(spec, Pose((-0.2, 0.0, 0.05)))  # between tray and robot
    world.add(spec, Pose((-0.5, -1.5, 0.05)))  # beside the table
    settle(world)
    world.step(250)
    assert (world.picked, world.lost) == (0, 2)
    assert world.objects == (stays,)


def test_the_rim_keeps_objects_on_the_tray(world):
    body = cube(world, x=-0.5, y=0.15)
    world.client.resetBaseVelocity(body, [0.0, 1.0, 0.0], [0, 0, 0])
    assert settle(world)
    assert world.lost == 0
    x, y, _ = world.pose(body).position
    assert y > 0.18 and DEFAULT_WORKSPACE.contains(x, y)


# -- robot


def test_commands_are_reached_within_their_cycle(world):
    """At the acceleration that primitives ask for, to 1.9 rad/s in every joint at once."""
    goal, speed = world.robot.target, 0.0
    for _ in range(40):
        speed = min(2.0, speed + 6.0 * 2 * DT)
        goal = goal + speed * 2 * DT
        world.apply(RobotCommand(goal, 0.085, 20.0))
        world.step(2)
        assert np.abs(world.robot.joints() - goal).max() < 1e-3


def test_the_arm_stands_still_under_gravity(world):
    world.step(250)
    assert np.abs(world.robot.joints() - HOME_JOINTS).max() < 1e-4
    assert np.abs(world.robot.velocities()).max() < 1e-3


def test_fingers_move_together_at_finite_speed(world):
    world.robot.teleport_fingers(STROKE)
    world.robot.grip(0.0, 20.0)
    world.step(50)
    assert world.robot.width() == pytest.approx(STROKE - 50 * DT * GRIPPER_SPEED, abs=2e-3)
    assert not world.robot.is_holding()
    world.step(200)
    assert world.robot.width() == pytest.approx(0.0, abs=1e-3)
    assert not world.robot.is_holding()


@pytest.mark.parametrize("offset", [0.0, 0.015])
def test_a_block_between_the_fingers_is_held_in_their_middle(world, offset):
    body = cube(world, x=-0.5 + offset)
    settle(world)
    world.robot.teleport_fingers(0.085)
    world.robot.teleport(over(-0.5, 0.0, 0.01))
    world.robot.grip(0.0, 25.0)
    world.step(200)
    assert world.robot.is_holding()
    assert world.robot.width() == pytest.approx(world.spec(body).extent[0], abs=1.5e-3)
    assert world.pose(body).position[0] == pytest.approx(-0.5, abs=2e-3)


def lifted(world, force=25.0):
    """A cube in the gripper, 10 cm above the table."""
    body = cube(world)
    settle(world)
    world.robot.teleport_fingers(0.085)
    world.robot.teleport(over(-0.5, 0.0, 0.01))
    world.robot.grip(0.0, force)
    world.step(150)
    for z in np.linspace(0.01, 0.10, 80):
        world.robot.servo(over(-0.5, 0.0, z))
        world.step()
    world.step(50)
    return body


def test_the_wrench_is_the_weight_of_what_is_held(world):
    body = lifted(world)
    forces = []
    for _ in range(50):
        world.step()
        forces.append(world.state().wrench[:3])
    weight = world.spec(body).mass * GRAVITY
    assert np.mean(forces, axis=0) == pytest.approx([0.0, 0.0, -weight], abs=0.1 * weight)


def test_held_objects_are_known_and_carried(world):
    body = lifted(world)
    assert world.held_object() == body
    assert world.carried() == (body,)
    before = np.linalg.inv(world.robot.tip()) @ world.pose(body).matrix
    world.carry((body,), over(-0.6, 0.1, 0.2))
    world.step(25)
    after = np.linalg.inv(world.robot.tip()) @ world.pose(body).matrix
    assert np.allclose(before, after, atol=3e-3)  # 0.15°: its contacts are found anew
    assert world.held_object() == body
    world.drop_in_bin(body)
    assert (world.picked, world.objects) == (1, ())


def test_what_is_held_does_not_creep_out(world):
    body = lifted(world)
    before = np.linalg.inv(world.robot.tip()) @ world.pose(body).matrix
    world.step(1000)
    after = np.linalg.inv(world.robot.tip()) @ world.pose(body).matrix
    assert np.allclose(before[:3, 3], after[:3, 3], atol=2e-3)


def test_a_standing_object_is_not_held(world):
    cube(world)
    settle(world)
    world.robot.teleport_fingers(0.085)
    world.robot.teleport(over(-0.5, 0.0, 0.01))
    world.robot.grip(0.0, 25.0)
    world.step(150)
    assert world.held_object() is None
    assert world.carried() is None


def test_contact_does_not_blow_up(world):
    """Commanded 2 cm below the table, the arm gives way and the fingers stay above it."""
    world.robot.teleport(over(-0.5, 0.0, 0.01))
    for z in np.linspace(0.01, -0.02, 60):
        world.robot.servo(over(-0.5, 0.0, z))
        world.step()
        assert np.linalg.norm(world.robot.force()) < 250
    world.step(100)
    assert world.robot.tip()[2, 3] > -1.5e-3
    assert 50 < world.robot.force()[2] < 200


def test_the_state_crosses_the_link(world):
    lifted(world)
    state = world.state()
    assert state.time == pytest.approx(world.steps * DT)
    assert world.robot.is_holding()
    assert RobotState.unpack(state.pack()).pack() == state.pack()
