"""The safety gate: what it refuses and how it says so, what it lowers, and what it calls touch."""

from dataclasses import replace

import numpy as np
import pytest

from vpg_ros import primitives
from vpg_ros.devices import grippers
from vpg_ros.devices.collision import CollisionModel, KeepOut
from vpg_ros.devices.description import expand
from vpg_ros.devices.kinematics import HOME_JOINTS, JOINT_NAMES, MODELS, UR5, kinematics
from vpg_ros.devices.rates import changes, describe
from vpg_ros.devices.safety import Limits, SafetyGate
from vpg_ros.devices.straight import StraightLine
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, Pose, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import GripperMove, HomeMove, JointMove, LinearMove, Motion, RiseMove, Step
from vpg_ros.nodes.motion_parameters import Parameters
from vpg_ros.nodes.parameter_file import load
from vpg_ros.resources import resource
from vpg_ros.sim.client import Client
from vpg_ros.sim.robot import _load

LIMITS = Limits(
    box_min=(-0.80, -0.40, 0.0),
    box_max=(-0.10, 0.60, 0.70),
    table_z=0.0,
    joint_limit=(6.28,) * 6,
    joint_speed=3.2,
    joint_acceleration=12.0,
    tool_speed=0.5,
    tool_acceleration=2.0,
    tool_force=100.0,
    gripper_width=0.110,
    gripper_force=40.0,
)


def space(*boxes: KeepOut, model: str = "ur5", gripper: str = "rg2") -> CollisionModel:
    return CollisionModel(description(model, gripper), LIMITS.table_z, boxes, LIMITS.gripper_width)


def description(model: str = "ur5", gripper: str = "rg2") -> str:
    return expand(True, False, True, DEFAULT_WORKSPACE, model, gripper)


FAST = replace(LIMITS, tool_speed=3.0)
WIDE = replace(FAST, box_min=(-2.0, -2.0, -2.0), box_max=(2.0, 2.0, 2.0), table_z=-2.0)
GATE = SafetyGate(LIMITS, UR5, HOME_JOINTS, space())
INSIDE = tool_down(-0.5, 0.0, 0.1, 0.0)
HOME_JOINTS_ABOVE = UR5.inverse(tool_down(-0.5, 0.0, 0.45, 0.0), HOME_JOINTS)


@pytest.mark.parametrize("dx", [-0.04, 0.0, 0.04])
def test_what_stands_between_open_fingers_is_met_by_closed_ones(dx: float) -> None:
    down = LinearMove("down", INSIDE.translated(dz=-0.08))
    low = Motion("test", (JointMove("go", INSIDE), down), ())

    def among(y: float) -> SafetyGate:
        x = INSIDE.position[0] + dx
        post = KeepOut("post", (x - 0.005, y - 0.005, 0.0), (x + 0.005, y + 0.005, 0.09))
        return replace(GATE, space=space(post))

    with pytest.raises(VpgError, match="finger_link into post"):
        among(0.0).check(low, HOME_JOINTS)
    among(0.03).check(low, HOME_JOINTS)


@pytest.mark.parametrize("height", [0.12, 0.15, 0.18])
def test_a_gripper_on_an_adapter_has_a_body_all_along(height: float) -> None:
    """A bar beside the tool's axis, at a height of the gripper's body, m from the flange."""
    long = kinematics("ur5", Pose((0.0, 0.0, 0.30)))
    urdf = expand(True, False, True, DEFAULT_WORKSPACE, tool_length=0.30)
    z = 0.25 + 0.30 - height
    bar = KeepOut("bar", (-0.51, -0.2, z - 0.01), (-0.47, 0.2, z + 0.01))
    model = CollisionModel(urdf, LIMITS.table_z, (bar,), LIMITS.gripper_width)
    joints = long.inverse(tool_down(-0.5, 0.0, 0.25, 0.0), HOME_JOINTS)
    found = model.first(joints[None])
    assert found is not None and found.link == "gripper_link"


def refusal(step: Step, gate: SafetyGate = GATE) -> VpgError:
    with pytest.raises(VpgError) as caught:
        gate.check(Motion("test", (step,), ()), HOME_JOINTS)
    return caught.value


