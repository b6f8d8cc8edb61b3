"""Calls of other nodes' services and actions from a thread that is not the executor's.

Every call has a deadline, notices when the other node is gone, and ends early when it is
interrupted. None may be made inside a callback.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from vpg_ros.errors import ErrorCode, VpgError

_LIVENESS_PERIOD = 0.25  # s between checks that the server is still there
_ACCEPTANCE = 10.0  # s of wall time for a goal to be taken or refused
_ABSENCES = 8  # checks in a row that miss the server before it counts as gone


def never() -> float:
    """When a server that does not tell was last at work: a deadline counts from the call."""
    return -math.inf


class Interrupted(Exception):
    """The wait ended because a stop was requested."""


class GoalClient(ActionClient):
    """An ActionClient that may be asked from another thread than the executor's.

    rclpy enters a request into its books only after sending it, and throws away a response that the
    executor takes in between; here a response waits until the request is entered.
    """

    def __init__(self, node: Node, kind: Any, name: str) -> None:
        self._sending = threading.Lock()
        super().__init__(node, kind, name)

    def send_goal_async(self, *args: Any, **kwargs: Any) -> Future:
        """As ActionClient's."""
        with self._sending:
            return super().send_goal_async(*args, **kwargs)

    def _get_result_async(self, goal_handle: Any) -> Future:
        with self._sending:
            return super()._get_result_async(goal_handle)

    def _cancel_goal_async(self, goal_handle: Any) -> Future:
        with self._sending:
            return super()._cancel_goal_async(goal_handle)

    async def execute(self, taken_data: Any) -> None:
        """As ActionClient's, once whatever is being sent is entered."""
        with self._sending:
            pass
        await super().execute(taken_data)


def wait_ready(
    name: str, ready: Callable[[], bool], deadline: float, interrupt: threading.Event
) -> None:
    """Wait until ``ready()``; raises NODE_NOT_AVAILABLE naming ``name`` at the deadline."""
    start = time.monotonic()
    while not ready():
        if time.monotonic() > deadline:
            waited = time.monotonic() - start
            sentence = f"{name} is not there after {waited:.0f} s; is its node running?"
            raise VpgError(ErrorCode.NODE_NOT_AVAILABLE, sentence)
        if interrupt.wait(0.02):
            raise Interrupted


def call(
    client: Client,
    request: Any,
    timeout: float,
    interrupt: threading.Event,
    at_work: Callable[[], float] = never,
) -> Any:
    """The response of a service, ``timeout`` s of wall time after it was last ``at_work`` at most.

    Raises NODE_NOT_AVAILABLE at the deadline or when the server is gone; Interrupted.
    """
    name = f"service {client.srv_name}"
    wait_ready(name, client.service_is_ready, time.monotonic() + timeout, interrupt)
    future = client.call_async(request)
    try:
        return _result(future, name, client.service_is_ready, timeout, interrupt, at_work)
    finally:
        client.remove_pending_request(future)


def execute(
    client: GoalClient,
    goal: Any,
    timeout: float,
    interrupt: threading.Event,
    on_feedback: Callable[[Any], None],
    at_work: Callable[[], float] = never,
) -> Any:
    """The result of an action's goal, as :func:`call` has it.

    When interrupted or late, the goal is cancelled first, so that nothing moves any more. Raises
    GOAL_REJECTED, NODE_NOT_AVAILABLE and Interrupted.
    """
    name = f"action {client._action_name}"
    ready = client.server_is_ready
    wait_ready(name, ready, time.monotonic() + timeout, interrupt)
    sent = client.send_goal_async(goal, feedback_callback=on_feedback)
    try:
        handle = _result(sent, name, ready, min(timeout, _ACCEPTANCE), threading.Event())
    except VpgError:
        sent.add_done_callback(_cancel_late)
        raise
    if not handle.accepted:
        sentence = f"{name} rejected the goal: another one is being executed"
        raise VpgError(ErrorCode.GOAL_REJECTED, sentence)
    future = handle.get_result_async()
    try:
        return _result(future, name, ready, timeout, interrupt, at_work).result
    except (Interrupted, VpgError):
        _cancel(handle, future)
        raise


def _cancel_late(sent: Future) -> None:
    """Cancel a goal that is accepted after nobody waits for it any more."""
    handle = sent.result()
    if handle is not None and handle.accepted:
        handle.cancel_goal_async()


def _cancel(handle: Any, result: Future) -> None:
    """Cancel a goal and give the server a moment to end it."""
    handle.cancel_goal_async()
    deadline = time.monotonic() + 5.0
    while not result.done() and time.monotonic() < deadline:
        time.sleep(0.01)


def _result(
    future: Future,
    name: str,
    ready: Callable[[], bool],
    timeout: float,
    interrupt: threading.Event,
    at_work: Callable[[], float] = never,
) -> Any:
    """The future's result, within ``timeout`` s, as long as the server is there.

    at_work: when it was last known to be busy, s of the monotonic clock.
    """
    deadline = time.monotonic() + timeout
    absences, next_check = 0, time.monotonic()
    while not future.done():
        now = time.monotonic()
        if now > max(deadline, at_work() + timeout):
            sentence = f"{name} did not answer within {timeout:g} s"
            raise VpgError(ErrorCode.NODE_NOT_AVAILABLE, sentence)
        if now >= next_check:
            next_check = now + _LIVENESS_PERIOD
            absences = 0 if ready() else absences + 1
        if absences >= _ABSENCES:
            sentence = f"{name} went away before it answered; has its node died?"
            raise VpgError(ErrorCode.NODE_NOT_AVAILABLE, sentence)
        if interrupt.wait(0.005):
            raise Interrupted
    return future.result()
