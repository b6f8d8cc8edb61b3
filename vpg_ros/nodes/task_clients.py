"""The other nodes as the task sees them: five calls, each with a deadline."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger
from vpg_msgs.action import ExecutePrimitive
from vpg_msgs.srv import Capture, Select

from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Outcome
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.calls import GoalClient, Interrupted, call, execute, never, wait_ready
from vpg_ros.nodes.convert import (
    action_from_msg,
    action_to_msg,
    heightmap_from_msg,
    heightmap_to_msg,
    outcome_from_msg,
)
from vpg_ros.nodes.qos import LATCHED
from vpg_ros.nodes.task_parameters import Parameters

_PARK_NAME = "service park (motion_node)"
# s of wall time: by then it has been there, or its node is gone. Two announcements of a node, the
# first of which may be lost on a busy machine, are 4 s apart.
_PARK_PATIENCE = 5.0


@dataclass(frozen=True)
class Choice:
    """A chosen action and how long the choice took, ms."""

    action: Action
    decision_ms: float


class Clients:
    """Calls capture, select, execute_primitive, park and reset.

    Each raises the error that the other node answers with, NODE_NOT_AVAILABLE when it does not
    answer, and Interrupted when ``interrupt`` is set meanwhile (park is never interrupted).
    """

    def __init__(self, node: VpgNode, parameters: Parameters, interrupt: threading.Event) -> None:
        self._node = node
        self._parameters = parameters
        self._interrupt = interrupt
        self._capture = node.create_client(Capture, "capture")
        self._select = node.create_client(Select, "select")
        self._park = node.create_client(Trigger, "motion_node/park")
        self._reset = node.create_client(Trigger, "pybullet_node/reset")
        self._execute = GoalClient(node, ExecutePrimitive, "execute_primitive")
        self._last_busy = never()
        node.create_subscription(Bool, "motion_node/busy", self._receive_busy, 10)
        self.counts: dict[str, int] = {}
        node.create_subscription(String, "pybullet_node/status", self._receive_counts, LATCHED)

    def close(self) -> None:
        """Let go of the action, which the node does not do: it would stay in the graph."""
        self._execute.destroy()

    def wait_ready(self) -> None:
        """Wait for all of them; raises NODE_NOT_AVAILABLE naming the one that is missing."""
        deadline = time.monotonic() + self._parameters.startup_timeout
        wanted = {
            "service capture (heightmap_node)": self._capture.service_is_ready,
            "service select (inference_node)": self._select.service_is_ready,
            _PARK_NAME: self._park.service_is_ready,
            "action execute_primitive (motion_node)": self._execute.server_is_ready,
        }
        for name, ready in wanted.items():
            wait_ready(name, ready, deadline, self._interrupt)

    def capture(self) -> Heightmap:
        """A heightmap of the scene once it has settled."""
        self._settle()
        timeout = self._parameters.capture_timeout
        response = call(self._capture, Capture.Request(), timeout, self._interrupt)
        _raise(response)
        return heightmap_from_msg(response.heightmap)

    def select(self, heightmap: Heightmap, tried: Sequence[Action]) -> Choice:
        """The policy's action for ``heightmap``."""
        request = Select.Request(heightmap=heightmap_to_msg(heightmap))
        request.tried = [action_to_msg(action, heightmap.stamp) for action in tried]
        response = call(self._select, request, self._parameters.select_timeout, self._interrupt)
        _raise(response)
        return Choice(action_from_msg(response.action), response.decision_ms)

    def execute(self, action: Action, heightmap: Heightmap) -> Outcome:
        """What came of ``action``; its error code is in the outcome."""
        goal = ExecutePrimitive.Goal(
            action=action_to_msg(action, heightmap.stamp), heightmap=heightmap_to_msg(heightmap)
        )
        timeout = self._parameters.execute_timeout
        result = execute(
            self._execute, goal, timeout, self._interrupt, lambda _: None, self._at_work
        )
        return outcome_from_msg(result.outcome)

    def reset(self) -> None:
        """Have the simulator put another scene on the table."""
        timeout = self._parameters.reset_timeout
        response = call(self._reset, Trigger.Request(), timeout, self._interrupt)
        if not response.success:
            unknown = VpgError(ErrorCode.SCENE_INVALID, f"no new scene: {response.message}")
            raise VpgError.parse(response.message) or unknown

    def park(self) -> None:
        """Take the arm home."""
        uninterrupted, timeout = threading.Event(), self._parameters.park_timeout
        deadline = time.monotonic() + _PARK_PATIENCE
        wait_ready(_PARK_NAME, self._park.service_is_ready, deadline, uninterrupted)
        response = call(self._park, Trigger.Request(), timeout, uninterrupted, self._at_work)
        if not response.success:
            unknown = VpgError(ErrorCode.MOTION_REJECTED, f"not parked: {response.message}")
            raise VpgError.parse(response.message) or unknown

    def _at_work(self) -> float:
        """When motion_node was last busy; its own deadlines know of the arm's speed.

        Not any more once the task is to end: it has only so long for that.
        """
        return never() if self._interrupt.is_set() else self._last_busy

    def _receive_busy(self, message: Bool) -> None:
        if message.data:
            self._last_busy = time.monotonic()

    def _settle(self) -> None:
        """Let the node's clock advance by settle_time; not for ever, should it stand still."""
        start, wall = self._node.now(), time.monotonic()
        while self._node.now() - start < self._parameters.settle_time:
            if time.monotonic() - wall > self._parameters.capture_timeout:
                return
            if self._interrupt.wait(0.005):
                raise Interrupted

    @property
    def lost(self) -> int:
        """Objects that left the simulated table; a real cell cannot tell."""
        return self.counts.get("lost", 0)

    def _receive_counts(self, message: String) -> None:
        self.counts = json.loads(message.data)


def _raise(response: Any) -> None:
    """Raise the error that a response carries."""
    if response.error_code:
        raise VpgError(ErrorCode(response.error_code), response.error_msg)
