"""The action ``execute_primitive`` of motion_node: primitive → Motion → safety gate → robot.

One goal at a time; a second one is rejected, and so is every one while there is no robot.
Cancelling stops the arm where it is. With ``return_objects``, what is picked is put back on the
table (:mod:`vpg_ros.returning`) instead of into the bin. ``~/plan`` (nav_msgs/Path, latched) shows
where the tool is sent; with ``dry_run`` that is all.
"""

import threading
import time
from collections.abc import Callable

import numpy as np
from nav_msgs.msg import Path
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from vpg_msgs.action import ExecutePrimitive

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.devices.rates import changes, describe
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import JointMove, LinearMove, Motion, Outcome
from vpg_ros.nodes.abilities import check_abilities
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.convert import (
    action_from_msg,
    heightmap_from_msg,
    outcome_to_msg,
    path_to_msg,
)
from vpg_ros.nodes.motion_parameters import Parameters
from vpg_ros.nodes.qos import LATCHED
from vpg_ros.nodes.robot import Robot
from vpg_ros.returning import returned

# s for which the end of a goal can be asked for. The server keeps every goal so long, its heightmap
# too: a third of a megabyte each.
RESULT_KEPT = 30
PLACES = 8  # random places on the table that are tried before an object goes into the bin


class Goals:
    """Serves the action on ``node``.

    robot: who carries goals out; None rejects them. on_end: hears how each ended, None for well.
    """

    def __init__(
        self, node: VpgNode, settings: Parameters, on_end: Callable[[VpgError | None], None]
    ) -> None:
        self.robot: Robot | None = None
        self._node, self._settings, self._on_end = node, settings, on_end
        self._rng = np.random.default_rng(settings.seed)
        self._lowered = ""
        self._taken = threading.Event()  # by a goal, from its acceptance on
        self._cancel_requested = threading.Event()
        self._accepted: tuple[Robot, int] | None = None
        self._plan = node.create_publisher(Path, "~/plan", LATCHED)
        self._server: ActionServer | None = None

    def offer(self) -> None:
        """Put the action into the graph."""
        self._server = ActionServer(
            self._node,
            ExecutePrimitive,
            "execute_primitive",
            self._execute,
            goal_callback=self._accept,
            cancel_callback=self._cancel,
            # So that a cancel is heard while a goal is carried out.
            callback_group=ReentrantCallbackGroup(),
            result_timeout=RESULT_KEPT,
        )

    def close(self) -> None:
        """Take the action out of the graph, which the node's end does not."""
        if self._server is not None:
            self._server.destroy()

    def _accept(self, _: ExecutePrimitive.Goal) -> GoalResponse:
        robot = self.robot
        # Drawn first, or a stop in between would not be noticed.
        ticket = 0 if robot is None else robot.ticket
        if robot is None or robot is not self.robot:
            return self._reject("motion_node is not active")
        if self._taken.is_set() or robot.busy or self._node.stop.is_set():
            return self._reject("the arm is busy")
        self._taken.set()
        self._cancel_requested.clear()
        self._accepted = (robot, ticket)
        return GoalResponse.ACCEPT

    def _reject(self, why: str) -> GoalResponse:
        error = VpgError(ErrorCode.GOAL_REJECTED, f"goal rejected: {why}")
        self._node.get_logger().warning(error.sentence)
        return GoalResponse.REJECT

    def _cancel(self, _: ServerGoalHandle) -> CancelResponse:
        """Stop the arm, in a thread: the goal counts as cancelling only after this returned."""
        self._cancel_requested.set()
        accepted = self._accepted  # which the goal's own thread takes away when it ends
        if accepted is not None:
            threading.Thread(target=accepted[0].stop, daemon=True).start()
        return CancelResponse.ACCEPT

    def _execute(self, handle: ServerGoalHandle) -> ExecutePrimitive.Result:
        """Carry out one goal; runs in a thread of the executor."""
        self._lowered = ""
        try:
            outcome = self._outcome(handle)
            self._end(handle, error_of(outcome))
            return self._result(outcome)
        finally:
            self._accepted = None  # or the robot would be kept when the node lets go of it
            self._taken.clear()

    def _result(self, outcome: Outcome) -> ExecutePrimitive.Result:
        """What a client is answered, with what was lowered."""
        result = ExecutePrimitive.Result(outcome=outcome_to_msg(outcome))
        lowered = f"sent with {self._lowered}" if self._lowered else ""
        result.error_code = int(outcome.error_code)
        result.error_msg = "; ".join(filter(None, (outcome.error_msg, lowered)))
        return result

    def _end(self, handle: ServerGoalHandle, error: VpgError | None) -> None:
        """Tell in which state the goal ended."""
        self._on_end(error)
        if error is None:
            handle.succeed()
        elif error.code is ErrorCode.CANCELLED and self._is_cancelling(handle):
            handle.canceled()
        else:
            handle.abort()

    def _outcome(self, handle: ServerGoalHandle) -> Outcome:
        assert self._accepted is not None
        robot, ticket = self._accepted
        try:
            action = action_from_msg(handle.request.action)
            heightmap = heightmap_from_msg(handle.request.heightmap)
            motion = self._motion(robot, action, heightmap)
            feedback = _Feedback(handle, motion)
            return robot.run(motion, feedback, ticket, lambda sent: self._tell(motion, sent))
        except VpgError as error:
            return Outcome(False, error_code=error.code, error_msg=error.message)
        except Exception as error:  # a defect: rclpy would swallow it and answer with success
            self._node.fail(error)
            sentence = f"motion_node failed: {type(error).__name__}: {error}"
            return Outcome(False, error_code=ErrorCode.PROCESS_DIED, error_msg=sentence)

    def _tell(self, asked: Motion, sent: Motion) -> None:
        """Show and say what is really sent: the tool's way, what was lowered, all of a dry run."""
        poses = [step.pose for step in sent.steps if isinstance(step, JointMove | LinearMove)]
        self._plan.publish(path_to_msg(poses, self._node.now()))
        self._lowered = changes(asked, sent)
        logger = self._node.get_logger()
        if self._lowered:
            logger.info(f"{sent.primitive} is sent with {self._lowered}")
        if self._settings.dry_run:
            logger.info(f"dry run of {sent.primitive}: {describe(sent)}")

    def _motion(self, robot: Robot, action: Action, heightmap: Heightmap) -> Motion:
        """What ``action`` means; for a return, with the first place drawn that the gate allows."""
        check_abilities(
            self._settings.gripper,
            (action.primitive,),
            ErrorCode.MOTION_REJECTED,
            self._settings.limits.gripper_width,
        )
        motion = primitives.get(action.primitive).motion(action, heightmap)
        motion = motion.carried_to(self._settings.bin_pose)
        if not self._settings.return_objects:
            return motion
        for _ in range(PLACES):
            back = returned(motion, heightmap, self._rng)
            if robot.allows(back):
                return back
        return motion

    def _is_cancelling(self, handle: ServerGoalHandle) -> bool:
        """Whether a client cancelled the goal; the arm may stop before the goal's state says so."""
        deadline = time.monotonic() + 1.0
        while self._cancel_requested.is_set() and time.monotonic() < deadline:
            if handle.is_cancel_requested:
                return True
            time.sleep(0.005)
        return False


class _Feedback:
    """Publishes each phase's name and the share of steps that are done."""

    def __init__(self, handle: ServerGoalHandle, motion: Motion) -> None:
        self._count = len(motion.steps) + len(motion.retreat)
        self._handle = handle
        self._done = 0

    def __call__(self, phase: str) -> None:
        progress = min(1.0, self._done / self._count)
        self._handle.publish_feedback(ExecutePrimitive.Feedback(phase=phase, progress=progress))
        self._done += 1


def error_of(outcome: Outcome) -> VpgError | None:
    """What the outcome says went wrong."""
    if outcome.error_code is ErrorCode.OK:
        return None
    return VpgError(outcome.error_code, outcome.error_msg)
