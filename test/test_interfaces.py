"""vpg_msgs between two processes: a latched message, a service and an action."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy", reason="ROS 2 is not installed for this Python")
messages = pytest.importorskip("vpg_msgs.msg", reason="vpg_msgs is not built")

from rclpy.action import ActionClient  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from vpg_msgs.action import ExecutePrimitive  # noqa: E402
from vpg_msgs.msg import Heightmap, PrimitiveAction  # noqa: E402
from vpg_msgs.srv import Select  # noqa: E402

PATIENCE = 20.0  # s


@pytest.fixture(scope="module")
def node() -> Iterator[Any]:
    program = Path(__file__).with_name("interface_server.py")
    server = subprocess.Popen([sys.executable, str(program)])
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node("interface_client", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
        server.kill()  # how it would end by itself is no matter here
        server.wait(PATIENCE)


def spin_until(node: Any, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "no answer from the other process"
        node.executor.spin_once(timeout_sec=0.1)


def answer(node: Any, future: Any) -> Any:
    spin_until(node, future.done)
    return future.result()


def test_latched_heightmap_reaches_a_late_subscriber(node: Any) -> None:
    received: list[Heightmap] = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(Heightmap, "heightmap", received.append, latched)
    spin_until(node, lambda: bool(received))
    assert received[0].workspace.columns == 224
    assert bytes(received[0].height.data) == bytes(range(256))


def test_service_carries_actions_both_ways(node: Any) -> None:
    client = node.create_client(Select, "select")
    assert client.wait_for_service(PATIENCE)
    request = Select.Request()
    request.heightmap.workspace.resolution = 0.002
    request.tried = [PrimitiveAction(primitive="push"), PrimitiveAction(primitive="grasp", row=7)]
    response = answer(node, client.call_async(request))
    assert (response.action.primitive, response.action.row) == ("grasp", 7)
    assert (response.action.value, response.decision_ms) == (0.002, 2.0)


def test_action_gives_feedback_and_an_outcome(node: Any) -> None:
    client = ActionClient(node, ExecutePrimitive, "execute")
    assert client.wait_for_server(PATIENCE)
    goal = ExecutePrimitive.Goal()
    goal.action.pose.position.z = 0.05
    phases: list[tuple[str, float]] = []

    def note(message: Any) -> None:
        phases.append((message.feedback.phase, message.feedback.progress))

    handle = answer(node, client.send_goal_async(goal, feedback_callback=note))
    assert handle.accepted
    result = answer(node, handle.get_result_async()).result
    assert (result.outcome.gripper_width, result.error_code, result.error_msg) == (0.05, 0, "")
    spin_until(node, lambda: bool(phases))
    assert phases == [("approach", 0.25)]