@pytest.mark.parametrize(
    ("step", "code", "words"),
    [
        (JointMove("go", tool_down(-0.9, 0, 0.1, 0)), ErrorCode.OUTSIDE_WORKSPACE, "-0.900"),
        (LinearMove("go", tool_down(-0.5, 0, -0.01, 0)), ErrorCode.BELOW_TABLE, "z = -0.010 m"),
        (JointMove("go", INSIDE, speed=-1.0), ErrorCode.MOTION_REJECTED, "joint speed -1 rad/s"),
        (LinearMove("go", INSIDE, speed=0.0), ErrorCode.MOTION_REJECTED, "allowed: 0 … 0.5"),
        (LinearMove("go", INSIDE, force_limit=np.nan), ErrorCode.MOTION_REJECTED, "tool force nan"),
        (GripperMove("go", -0.01), ErrorCode.MOTION_REJECTED, "gripper width"),
        (LinearMove("go", tool_down(-0.5, 0, np.nan, 0)), ErrorCode.MOTION_REJECTED, "not finite"),
    ],
)
def test_broken_bound_is_named(step: Step, code: ErrorCode, words: str) -> None:
    error = refusal(step)
    assert error.code is code
    assert "step 'go'" in error.message and words in error.message


def test_joint_limit_is_named() -> None:
    tight = replace(LIMITS, joint_limit=(6.28, 6.28, 0.5, 6.28, 6.28, 6.28))
    error = refusal(JointMove("go", INSIDE), replace(GATE, limits=tight))
    assert error.code is ErrorCode.JOINT_LIMIT
    assert "joint 3" in error.message and "±0.50 rad" in error.message


def test_a_straight_line_is_checked_in_its_middle() -> None:
    """Both ends lie in the box; the line between them leaves it."""
    low = replace(LIMITS, box_min=(-0.80, -0.40, 0.0), box_max=(-0.40, 0.60, 0.70))
    start = UR5.inverse(tool_down(-0.45, -0.3, 0.1, 0.0), HOME_JOINTS)
    gate = replace(GATE, limits=low, home=start)
    beyond = Motion("test", (LinearMove("go", tool_down(-0.35, 0.2, 0.1, 0.0)),), ())
    with pytest.raises(VpgError, match="outside the workspace box"):
        gate.check(beyond, gate.home)


def test_a_joint_move_is_checked_in_its_middle() -> None:
    """Both ends lie in the box; the tool swings around the base beyond it."""
    start = UR5.inverse(tool_down(-0.3, -0.25, 0.3, 0.0), HOME_JOINTS)
    across = JointMove("swing", tool_down(-0.3, 0.4, 0.3, 0.0))
    narrow = replace(LIMITS, box_min=(-0.35, -0.40, 0.0))
    gate = replace(GATE, limits=narrow)
    gate.check(Motion("test", (LinearMove("go", across.pose),), ()), start)
    with pytest.raises(VpgError, match="outside the workspace box") as caught:
        gate.check(Motion("test", (across,), ()), start)
    assert caught.value.code is ErrorCode.OUTSIDE_WORKSPACE and "'swing'" in caught.value.message
    GATE.check(Motion("test", (across,), ()), start)


def test_home_must_be_in_the_box_but_may_be_come_back_to_from_outside() -> None:
    beside = HOME_JOINTS + np.array([-1.5, 0.0, 0.0, 0.0, 0.0, 0.0])
    with pytest.raises(VpgError, match="outside the workspace box"):
        replace(GATE, home=beside).check_home()
    GATE.check_home()
    GATE.check(Motion("park", (HomeMove("home"),), ()), beside)


