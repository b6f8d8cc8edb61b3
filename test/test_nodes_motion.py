"""motion_node with the real ur_rtde against the UR controller emulator: goals, refusals, faults."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields, replace

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from fixtures_controller import emulator, eventually, free_host
from nav_msgs.msg import Path
from rclpy.node import Node
from rclpy.task import Future
from ros_fixtures import call, result, ros, run_process, sentence, spinning
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger
from vpg_msgs.action import ExecutePrimitive

from vpg_ros import primitives
from vpg_ros.devices.dashboard import Dashboard
from vpg_ros.devices.kinematics import HOME_JOINTS, JOINT_NAMES, UR5
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import JointMove, LinearMove
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.calls import GoalClient
from vpg_ros.nodes.convert import action_to_msg, heightmap_to_msg, outcome_from_msg
from vpg_ros.nodes.motion_node import MotionNode
from vpg_ros.nodes.qos import LATCHED
from vpg_ros.nodes.robot import SLOW_TOOL
from vpg_ros.nodes.task_clients import Clients
from vpg_ros.nodes.task_parameters import Parameters as TaskParameters


def scene() -> Heightmap:
    """A 40 mm block in the middle of the workspace."""
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    height[102:122, 102:122] = 0.04
    return Heightmap(np.zeros((*height.shape, 3), np.uint8), height, DEFAULT_WORKSPACE, 1.0)


def grasp(heightmap: Heightmap):
    return primitives.get("grasp").action(112, 112, 0, heightmap)


class Client(Node):
    """Sends goals and keeps the phases it hears of."""

    def __init__(self) -> None:
        super().__init__("client")
        self.phases: list[str] = []
        self.actions = GoalClient(self, ExecutePrimitive, "execute_primitive")
        assert self.actions.wait_for_server(20.0)

    def destroy_node(self) -> None:
        """As Node's, with what rclpy forgets: it would keep the node in the graph."""
        self.actions.destroy()
        super().destroy_node()

    def send(self, action, heightmap=None):
        scene_of_goal = heightmap or scene()
        goal = ExecutePrimitive.Goal(
            action=action_to_msg(action, 1.0), heightmap=heightmap_to_msg(scene_of_goal)
        )
        return result(
            self.actions.send_goal_async(
                goal, feedback_callback=lambda f: self.phases.append(f.feedback.phase)
            )
        )

    def run(self, action, heightmap=None):
        return result(self.send(action, heightmap).get_result_async())

    def park(self) -> Trigger.Response:
        return call(self, Trigger, "motion_node/park", Trigger.Request())

    def recover(self) -> Trigger.Response:
        return call(self, Trigger, "motion_node/recover", Trigger.Request())


@contextmanager
def graph(host: str, **parameters):
    with ros({"robot_ip": host, "use_sim_time": False, **parameters}, "sim.yaml"):
        node, client = MotionNode(), None
        with spinning(node):
            client = Client()
            with spinning(client):
                yield client


@pytest.fixture(scope="module")
def robot():
    with emulator("--time-scale", "4", "--object-width", "0.04") as process:
        yield process


@pytest.fixture
def client(robot):
    with graph(robot.host) as it:
        yield it
    robot.recover()


def latched(node: Node, kind, topic: str):
    """The last message of a latched topic."""
    return heard(node, kind, topic, LATCHED)


def heard(node: Node, kind, topic: str, qos=10):
    """A message of a topic."""
    future = Future()
    subscription = node.create_subscription(kind, topic, future.set_result, qos)
    try:
        return result(future)
    finally:
        node.destroy_subscription(subscription)


def joints(robot) -> np.ndarray:
    return np.array(robot.state()["joints"])


def off_home(robot) -> float:
    """rad of the joint that is farthest from home."""
    return float(np.abs(joints(robot) - HOME_JOINTS).max())


