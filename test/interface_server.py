"""The other process of test_interfaces.py: serves each kind of interface of vpg_msgs once."""

from contextlib import suppress

import rclpy
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from vpg_msgs.action import ExecutePrimitive
from vpg_msgs.msg import Heightmap
from vpg_msgs.srv import Select


def select(request: Select.Request, response: Select.Response) -> Select.Response:
    response.action = request.tried[-1]
    response.action.value = request.heightmap.workspace.resolution
    response.decision_ms = float(len(request.tried))
    return response


def execute(goal: ServerGoalHandle) -> ExecutePrimitive.Result:
    goal.publish_feedback(ExecutePrimitive.Feedback(phase="approach", progress=0.25))
    result = ExecutePrimitive.Result(error_code=0, error_msg="")
    result.outcome.gripper_width = goal.request.action.pose.position.z
    goal.succeed()
    return result


def main() -> None:
    rclpy.init()
    node = Node("interface_server")
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    heightmap = Heightmap()
    heightmap.workspace.columns = 224
    heightmap.height.data = bytes(range(256))
    publisher = node.create_publisher(Heightmap, "heightmap", latched)
    publisher.publish(heightmap)
    node.create_service(Select, "select", select)
    ActionServer(
        node, ExecutePrimitive, "execute", execute, cancel_callback=lambda _: CancelResponse.ACCEPT
    )
    executor = MultiThreadedExecutor(2)
    executor.add_node(node)
    with suppress(KeyboardInterrupt, ExternalShutdownException):
        executor.spin()


if __name__ == "__main__":
    main()