def test_a_tool_moves_no_faster_in_joint_space_than_it_may() -> None:
    """Whatever the way: the tool's speed along it, from small steps of the same motion."""
    motion = Motion("test", (JointMove("go", INSIDE, speed=2.0),), (HomeMove("home", 2.0),))
    sent = GATE.check(motion, HOME_JOINTS)
    goal = UR5.inverse(INSIDE, HOME_JOINTS)
    for step, ends in (
        (sent.steps[0], (HOME_JOINTS, goal)),
        (sent.retreat[0], (goal, HOME_JOINTS)),
    ):
        path = np.linspace(*ends, 2000)
        seconds = np.abs(np.diff(path, axis=0)).max(axis=1) / step.speed
        points = UR5.tools(path)[:, :3, 3]
        fastest = (np.linalg.norm(np.diff(points, axis=0), axis=1) / seconds).max()
        assert 0.95 * LIMITS.tool_speed < fastest < 1.02 * LIMITS.tool_speed
    assert replace(GATE, limits=FAST).check(motion, HOME_JOINTS) == motion


@pytest.mark.parametrize("y", [-0.2, 0.0, 0.2])
def test_a_joint_turns_no_faster_on_a_straight_line_than_it_may(y: float) -> None:
    """Past the base and out to arm's length, where the wrist turns fast; from steps of 0.5 mm."""
    gate = replace(GATE, limits=replace(LIMITS, joint_speed=1.0))
    start = UR5.inverse(tool_down(-0.2, y + 0.07, 0.13, 0.0), HOME_JOINTS)
    line = LinearMove("pull", tool_down(-0.64, y, 0.3, 2.0), speed=0.4)
    sent = gate.check(Motion("test", (line,), ()), start).steps[0]
    assert isinstance(sent, LinearMove) and sent.speed < 0.9 * line.speed
    way = StraightLine(UR5.forward(start), line.pose, "pull")
    fractions = np.linspace(0.0, 1.0, 1000)
    joints = [start]
    for pose in way.poses(fractions[1:]):
        joints.append(UR5.inverse(pose, joints[-1]))
    fastest = np.abs(np.diff(joints, axis=0)).max() / (way.length / 999) * sent.speed
    assert 0.8 < fastest < 1.05
    quick = gate.check(Motion("test", (replace(line, speed=9.0),), ()), start).steps[0]
    assert quick.speed == pytest.approx(sent.speed), "told and sent, as for moves in joint space"


def test_nothing_of_the_arm_moves_far_between_checked_points_of_a_straight_line() -> None:
    """The elbow goes further than the tool where the tool comes close to the base."""
    start = UR5.inverse(tool_down(-0.2, 0.27, 0.13, 0.0), HOME_JOINTS)
    line = StraightLine(UR5.forward(start), tool_down(-0.2, -0.27, 0.13, 0.0), "past")
    path, _ = line.follow(UR5, start)
    places = UR5.frames(path)[:, :, :3, 3]
    assert np.linalg.norm(np.diff(places, axis=1), axis=2).max() < 0.0201
    assert len(path) > len(line.fractions), "nothing had to be divided"


def test_a_tool_outside_the_box_may_be_lifted_or_come_in_but_not_go_further_out() -> None:
    outside = tool_down(-0.4, LIMITS.box_min[1] - 0.02, 0.05, 0.0)
    start = UR5.inverse(outside, HOME_JOINTS)

    def check(*steps: Step) -> None:
        GATE.check(Motion("park", steps, ()), start)

    check(LinearMove("rise", outside.translated(dz=0.15)), HomeMove("home"))
    check(LinearMove("in", outside.translated(dy=0.1)))
    with pytest.raises(VpgError, match=r"'out' goes to \(.*-0\.425, .* outside the workspace"):
        check(LinearMove("out", outside.translated(dy=-0.005)))


def test_a_tool_that_has_come_in_may_not_leave_again_on_the_same_line() -> None:
    """It ends no further outside than it began, on the other side."""
    gate = replace(GATE, limits=replace(LIMITS, box_min=(-0.6, -0.4, 0), box_max=(-0.4, 0.6, 0.7)))
    start = UR5.inverse(tool_down(-0.62, 0.0, 0.1, 0.0), HOME_JOINTS)
    through = LinearMove("through", tool_down(-0.39, 0.0, 0.1, 0.0))
    with pytest.raises(VpgError, match=r"'through' goes to \(-0\.390, .* outside"):
        gate.check(Motion("test", (through,), ()), start)