def approaching(robot, client):
    """The goal of a grasp whose approach has just begun, at a fifth of its speed until
    ``robot.recover``: what is asked next comes before its end on a busy machine too."""
    assert client.park().success
    robot.fault("slider 0.2")
    handle = client.send(grasp(scene()))
    eventually(lambda: off_home(robot) > 0.05)
    return handle


def parks(client, until_then: ErrorCode) -> None:
    """Parking works before long, and says ``until_then`` as long as it does not."""
    deadline = time.monotonic() + 30.0
    while not (parked := client.park()).success:
        assert VpgError.parse(parked.message).code is until_then
        assert time.monotonic() < deadline, parked.message
        time.sleep(0.1)


def test_a_grasp_is_carried_out_and_told_phase_by_phase(robot, client):
    answer = client.run(grasp(scene()))
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    outcome = outcome_from_msg(answer.result.outcome)
    assert outcome.success and outcome.error_code is ErrorCode.OK
    assert outcome.duration > 1.0
    motion = primitives.get("grasp").motion(grasp(scene()), scene())
    assert client.phases == [step.phase for step in (*motion.steps, *motion.retreat)]


def test_a_task_waits_for_an_arm_that_is_slow(robot, client):
    """The slider and speed_scale may make of seconds what is longer than any wait."""
    handle = approaching(robot, client)
    eventually(lambda: off_home(robot) > 0.8)
    result(handle.cancel_goal_async())
    result(handle.get_result_async())
    robot.fault("slider 0.03")
    node = VpgNode("task")
    settings = {entry.name: entry.default for entry in fields(TaskParameters)}
    with spinning(node):
        cell = Clients(node, TaskParameters(**{**settings, "park_timeout": 1.5}), node.stop)
        cell.park()
        cell.close()
    assert off_home(robot) < 0.02


def test_cancelling_stops_the_arm_and_parking_brings_it_home(robot, client):
    handle = approaching(robot, client)
    result(handle.cancel_goal_async())
    answer = result(handle.get_result_async())
    assert answer.status == GoalStatus.STATUS_CANCELED
    assert answer.result.error_code == ErrorCode.CANCELLED
    before = joints(robot)
    time.sleep(0.3)
    assert np.abs(joints(robot) - before).max() < 1e-3, "the arm still moves"
    assert "descend" not in client.phases
    robot.fault("slider 1")
    assert client.park().success
    assert off_home(robot) < 0.02


def test_a_goal_cancelled_as_soon_as_it_is_accepted_does_not_run(robot, client):
    assert client.park().success
    for _ in range(5):
        goal = client.send(grasp(scene()))
        result(goal.cancel_goal_async())
        answer = result(goal.get_result_async())
        assert answer.status == GoalStatus.STATUS_CANCELED
        assert answer.result.error_code == ErrorCode.CANCELLED
    before = joints(robot)
    time.sleep(0.3)
    assert np.abs(joints(robot) - before).max() < 1e-3, "the arm still moves"
    assert "descend" not in client.phases


def test_a_second_goal_is_rejected_and_the_first_goes_on(client):
    first = client.send(grasp(scene()))
    assert not client.send(grasp(scene())).accepted
    assert result(first.get_result_async()).status == GoalStatus.STATUS_SUCCEEDED


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"pose": grasp(scene()).pose.translated(dx=-2.0)}, "OUTSIDE_WORKSPACE", "workspace box"),
        ({"pose": grasp(scene()).pose.translated(dz=-0.1)}, "BELOW_TABLE", "below the table"),
        ({"primitive": "juggle"}, "UNKNOWN_PRIMITIVE", "juggle"),
    ],
)
def test_a_bad_goal_is_refused_before_anything_moves(robot, client, change, code, words):
    client.park()
    before = joints(robot)
    answer = client.run(replace(grasp(scene()), **change))
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert answer.result.error_code == ErrorCode[code]
    assert words in answer.result.error_msg
    assert np.abs(joints(robot) - before).max() < 1e-6
    assert client.phases == []


