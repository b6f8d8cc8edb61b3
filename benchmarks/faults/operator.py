"""The person at the cell, as a node: plugs, unlocks, parks, asks, and sends goals of their own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import rclpy
from action_msgs.msg import GoalStatus, GoalStatusArray
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_action_status_default
from std_srvs.srv import Trigger
from vpg_msgs.action import ExecutePrimitive
from vpg_msgs.srv import Capture, LoadCheckpoint, Select

from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Outcome
from vpg_ros.nodes.calls import GoalClient, call, wait_ready
from vpg_ros.nodes.convert import (
    action_from_msg,
    action_to_msg,
    heightmap_from_msg,
    heightmap_to_msg,
    outcome_from_msg,
)

_NEVER = threading.Event()
_UNDER_WAY = {
    GoalStatus.STATUS_ACCEPTED,
    GoalStatus.STATUS_EXECUTING,
    GoalStatus.STATUS_CANCELING,
}


class Operator(Node):
    """Calls as the task does, each with a deadline of ``timeout`` s; raises the errors answered."""

    def __init__(self, context: Context, timeout: float) -> None:
        super().__init__("operator", context=context)
        self._timeout = timeout
        self.phases: list[str] = []
        feedback = ExecutePrimitive.Impl.FeedbackMessage
        topic = "execute_primitive/_action"
        self.create_subscription(feedback, f"{topic}/feedback", self._hear, 50)
        status = qos_profile_action_status_default
        self.create_subscription(GoalStatusArray, f"{topic}/status", self._follow, status)
        # Goals that came to their end, and which of them are this operator's own, by id.
        self._ended: set[bytes] = set()
        self._own: set[bytes] = set()
        self.executing = False  # whether motion_node has a goal, anybody's, that has not ended
        self._goals = GoalClient(self, ExecutePrimitive, "execute_primitive")
        self._callers: dict[str, Any] = {}

    def trigger(self, name: str) -> None:
        """Call a Trigger service, such as ``motion_node/park``."""
        response = self._call(Trigger, name, Trigger.Request())
        if not response.success:
            unknown = VpgError(ErrorCode.MOTION_REJECTED, f"{name}: {response.message}")
            raise VpgError.parse(response.message) or unknown

    def set(self, node: str, **values: Any) -> None:
        """Set parameters of a running node."""
        parameters = [Parameter(k, value=v).to_parameter_msg() for k, v in values.items()]
        request = SetParameters.Request(parameters=parameters)
        response = self._call(SetParameters, f"{node}/set_parameters", request)
        for result in response.results:
            if not result.successful:
                raise VpgError(ErrorCode.PARAMETER_INVALID, result.reason)

    def capture(self) -> Heightmap:
        """A heightmap of the table now."""
        response = self._call(Capture, "capture", Capture.Request())
        _raise(response)
        return heightmap_from_msg(response.heightmap)

    def select(self, heightmap: Heightmap) -> Action:
        """The policy's action."""
        request = Select.Request(heightmap=heightmap_to_msg(heightmap))
        response = self._call(Select, "select", request)
        _raise(response)
        return action_from_msg(response.action)

    def decide(self) -> None:
        """See and choose; that there is nothing left to do is an answer too."""
        try:
            self.select(self.capture())
        except VpgError as error:
            if error.code is not ErrorCode.NO_ADMISSIBLE_ACTION:
                raise

    def load(self, checkpoint: str) -> None:
        """Have inference_node load other weights."""
        _raise(
            self._call(LoadCheckpoint, "load_checkpoint", LoadCheckpoint.Request(path=checkpoint))
        )

    def send(self, action: Action, heightmap: Heightmap) -> Any:
        """The handle of a goal that was accepted; raises GOAL_REJECTED, NODE_NOT_AVAILABLE."""
        goal = ExecutePrimitive.Goal(
            action=action_to_msg(action, heightmap.stamp), heightmap=heightmap_to_msg(heightmap)
        )
        deadline = time.monotonic() + self._timeout
        wait_ready("motion_node", self._goals.server_is_ready, deadline, _NEVER)
        handle = self._result(self._goals.send_goal_async(goal))
        if not handle.accepted:
            raise VpgError(ErrorCode.GOAL_REJECTED, "the goal was rejected")
        self._own.add(bytes(handle.goal_id.uuid))
        return handle

    @property
    def others(self) -> int:
        """How many goals of others motion_node has carried out to their end."""
        return len(self._ended - self._own)

    def outcome(self, handle: Any) -> Outcome:
        """What came of a goal."""
        return outcome_from_msg(self._result(handle.get_result_async()).result.outcome)

    def _result(self, future: Any) -> Any:
        deadline = time.monotonic() + 3 * self._timeout
        while not future.done():
            if time.monotonic() > deadline:
                raise VpgError(ErrorCode.NODE_NOT_AVAILABLE, "motion_node does not answer")
            time.sleep(0.005)
        return future.result()

    def _call(self, kind: Any, name: str, request: Any) -> Any:
        if name not in self._callers:
            self._callers[name] = self.create_client(kind, name)
        return call(self._callers[name], request, self._timeout, _NEVER)

    def _hear(self, message: Any) -> None:
        self.phases.append(message.feedback.phase)

    def _follow(self, message: GoalStatusArray) -> None:
        goals = message.status_list
        self.executing = any(goal.status in _UNDER_WAY for goal in goals)
        ended = [goal for goal in goals if goal.status == GoalStatus.STATUS_SUCCEEDED]
        self._ended |= {bytes(goal.goal_info.goal_id.uuid) for goal in ended}


@contextmanager
def operator(domain: int, timeout: float) -> Iterator[Operator]:
    """A spinning operator in a ROS domain."""
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    executor = MultiThreadedExecutor(num_threads=3, context=context)
    node = Operator(context, timeout)
    executor.add_node(node)
    thread = threading.Thread(target=_spin, args=(executor,), daemon=True)
    thread.start()
    try:
        yield node
    finally:
        executor.shutdown(timeout_sec=2.0)
        thread.join(2.0)
        rclpy.try_shutdown(context=context)


def _spin(executor: MultiThreadedExecutor) -> None:
    with suppress(ExternalShutdownException):
        executor.spin()


def _raise(response: Any) -> None:
    if response.error_code:
        raise VpgError(ErrorCode(response.error_code), response.error_msg)