def test_retreat_is_checked_too() -> None:
    motion = Motion("test", (), (JointMove("back", tool_down(-0.5, 0.0, 0.9, 0.0)),))
    with pytest.raises(VpgError, match="step 'back'"):
        GATE.check(motion, HOME_JOINTS)


def standing(place: tuple[int, int], tall: float) -> Heightmap:
    """One pixel that is ``tall`` m high."""
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    height[place] = tall
    colour = np.zeros((*DEFAULT_WORKSPACE.shape, 3), np.uint8)
    return Heightmap(colour, height, DEFAULT_WORKSPACE)


@pytest.mark.parametrize("name", primitives.names())
@pytest.mark.parametrize("tall", [0.05, 0.16])
@pytest.mark.parametrize("corner", [(0, 0), (0, 223), (223, 0), (223, 223), (112, 112)])
def test_primitives_pass_all_over_the_workspace(
    name: str, tall: float, corner: tuple[int, int]
) -> None:
    heightmap = standing(corner, tall)
    primitive = primitives.get(name)
    for rotation in range(0, primitive.rotations, 3):
        action = primitive.action(*corner, rotation, heightmap)
        GATE.check(primitive.motion(action, heightmap), HOME_JOINTS)


@pytest.mark.parametrize("gripper", grippers.NAMES)
@pytest.mark.parametrize("name", primitives.names())
def test_every_gripper_can_do_what_primitives_ask_of_it(name: str, gripper: str) -> None:
    heightmap = standing((112, 112), 0.05)
    given = {"robot_ip": "", "gripper": gripper, "limits.gripper_force": 40.0}
    cell = load(Parameters, resource("config/real.yaml"), "motion_node", given)
    primitive = primitives.get(name)
    motion = primitive.motion(primitive.action(112, 112, 0, heightmap), heightmap)
    sent = cell.gate.check(motion, cell.gate.home)
    for step in (*sent.steps, *sent.retreat):
        if isinstance(step, GripperMove):
            cell.gripper_data.check(step.width, step.force)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("table_z", [-0.1, 0.02, 0.05, 0.1])
def test_a_table_may_lie_above_or_below_the_arm_s_foot(model: str, table_z: float) -> None:
    arm = kinematics(model)
    reach = -(arm.a[1] + arm.a[2])
    space = CollisionModel(description(model), table_z, (), LIMITS.gripper_width)
    above = arm.inverse(tool_down(-0.65 * reach, 0.1, table_z + 0.1, 0.5), HOME_JOINTS)
    assert space.first(above[None]) is None
    dipped = arm.inverse(tool_down(-0.65 * reach, 0.1, table_z - 0.02, 0.5), HOME_JOINTS)
    collision = space.first(dipped[None])
    assert collision is not None and collision.other == "the table"


def test_what_stands_too_tall_in_a_far_corner_is_refused_before_the_arm_moves() -> None:
    heightmap = standing((0, 0), 0.25)
    grasp = primitives.get("grasp")
    with pytest.raises(VpgError, match=r"the ur5 cannot reach \(-0.723, -0.223") as caught:
        GATE.check(grasp.motion(grasp.action(0, 0, 0, heightmap), heightmap), HOME_JOINTS)
    assert caught.value.code is ErrorCode.POSE_UNREACHABLE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("table_z", np.nan),
        ("joint_limit", (-6.28,) * 6),
        ("tool_speed", 0.0),
        ("box_max", (1, 1, np.inf)),
    ],
)
def test_a_bound_that_is_none_is_refused(name: str, value: object) -> None:
    with pytest.raises(VpgError, match=f"{name} is .* allowed: finite"):
        replace(LIMITS, **{name: value})


def test_an_empty_box_is_refused() -> None:
    with pytest.raises(VpgError, match="is empty"):
        replace(LIMITS, box_min=(0.0, 0.0, 0.0), box_max=(0.0, 1.0, 1.0))


