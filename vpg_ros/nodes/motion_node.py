"""motion_node: action in, robot moves, outcome out.

Action ``execute_primitive`` (vpg_msgs/ExecutePrimitive): primitive → Motion → safety gate → arm and
gripper. One goal at a time; a second one is rejected. Cancelling stops the arm where it is. With
``return_objects``, what is picked is put back on the table (:mod:`vpg_ros.returning`) instead of
into the bin. ``~/plan`` (nav_msgs/Path, latched) shows where the tool is sent; with ``dry_run``
that is all. Service ``~/park`` (std_srvs/Trigger) lifts the tool and takes the arm home;
``~/recover`` does so slowly, after it has ended a protective stop. A lost link is made anew, but
what was under way is over: no goal outlives a stop or a link.
"""

import threading
import time

import numpy as np
from nav_msgs.msg import Path
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from vpg_msgs.action import ExecutePrimitive

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.devices.kinematics import JOINT_NAMES
from vpg_ros.devices.rates import changes, describe
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import JointMove, LinearMove, Motion, Outcome
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.connect import connect
from vpg_ros.nodes.convert import (
    action_from_msg,
    heightmap_from_msg,
    joint_state,
    outcome_to_msg,
    path_to_msg,
)
from vpg_ros.nodes.motion_parameters import Parameters
from vpg_ros.nodes.qos import LATCHED
from vpg_ros.nodes.robot import Robot
from vpg_ros.nodes.spin import run_node
from vpg_ros.returning import returned
from vpg_ros.system import ARM_END, TASK_END

JOINT_STATE_PERIOD = 0.04  # s of wall time
PLACES = 8  # random places on the table that are tried before an object goes into the bin
UNUSABLE_PAUSE = 3.0  # s before the next attempt at a robot that answers, but is stopped
LINK_PERIOD = 0.5  # s between two looks at the link, and between two attempts to make it anew