def test_a_protective_stop_ends_the_goal_and_the_node_lives_on(robot, client):
    handle = approaching(robot, client)
    robot.fault("pstop")
    answer = result(handle.get_result_async())
    assert answer.result.error_code == ErrorCode.PROTECTIVE_STOP
    stopped = off_home(robot)
    robot.recover()  # by the person who is still beside the arm
    assert VpgError.parse(client.park().message).code is ErrorCode.PROTECTIVE_STOP
    assert off_home(robot) == stopped > 0.02
    assert client.recover().success


def test_recovering_ends_a_protective_stop_and_brings_the_arm_home(robot, client):
    handle = approaching(robot, client)
    robot.fault("pstop")
    assert result(handle.get_result_async()).result.error_code == ErrorCode.PROTECTIVE_STOP
    assert off_home(robot) > 0.02
    robot.fault("slider 1")
    recovered = client.recover()
    assert recovered.success, recovered.message
    assert off_home(robot) < 0.02
    assert "descend" not in client.phases, "a goal from before the stop was taken up again"


def stopped_far_from_home(robot, client) -> None:
    """A goal that a protective stop has ended on its way."""
    handle = approaching(robot, client)
    eventually(lambda: off_home(robot) > 0.5)
    robot.fault("pstop")
    assert result(handle.get_result_async()).result.error_code == ErrorCode.PROTECTIVE_STOP
    robot.fault("slider 1")


def test_recovering_moves_the_tool_at_reduced_speed(robot, client):
    stopped_far_from_home(robot, client)
    assert_moves_slowly(robot, client.recover)


def assert_moves_slowly(robot, job) -> None:
    """What ``job`` asks for is done, with the tool at reduced speed."""
    with ThreadPoolExecutor(1) as pool:
        doing, states = pool.submit(job), []
        while not doing.done():
            states.append(robot.state())
    assert doing.result().success, doing.result().message
    tools = np.array([UR5.forward(np.array(state["joints"])).position for state in states])
    way = np.linalg.norm(np.diff(tools, axis=0), axis=1)
    passed = np.diff([state["time"] for state in states])
    assert way.sum() > 0.1
    assert (way <= 1.1 * SLOW_TOOL * passed + 1e-4).all()


def test_no_goal_is_taken_while_the_arm_recovers(robot, client):
    stopped_far_from_home(robot, client)
    with ThreadPoolExecutor(1) as pool:
        recovering = pool.submit(client.recover)
        eventually(lambda: heard(client, Bool, "motion_node/busy").data)
        assert robot.state()["safety"] == "PROTECTIVE_STOP", "it waits until it may unlock"
        assert not client.send(grasp(scene())).accepted
        assert recovering.result().success, recovering.result().message


def test_what_is_held_is_not_let_go_of_once_the_arm_is_switched_off(robot, client):
    assert client.park().success
    goal = client.send(grasp(scene()))
    eventually(lambda: "lift" in client.phases)
    robot.fault("slider 0.2")
    closed = robot.state()["gripper_target"]
    with Dashboard(robot.host) as board:
        board.ask("power off")
    answer = result(goal.get_result_async())
    assert answer.result.error_code == ErrorCode.MOTION_REJECTED, answer.result.error_msg
    assert robot.state()["gripper_target"] == closed < 0.05


def test_a_stop_on_the_pendant_holds_gripper_and_arm_until_a_recovery(robot, client):
    assert client.park().success
    with Dashboard(robot.host) as board:
        board.ask("stop")
    robot.until("runtime", "STOPPED")
    closing = primitives.get("push").action(112, 112, 0, scene())  # its first step
    answer = client.run(closing)
    assert answer.result.error_code == ErrorCode.CANCELLED
    assert "recovery" in answer.result.error_msg and client.phases == []
    assert VpgError.parse(client.park().message).code is ErrorCode.CANCELLED
    recovered = client.recover()
    assert recovered.success, recovered.message