def test_rates_are_lowered_to_their_limits_and_told() -> None:
    fast = Motion(
        "test",
        (
            GripperMove("open", 0.2, force=99.0),
            JointMove("approach", INSIDE, speed=9.0, acceleration=99.0),
            LinearMove("rise", INSIDE.translated(dz=0.1), speed=3.5, force_limit=150.0),
        ),
        (RiseMove("up", 0.2, force_limit=150.0), HomeMove("home", speed=9.0)),
    )
    sent = replace(GATE, limits=FAST).check(fast, HOME_JOINTS)
    opened, approach, rise = sent.steps
    assert (opened.width, opened.force) == (0.110, 40.0)
    assert (approach.speed, approach.acceleration) == (3.2, 12.0)
    assert (rise.acceleration, rise.force_limit) == (1.2, 100.0)
    assert (sent.retreat[0].force_limit, sent.retreat[1].speed) == (100.0, 3.2)
    told = changes(fast, sent)
    assert "approach: joint speed 3.2 rad/s instead of 9" in told
    assert "rise: tool force 100 N instead of 150" in told and "tool acceleration" not in told
    assert f"rise to (-0.500, 0.000, 0.200) m at {rise.speed:g} m/s" in describe(sent)
    assert "up to z = 0.200 m where lower at 0.25 m/s" in describe(sent)
    assert changes(sent, sent) == ""


def test_backing_off_keeps_to_the_force_limit_too() -> None:
    down = LinearMove("descend", INSIDE, force_limit=20.0, back_off=0.002)
    start = JointMove("approach", INSIDE.translated(dz=0.1))
    gate = replace(GATE, limits=replace(FAST, tool_force=40.0))
    sent = gate.check(Motion("test", (start, down), ()), HOME_JOINTS).steps[1]
    assert isinstance(sent, LinearMove)
    assert (sent.force_limit, sent.release_force) == (20.0, 40.0)


def test_the_speed_scale_slows_everything_down() -> None:
    motion = Motion("test", (LinearMove("go", INSIDE, 0.4), JointMove("on", INSIDE, 8.0)), ())
    start = UR5.inverse(INSIDE.translated(dz=0.1), HOME_JOINTS)
    sent = replace(GATE, limits=FAST, speed_scale=0.25).check(motion, start)
    assert [step.speed for step in sent.steps] == [0.1, 2.0]
    assert sent.steps[0].acceleration == motion.steps[0].acceleration


def test_a_keep_out_box_on_the_way_is_named() -> None:
    """Both ends of the move are free; the forearm sweeps through the box between them."""
    box = KeepOut("lamp", (-0.35, 0.12, 0.05), (-0.25, 0.22, 0.9))
    gate = replace(GATE, space=space(box))
    goal = tool_down(-0.5, -0.2, 0.1, 0.0)
    start = UR5.inverse(tool_down(-0.2, 0.5, 0.3, 0.0), HOME_JOINTS)
    ends = np.array([start, UR5.inverse(goal, start)])
    assert gate.space.first(ends) is None
    with pytest.raises(VpgError, match=r"step 'swing' brings \w+_link into lamp") as caught:
        gate.check(Motion("test", (JointMove("swing", goal),), ()), start)
    assert caught.value.code is ErrorCode.COLLISION
    GATE.check(Motion("test", (JointMove("swing", goal),), ()), start)


def test_the_retreat_is_checked_from_wherever_a_step_may_have_ended() -> None:
    """From the last step's end the way home is free, from the step before it is not."""
    box = KeepOut("crate", (-0.6, 0.15, 0.0), (-0.4, 0.35, 0.28))
    gate = replace(GATE, space=space(box))
    behind = JointMove("behind", tool_down(-0.5, 0.0, 0.1, 0.0))
    above = LinearMove("above", tool_down(-0.5, 0.0, 0.45, 0.0))
    gate.check(Motion("test", (behind, above, HomeMove("home")), ()), HOME_JOINTS_ABOVE)
    with pytest.raises(VpgError, match="step 'home' brings"):
        gate.check(Motion("test", (behind, above), (HomeMove("home"),)), HOME_JOINTS_ABOVE)
    risen = (RiseMove("rise", 0.45), HomeMove("home"))
    gate.check(Motion("test", (behind, above), risen), HOME_JOINTS_ABOVE)
    gate.check(Motion("test", (above,), (RiseMove("rise", 0.3),)), HOME_JOINTS_ABOVE)
    with pytest.raises(VpgError, match=r"step 'rise' goes to .* outside the workspace box"):
        gate.check(Motion("test", (behind,), (RiseMove("rise", 0.75),)), HOME_JOINTS_ABOVE)