class MotionNode(VpgNode):
    """See the module's text."""

    def __init__(self) -> None:
        super().__init__("motion_node")
        self._settings = self.read_parameters(Parameters)
        gate = self._settings.gate
        self._devices = connect(self._settings, self.stop)
        self._robot = Robot(gate, self._devices.arm, self._devices.gripper)
        self._rng = np.random.default_rng(self._settings.seed)
        self._last_error: VpgError | None = None
        self._lowered = ""
        self._taken = threading.Event()  # by a goal, from its acceptance on
        self._cancel_requested = threading.Event()
        self._ticket = self._robot.ticket
        self._closed = threading.Event()
        self._offer_action()
        parking = MutuallyExclusiveCallbackGroup()
        self.create_service(Trigger, "~/park", self._park, callback_group=parking)
        self.create_service(Trigger, "~/recover", self._recover, callback_group=parking)
        self._link_due = 0.0
        linking = MutuallyExclusiveCallbackGroup()
        self.create_timer(LINK_PERIOD, self._keep_link, linking, clock=self.steady)
        self._plan = self.create_publisher(Path, "~/plan", LATCHED)
        self._joint_states = self.create_publisher(JointState, "joint_states", 10)
        if self._settings.joint_states:
            self.create_timer(JOINT_STATE_PERIOD, self._publish_joints, clock=self.steady)
        self.report_diagnostics(f"arm {self._settings.robot_ip}", self._state)

    def _offer_action(self) -> None:
        """Reentrant, so that a cancel is heard while a goal is carried out."""
        self._server = ActionServer(
            self,
            ExecutePrimitive,
            "execute_primitive",
            self._execute,
            goal_callback=self._accept,
            cancel_callback=self._cancel,
            callback_group=ReentrantCallbackGroup(),
        )

    def _accept(self, _: ExecutePrimitive.Goal) -> GoalResponse:
        if self._taken.is_set() or self._robot.busy or self.stop.is_set():
            code = int(ErrorCode.GOAL_REJECTED)
            self.get_logger().warning(f"goal rejected: the arm is busy [error {code}]")
            return GoalResponse.REJECT
        self._taken.set()
        self._cancel_requested.clear()
        self._ticket = self._robot.ticket
        return GoalResponse.ACCEPT

    def _cancel(self, _: ServerGoalHandle) -> CancelResponse:
        """Stop the arm, in a thread: the goal counts as cancelling only after this returned."""
        self._cancel_requested.set()
        threading.Thread(target=self._robot.stop, daemon=True).start()
        return CancelResponse.ACCEPT

    def _execute(self, handle: ServerGoalHandle) -> ExecutePrimitive.Result:
        """Carry out one goal; runs in a thread of the executor."""
        self._lowered = ""
        try:
            outcome = self._outcome(handle)
        finally:
            self._taken.clear()
        error = _error(outcome)
        self._last_error = error
        if error is None:
            handle.succeed()
        elif error.code is ErrorCode.CANCELLED and self._is_cancelling(handle):
            handle.canceled()
        else:
            handle.abort()
        result = ExecutePrimitive.Result(outcome=outcome_to_msg(outcome))
        result.error_code, result.error_msg = int(outcome.error_code), outcome.error_msg
        if not result.error_msg and self._lowered:
            result.error_msg = f"sent with {self._lowered}"
        return result

    def _outcome(self, handle: ServerGoalHandle) -> Outcome:
        try:
            action = action_from_msg(handle.request.action)
            heightmap = heightmap_from_msg(handle.request.heightmap)
            motion = self._motion(action, heightmap)
            feedback = _Feedback(handle, motion)
            return self._robot.run(
                motion, feedback, self._ticket, lambda sent: self._tell(motion, sent)
            )
        except VpgError as error:
            return Outcome(False, error_code=error.code, error_msg=error.message)
        except Exception as error:  # a defect: rclpy would swallow it and answer with success
            self.fail(error)
            sentence = f"motion_node failed: {type(error).__name__}: {error}"
            return Outcome(False, error_code=ErrorCode.PROCESS_DIED, error_msg=sentence)

    def _tell(self, asked: Motion, sent: Motion) -> None:
        """Show and say what is really sent: the tool's way, what was lowered, all of a dry run."""
        poses = [step.pose for step in sent.steps if isinstance(step, JointMove | LinearMove)]
        self._plan.publish(path_to_msg(poses, self.now()))
        self._lowered = changes(asked, sent)
        if self._lowered:
            self.get_logger().info(f"{sent.primitive} is sent with {self._lowered}")
        if self._settings.dry_run:
            self.get_logger().info(f"dry run of {sent.primitive}: {describe(sent)}")

    def _motion(self, action: Action, heightmap: Heightmap) -> Motion:
        """What ``action`` means; for a return, with the first place drawn that the gate allows."""
        motion = primitives.get(action.primitive).motion(action, heightmap)
        if not self._settings.return_objects:
            return motion
        for _ in range(PLACES):
            back = returned(motion, heightmap, self._rng)
            if self._robot.allows(back):
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

    def _park(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Serve ``~/park``."""
        return _answer(response, self._robot.park())

    def _recover(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Serve ``~/recover``."""
        return _answer(response, self._robot.recover(self.stop))

    def _keep_link(self) -> None:
        """Make a lost link anew, however often that takes."""
        if self.stop.is_set() or time.monotonic() < self._link_due:
            return
        try:
            if self._robot.reconnect():
                self.get_logger().info("the link to the robot is made anew")
                self._last_error = None
        except VpgError as error:
            self._last_error = error
            if error.code is not ErrorCode.ARM_UNREACHABLE:
                self._link_due = time.monotonic() + UNUSABLE_PAUSE

    def _publish_joints(self) -> None:
        try:
            state = self._robot.state
        except VpgError as error:
            self._last_error = error
            return
        if state is not None:
            stamp = self.now()
            message = joint_state(JOINT_NAMES, state.joints, state.velocities, stamp)
            self._joint_states.publish(message)

    def _state(self) -> tuple[VpgError | None, dict[str, str]]:
        """For the diagnostics."""
        return self._last_error, {"busy": str(self._robot.busy)}

    def work(self) -> int:
        """Until it is stopped, and then until the task, which parks the arm, is gone."""
        super().work()
        self._robot.stop()
        deadline = time.monotonic() + TASK_END
        while self.wanted_by("task_node") and time.monotonic() < deadline:
            time.sleep(0.05)
        return 0

    def close(self) -> None:
        """Stop the arm, take it home where that is wanted, and disconnect."""
        self._robot.stop()
        threading.Thread(target=self._stop_when_hurried, daemon=True).start()
        try:
            if self._settings.park_on_stop and not self._robot.at_home:
                self._robot.park()
        except VpgError as error:
            self.get_logger().warning(f"not parked: {error.sentence}")
        finally:
            self._closed.set()
            self._devices.close()
            self._server.destroy()  # which the node does not do: it would stay in the graph

    def _stop_when_hurried(self) -> None:
        """A second Ctrl-C ends the way home too."""
        while not self._closed.wait(0.05):
            if self.hurry.is_set():
                self._robot.stop()
                return


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


def _error(outcome: Outcome) -> VpgError | None:
    """What the outcome says went wrong."""
    if outcome.error_code is ErrorCode.OK:
        return None
    return VpgError(outcome.error_code, outcome.error_msg)


def _answer(response: Trigger.Response, outcome: Outcome) -> Trigger.Response:
    """What a service says of ``outcome``."""
    error = _error(outcome)
    response.success = error is None
    response.message = "" if error is None else error.sentence
    return response


def main() -> None:
    """Entry point."""
    run_node("motion_node", MotionNode, threads=6, grace=ARM_END)


if __name__ == "__main__":
    main()
