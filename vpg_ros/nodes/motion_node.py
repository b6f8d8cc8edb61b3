"""motion_node: action in, robot moves, outcome out.

Action ``execute_primitive`` (vpg_msgs/ExecutePrimitive), see :mod:`.goals`. Service ``~/park``
(std_srvs/Trigger) lifts the tool and takes the arm home; ``~/recover`` does so slowly, after it has
ended a protective stop. A managed node (:mod:`.managed`): arm and gripper are connected when it is
configured, and move only while it is active; deactivating it stops the arm. A lost link is made
anew, but what was under way is over: no goal outlives a stop or a link. ``~/busy`` (std_msgs/Bool)
tells whether the arm carries something out.
"""

import threading
import time
from collections.abc import Callable

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from vpg_ros.devices.kinematics import JOINT_NAMES
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.motion import Outcome
from vpg_ros.nodes.connect import Devices, connect
from vpg_ros.nodes.convert import joint_state
from vpg_ros.nodes.goals import Goals, error_of
from vpg_ros.nodes.managed import ManagedNode
from vpg_ros.nodes.motion_parameters import Parameters
from vpg_ros.nodes.robot import Robot
from vpg_ros.nodes.spin import run_node
from vpg_ros.system import ARM_END, TASK_END

JOINT_STATE_PERIOD = 0.04  # s of wall time
BUSY_PERIOD = 0.2  # s of wall time
UNUSABLE_PAUSE = 3.0  # s before the next attempt at a robot that answers, but is stopped
LINK_PERIOD = 0.5  # s between two looks at the link, and between two attempts to make it anew


