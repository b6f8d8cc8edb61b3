"""The nodes with devices behind them as managed nodes, led by a lifecycle manager."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from fixtures_controller import emulator, eventually, free_host
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.action.graph import get_action_names_and_types
from rclpy.node import Node
from ros_fixtures import call, result, ros, spinning
from sensor_msgs.msg import JointState
from test_nodes_motion import (
    Client,
    approaching,
    assert_moves_slowly,
    grasp,
    off_home,
    scene,
    stopped_far_from_home,
)
from vpg_msgs.srv import Capture

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.nodes.heightmap_node import HeightmapNode
from vpg_ros.nodes.motion_node import MotionNode


class Manager:
    """Leads ``node`` through its life and hears its diagnostics, both through ROS."""

    def __init__(self, client: Node, node: str) -> None:
        self._client, self._node = client, node
        self.told: list[DiagnosticStatus] = []
        client.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 10)

    def change(self, transition: str) -> bool:
        request = ChangeState.Request()
        request.transition.label = transition
        return call(self._client, ChangeState, f"{self._node}/change_state", request).success

    @property
    def state(self) -> str:
        answer = call(self._client, GetState, f"{self._node}/get_state", GetState.Request())
        return answer.current_state.label

    def _hear(self, message: DiagnosticArray) -> None:
        self.told += message.status


@contextmanager
def waiting_motion_node(host: str, **changes):
    """A motion_node that waits for its manager, and a person beside it."""
    # With the node's name, or the parameter file's section of the node would come first.
    parameters = {"robot_ip": host, "use_sim_time": False, "motion_node:connect_timeout": 0.0}
    parameters |= {f"motion_node:{name}": value for name, value in changes.items()}
    with ros(parameters | {"autostart": False}, "sim.yaml"):
        node, person = MotionNode(), Node("person")
        with spinning(node, person):
            yield node, person, Manager(person, "motion_node")


@contextmanager
def activated(manager: Manager):
    """A client of motion_node, which its manager leads to where it serves one."""
    assert manager.change("configure") and manager.change("activate")
    client = Client()
    with spinning(client):
        yield client


def refusal(client: Client) -> ErrorCode:
    """Why the arm does not park."""
    return VpgError.parse(client.park().message).code


def offered(node: Node) -> dict[str, list[str]]:
    """The actions of the graph, and their types."""
    return dict(get_action_names_and_types(node))


def test_the_arm_is_connected_used_stopped_and_let_go_of_as_its_manager_says():
    with (
        emulator("--time-scale", "4", "--object-width", "0.04") as robot,
        waiting_motion_node(robot.host) as (_, _, manager),
        activated(manager) as client,
    ):
        assert manager.state == "active"
        goal = approaching(robot, client)
        assert manager.change("deactivate")
        answer = result(goal.get_result_async())
        assert answer.result.error_code == ErrorCode.CANCELLED
        assert "descend" not in client.phases
        assert manager.state == "inactive" and robot.state()["runtime"] == "PLAYING"
        assert refusal(client) is ErrorCode.NODE_NOT_AVAILABLE
        assert not client.send(grasp(scene())).accepted
        robot.fault("slider 1")
        stopped = off_home(robot)
        assert manager.change("activate") and off_home(robot) == stopped, "it went on by itself"
        assert client.park().success and off_home(robot) < 0.02

        assert manager.change("deactivate") and manager.change("cleanup")
        robot.until("runtime", "STOPPED")
        assert refusal(client) is ErrorCode.NODE_NOT_AVAILABLE
        assert manager.change("configure") and manager.change("activate")
        assert client.park().success


def test_a_gripper_is_let_go_of_and_taken_again():
    """One whose inputs no second client may write, after a goal that used it."""
    name = "digital_output"
    options = ("--gripper", name, "--time-scale", "4", "--object-width", "0.04")
    with (
        emulator(*options) as robot,
        waiting_motion_node(robot.host, gripper=name) as (_, _, manager),
        activated(manager) as client,
    ):
        assert client.run(grasp(scene())).result.outcome.success
        assert manager.change("deactivate") and manager.change("cleanup")
        assert manager.change("configure") and manager.change("activate")
        assert client.run(grasp(scene())).result.outcome.success


def test_an_arm_that_is_not_in_use_stays_where_it_is_when_its_node_ends():
    with emulator("--time-scale", "4") as robot:
        parked = {"park_on_stop": True}
        with waiting_motion_node(robot.host, **parked) as (_, _, manager), activated(manager) as it:
            goal = approaching(robot, it)
            assert manager.change("deactivate")
            assert result(goal.get_result_async()).result.error_code == ErrorCode.CANCELLED
            stopped = off_home(robot)
        assert off_home(robot) == stopped > 0.05


def test_an_arm_whose_link_was_lost_stays_where_it_is_when_its_node_ends():
    """Though there is a link again: nobody has asked for a motion since."""
    with emulator("--time-scale", "4") as robot:
        parked = {"park_on_stop": True, "joint_states": True}
        states: list[JointState] = []
        with (
            waiting_motion_node(robot.host, **parked) as (_, person, manager),
            activated(manager) as client,
        ):
            person.create_subscription(JointState, "joint_states", states.append, 10)
            goal = approaching(robot, client)
            robot.fault("drop")
            assert result(goal.get_result_async()).result.error_code == ErrorCode.ARM_LINK_LOST
            states.clear()
            eventually(lambda: len(states) > 20)  # there are none without a link
            stopped = off_home(robot)
        assert off_home(robot) == stopped > 0.05


def test_the_diagnostics_tell_a_stop_of_an_idle_arm_and_its_end():
    with (
        emulator("--time-scale", "4") as robot,
        waiting_motion_node(robot.host) as (_, _, manager),
        activated(manager) as client,
    ):

        def told(level: bytes) -> bool:
            return bool(manager.told) and manager.told[-1].level == level

        eventually(lambda: told(DiagnosticStatus.OK))
        robot.fault("pstop")
        eventually(lambda: told(DiagnosticStatus.ERROR))
        assert "protective stop" in manager.told[-1].message
        assert client.recover().success
        eventually(lambda: told(DiagnosticStatus.OK))


def test_no_recovery_goes_on_once_the_node_is_deactivated():
    with (
        emulator("--time-scale", "4") as robot,
        waiting_motion_node(robot.host) as (_, _, manager),
        activated(manager) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        goal = approaching(robot, client)
        robot.fault("pstop")
        assert result(goal.get_result_async()).result.error_code == ErrorCode.PROTECTIVE_STOP
        recovered = pool.submit(client.recover)
        time.sleep(0.5)  # it waits until the controller lets go
        assert robot.state()["safety"] == "PROTECTIVE_STOP" and manager.change("deactivate")
        stopped = off_home(robot)
        assert VpgError.parse(recovered.result().message).code is ErrorCode.CANCELLED
        assert off_home(robot) == stopped > 0.05


def test_after_a_recovery_that_did_not_get_home_parking_is_slow():
    with (
        emulator("--time-scale", "4") as robot,
        waiting_motion_node(robot.host) as (_, _, manager),
        activated(manager) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        stopped_far_from_home(robot, client)
        robot.fault("unlock")
        before = off_home(robot)
        recovered = pool.submit(client.recover)
        eventually(lambda: off_home(robot) < before - 0.05)
        assert manager.change("deactivate")
        assert VpgError.parse(recovered.result().message).code is ErrorCode.CANCELLED
        assert manager.change("activate")
        assert_moves_slowly(robot, client.park)


def test_a_robot_that_is_switched_on_late_can_be_configured_then():
    host = free_host()
    with waiting_motion_node(host) as (_, person, manager):
        assert not manager.change("configure") and manager.state == "unconfigured"
        # That of an earlier test's node may be in the graph yet; its good-bye takes a moment.
        eventually(lambda: "/execute_primitive" not in offered(person))
        eventually(lambda: any(host in status.message for status in manager.told))
        assert manager.told[-1].level == DiagnosticStatus.ERROR
        with emulator("--time-scale", "4", host=host), activated(manager) as client:
            assert client.park().success
            assert manager.change("deactivate") and manager.change("cleanup")


def test_a_transition_that_there_is_not_is_refused_and_the_node_lives_on():
    with waiting_motion_node(free_host()) as (node, _, manager):
        assert not manager.change("activate")
        assert not manager.change("fly")
        assert manager.state == "unconfigured"
        assert manager.change("unconfigured_shutdown") or manager.change("shutdown")
        assert node.stop.is_set() and node.failure is None


def test_the_camera_is_looked_through_while_its_node_is_active(tmp_path):
    calibration = tmp_path / "calibration.yaml"
    calibration.write_text("camera_pose: {position: [0, 0, 1], quaternion: [1, 0, 0, 0]}")
    parameters = {"camera": "realsense", "realsense.serial": "none", "calibration": calibration}
    waiting = {"autostart": False, "realsense.connect_timeout": 20.0}
    with ros(parameters | waiting):
        client, node = Node("client"), HeightmapNode()
        with spinning(client, node):
            manager = Manager(client, "heightmap_node")
            assert not manager.change("configure") and manager.state == "unconfigured"
            assert node.trouble.code is ErrorCode.CAMERA_MISSING
            eventually(lambda: any("'none'" in status.message for status in manager.told))


def test_any_driver_s_topics_are_heard_from_configuring_to_cleaning_up():
    with ros({"autostart": False}):
        client, node = Node("client"), HeightmapNode()
        with spinning(client, node):
            manager = Manager(client, "heightmap_node")
            assert client.count_subscribers("camera/pose") == 0
            assert manager.change("configure") and manager.change("activate")
            answer = call(client, Capture, "capture", Capture.Request(timeout=0.2))
            assert answer.error_code == ErrorCode.CALIBRATION_MISSING, "it does not look"
            assert manager.change("deactivate")
            answer = call(client, Capture, "capture", Capture.Request())
            assert answer.error_code == ErrorCode.NODE_NOT_AVAILABLE
            assert "heightmap_node is inactive" in answer.error_msg
            assert manager.change("cleanup")
            eventually(lambda: client.count_subscribers("camera/pose") == 0)