def test_recovering_leaves_an_emergency_stop_to_a_person(robot, client):
    robot.fault("estop")
    refused = client.recover()
    assert VpgError.parse(refused.message).code is ErrorCode.EMERGENCY_STOP
    assert robot.state()["safety"] == "ROBOT_EMERGENCY_STOP"
    robot.fault("release")
    robot.fault("power")
    recovered = client.recover()
    assert recovered.success, recovered.message


def test_a_cut_link_is_made_anew_and_its_goal_is_over(robot, client):
    handle = approaching(robot, client)
    robot.fault("drop")
    robot.fault("slider 1")
    assert result(handle.get_result_async()).result.error_code == ErrorCode.ARM_LINK_LOST
    parks(client, ErrorCode.ARM_LINK_LOST)
    assert off_home(robot) < 0.02
    assert "descend" not in client.phases


def test_a_lost_link_is_reported():
    with emulator("--time-scale", "4") as robot, graph(robot.host) as client:
        handle = approaching(robot, client)
        robot.process.kill()
        answer = result(handle.get_result_async())
        assert answer.result.error_code == ErrorCode.ARM_LINK_LOST
        assert robot.host in answer.result.error_msg
        parked = client.park()
        assert not parked.success
        assert VpgError.parse(parked.message).code is ErrorCode.ARM_LINK_LOST


def test_a_dry_run_checks_and_moves_nothing():
    slow = {"limits.joint_speed": 1.0, "speed_scale": 0.4}
    with graph(free_host(), dry_run=True, **slow) as client:
        answer = client.run(grasp(scene()))
        assert answer.status == GoalStatus.STATUS_SUCCEEDED
        told = answer.result.outcome.error_msg
        assert not answer.result.outcome.success and "dry run" in told
        assert "home at 0.8 rad/s" in told and "descend to" in told
        assert told in answer.result.error_msg
        assert "sent with approach: joint speed" in answer.result.error_msg
        heights = [pose.pose.position.z for pose in latched(client, Path, "motion_node/plan").poses]
        motion = primitives.get("grasp").motion(grasp(scene()), scene())
        moves = [step for step in motion.steps if isinstance(step, JointMove | LinearMove)]
        assert heights == pytest.approx([step.pose.position[2] for step in moves])
        bad = replace(grasp(scene()), pose=grasp(scene()).pose.translated(dx=-2.0))
        assert client.run(bad).result.error_code == ErrorCode.OUTSIDE_WORKSPACE


def test_what_was_picked_goes_where_the_bin_is():
    with graph(free_host(), dry_run=True, **{"motion_node:bin": [-0.3, -0.25, 0.3]}) as client:
        client.run(grasp(scene()))
        places = [pose.pose.position for pose in latched(client, Path, "motion_node/plan").poses]
        assert (places[-1].x, places[-1].y, places[-1].z) == pytest.approx((-0.3, -0.25, 0.3))
        assert places[-2].z == pytest.approx(0.3)  # what is held clears the bin's wall on its way


def test_a_dry_run_shows_the_arm_at_home_where_its_plans_begin():
    real = {"motion_node:joint_states": True}  # in simulation pybullet_node publishes them
    with graph(free_host(), dry_run=True, **real) as client:
        message = heard(client, JointState, "joint_states")
        assert tuple(message.name) == JOINT_NAMES
        assert list(message.position) == pytest.approx(HOME_JOINTS, abs=1e-3)


def test_a_refused_robot_port_is_one_sentence():
    host = free_host()
    text = sentence(run_process("motion_node", f"robot_ip:={host}", "connect_timeout:=0.0"))
    assert host in text and "30004" in text and "[error 300]" in text


def test_limits_have_no_defaults():
    text = sentence(run_process("motion_node", "robot_ip:=127.0.0.1", file=""))
    assert "limits.box_min" in text and "no default" in text and "[error 900]" in text