def test_an_arm_that_folds_onto_itself_is_refused() -> None:
    folded = np.array([0.0, -1.57, 2.9, 0.0, -1.57, 0.0])
    gate = replace(GATE, limits=WIDE, home=folded)
    with pytest.raises(VpgError, match=r"step 'fold' brings \w+_link into \w+_link") as caught:
        gate.check(Motion("test", (HomeMove("fold"),), ()), HOME_JOINTS)
    assert caught.value.code is ErrorCode.COLLISION


def test_the_elbow_may_not_pass_through_the_table() -> None:
    low = np.array([0.0, 0.35, 0.0, -1.57, -1.57, 0.0])
    with pytest.raises(VpgError, match="into the table"):
        replace(GATE, limits=WIDE, home=low).check(
            Motion("test", (HomeMove("dive"),), ()), HOME_JOINTS
        )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("gripper", ["rg2", "robotiq_2f85"])
def test_every_arm_may_work_at_arm_s_length(model: str, gripper: str) -> None:
    arm = kinematics(model)
    reach = -(arm.a[1] + arm.a[2])
    poses = [tool_down(-r * reach, 0.1, z, 0.5) for r in (0.55, 0.75) for z in (0.005, 0.15)]
    joints = np.array([arm.inverse(pose, HOME_JOINTS) for pose in poses])
    assert space(model=model, gripper=gripper).first(joints) is None


def test_touch_agrees_with_bullet() -> None:
    """Links of the same URDF, neighbours aside; what lies within a millimetre may go either way."""
    client = Client()
    body = _load(client, expand(True, False, False, DEFAULT_WORKSPACE))
    infos = [client.getJointInfo(body, index) for index in range(client.getNumJoints(body))]
    indices = {info[1].decode(): info[0] for info in infos}
    model, rng = space(), np.random.default_rng(5)
    seen = {True: 0, False: 0}
    for joints in rng.uniform(-3.1, 3.1, (100, 6)):
        for name, angle in zip(JOINT_NAMES, joints, strict=True):
            client.resetJointState(body, indices[name], angle)
        for name in ("left_finger_joint", "right_finger_joint"):
            client.resetJointState(body, indices[name], LIMITS.gripper_width / 2)
        gap = smallest_gap(client, body)
        if abs(gap) > 0.001:
            assert (model.first(joints[None]) is not None) == (gap < 0), joints
            seen[gap < 0] += 1
    client.disconnect()
    assert min(seen.values()) > 15


def smallest_gap(client, body: int) -> float:
    """Least distance of two links that are not neighbours, or of one and the table; m."""
    groups = [0, 1, 2, 3, 4, 5, 6, 6, 6, 6]  # links that one joint moves, from base to fingers
    gaps = [0.05]
    for first in range(-1, 9):
        for second in range(first + 1, 9):
            if groups[second + 1] - groups[first + 1] > 1:
                found = client.getClosestPoints(body, body, 0.05, first, second)
                gaps += [point[8] for point in found]
        if first > 0:
            lower, _ = client.getAABB(body, first)
            gaps.append(lowest(client, body, first, lower[2]))
    return min(gaps)


def lowest(client, body: int, link: int, bound: float) -> float:
    """Height of a link above the table, from its distance to a plane; ``bound`` where far off."""
    if bound > 0.06:
        return bound
    plane = client.createMultiBody(0.0, client.createCollisionShape(client.GEOM_PLANE))
    found = [point[8] for point in client.getClosestPoints(body, plane, 0.3, link)]
    client.removeBody(plane)
    return min(found, default=bound) + 0.001  # the tolerance of the table