class MotionNode(ManagedNode):
    """See the module's text."""

    PARAMETERS = (*ManagedNode.PARAMETERS, Parameters)

    def __init__(self) -> None:
        super().__init__("motion_node")
        self._settings = self.read_parameters(Parameters)
        self._gate = self._settings.gate
        self._devices = Devices()
        self._robot: Robot | None = None
        self._last_error: VpgError | None = None
        self._closed = threading.Event()
        self._leaving = threading.Event()  # set while no job may go on
        self._link_due = 0.0
        self._goals = Goals(self, self._settings, self._end_of_job)
        linking = MutuallyExclusiveCallbackGroup()
        self.create_timer(LINK_PERIOD, self._keep_link, linking, clock=self.steady)
        self._joint_states = self.create_publisher(JointState, "joint_states", 10)
        if self._settings.joint_states:
            self.create_timer(JOINT_STATE_PERIOD, self._publish_joints, clock=self.steady)
        self._busy = self.create_publisher(Bool, "~/busy", 10)
        self.create_timer(BUSY_PERIOD, self._publish_busy, clock=self.steady)
        self.report_diagnostics(f"arm {self._settings.robot_ip}", self._state)

    def offer(self) -> None:
        """``execute_primitive``, and one at a time ``~/park`` and ``~/recover``."""
        self._goals.offer()
        group = MutuallyExclusiveCallbackGroup()
        jobs: dict[str, Callable[[Robot, int], Outcome]] = {
            "~/park": lambda robot, ticket: robot.park(ticket),
            "~/recover": lambda robot, _: robot.recover(self._leaving),
        }
        for name, job in jobs.items():

            def serve(
                _: Trigger.Request,
                response: Trigger.Response,
                job: Callable[[Robot, int], Outcome] = job,
            ) -> Trigger.Response:
                return _answer(response, self._carried_out(job))

            self.create_service(Trigger, name, serve, callback_group=group)

    def connect(self) -> None:
        """Connect to arm and gripper, which may take a while to come up."""
        self._devices = connect(self._settings, self.stop)
        self._robot = Robot(self._gate, self._devices.arm, self._devices.gripper)
        self._last_error = None

    def begin(self) -> None:
        """Take goals."""
        self._leaving = threading.Event()  # a recovery may still look at the one before
        self._goals.robot = self._robot

    def pause(self) -> None:
        """Take no more goals, and end the one under way."""
        self._leaving.set()
        self._goals.robot = None
        if self._robot is not None:
            self._robot.stop()

    def release(self) -> None:
        """Disconnect."""
        self.pause()
        devices, self._devices, self._robot = self._devices, Devices(), None
        devices.close()

    def _carried_out(self, job: Callable[[Robot, int], Outcome]) -> Outcome:
        """What comes of a job that a service asks for."""
        robot = self._robot
        # Drawn first, or a deactivation in between would not be noticed.
        ticket = 0 if robot is None else robot.ticket
        try:
            outcome = job(self.in_use(robot), ticket)
            self._end_of_job(error_of(outcome))
            return outcome
        except VpgError as error:
            return Outcome(False, error_code=error.code, error_msg=error.message)

    def _end_of_job(self, error: VpgError | None) -> None:
        self._last_error = error

    def _keep_link(self) -> None:
        """Make a lost link anew, however often that takes."""
        robot = self._robot
        if robot is None or self.stop.is_set() or time.monotonic() < self._link_due:
            return
        try:
            if robot.reconnect():
                self.get_logger().info("the link to the robot is made anew")
                self._last_error = None
        except VpgError as error:
            self._last_error = error
            if error.code is not ErrorCode.ARM_UNREACHABLE:
                self._link_due = time.monotonic() + UNUSABLE_PAUSE

    def _publish_joints(self) -> None:
        robot = self._robot
        if robot is None:
            return
        try:
            state = robot.state
        except VpgError as error:
            self._last_error = error
            return
        message = joint_state(JOINT_NAMES, state.joints, state.velocities, self.now())
        self._joint_states.publish(message)

    def _state(self) -> tuple[VpgError | None, dict[str, str]]:
        """For the diagnostics."""
        robot = self._robot
        refused = None if robot is None else robot.refusal
        error = self.trouble or refused or self._last_error
        return error, {"state": self.state, "busy": str(self._is_busy)}

    @property
    def _is_busy(self) -> bool:
        """Whether the arm carries something out, however slowly."""
        return self._robot is not None and self._robot.busy

    def _publish_busy(self) -> None:
        self._busy.publish(Bool(data=self._is_busy))

    def work(self) -> int:
        """Until it is stopped, and then until the task, which parks the arm, is gone."""
        super().work()
        self._leaving.set()
        if self._robot is not None:
            self._robot.stop()
        deadline = time.monotonic() + TASK_END
        while self.wanted_by("task_node") and time.monotonic() < deadline:
            time.sleep(0.05)
        return 0

    def close(self) -> None:
        """Stop the arm, take it home where that is wanted and the node was active, disconnect."""
        try:
            if self._goals.robot is not None:
                self._take_home(self._goals.robot)
        except VpgError as error:
            self.get_logger().warning(f"not parked: {error.sentence}")
        finally:
            self._closed.set()
            self.release()
            self._goals.close()

    def _take_home(self, robot: Robot) -> None:
        ticket = robot.stop()
        threading.Thread(target=self._stop_when_hurried, args=(robot,), daemon=True).start()
        if not self._settings.park_on_stop or robot.at_home:
            return
        if robot.cut_off:
            sentence = "the link was lost, and nobody has asked the arm to move since"
            raise VpgError(ErrorCode.ARM_LINK_LOST, sentence)
        error = error_of(robot.park(ticket))
        if error is not None:
            raise error

    def _stop_when_hurried(self, robot: Robot) -> None:
        """A second Ctrl-C ends the way home too."""
        while not self._closed.wait(0.05):
            if self.hurry.is_set():
                robot.stop()
                return


def _answer(response: Trigger.Response, outcome: Outcome) -> Trigger.Response:
    """What a service says of ``outcome``."""
    error = error_of(outcome)
    response.success = error is None
    response.message = "" if error is None else error.sentence
    return response


def main() -> None:
    """Entry point."""
    run_node("motion_node", MotionNode, threads=6, grace=ARM_END)


if __name__ == "__main__":
    main()
