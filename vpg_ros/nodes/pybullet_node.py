"""pybullet_node: the simulated cell in the place of camera, arm and gripper.

It publishes what a RealSense driver publishes and, through the UR controller emulator, answers on
the ports that a UR controller and its gripper answer on. World, emulator and clock run in
lock-step: one exchange every 8 ms of simulated time, ``time_scale`` times as fast as real time.
"""

import json
import queue
import threading
import time
from dataclasses import dataclass, field

import numpy as np
from geometry_msgs.msg import PoseStamped
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vpg_ros.devices import grippers
from vpg_ros.devices.kinematics import JOINT_NAMES
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.camera_publisher import FAULTS, CameraPublisher
from vpg_ros.nodes.convert import joint_state, pose_stamped, stamp_to_msg
from vpg_ros.nodes.emulator import Emulator
from vpg_ros.nodes.memory import reserve_memory
from vpg_ros.nodes.pace import Every, Pace
from vpg_ros.nodes.parameters import parameter
from vpg_ros.nodes.qos import LATCHED
from vpg_ros.nodes.spin import run_node
from vpg_ros.nodes.workspace_parameters import WorkspaceParameters
from vpg_ros.sim import scenes
from vpg_ros.sim.controller.link import RobotState
from vpg_ros.sim.world import World
from vpg_ros.system import ARM_END, SIMULATOR_END

CYCLE_STEPS = 2  # physics steps of a control cycle
STILL = 1e-3  # rad/s of a joint, and m of the fingers in a cycle, below which nothing moves
IDLE_CYCLES = 10  # without motion after which the robot is idle
IDLE_PAUSE = 0.0015  # s of wall time that an idle cycle takes longer: some five times real time
CLOCK_PERIOD = 0.05  # s of wall time between two /clock messages at most
JOINT_STATE_PERIOD = 0.04  # s of wall time
RESET_TIMEOUT = 30.0  # s of wall time


@dataclass(frozen=True)
class Parameters(WorkspaceParameters):
    """What pybullet_node can be told."""

    scene: str = parameter("scene family on the table", "random", choices=scenes.names())
    objects: int = parameter("number of objects", 10, low=1, high=40)
    seed: int = parameter("seed of the scene and of the camera's noise", 0, low=0)
    time_scale: float = parameter("simulated s per s; 0: as fast as it can", 0.0, low=0.0)
    headless: bool = parameter("without PyBullet's own window", True)
    robot_ip: str = parameter("loopback address of the simulated controller", "127.0.0.2")
    gripper: str = parameter("gripper at the end of the arm", "rg2", choices=grippers.NAMES)
    depth_noise: bool = parameter("give the camera a real one's depth noise", True)
    camera_rate: float = parameter(
        "pictures per simulated s, while somebody listens", 10.0, low=0.1
    )
    camera_fault: str = parameter(
        "for tests: what is wrong with the camera", "", choices=FAULTS, changeable=True
    )
    restless: bool = parameter("for tests: no object ever lies still", False, changeable=True)
    fault_port: int = parameter(
        "for tests: port of the controller's side channel on robot_ip; 0: none",
        0,
        low=0,
        high=65535,
    )


@dataclass
class _Reset:
    """A request of the service for the thread that owns the world."""

    done: threading.Event = field(default_factory=threading.Event)
    error: VpgError | None = None


class PybulletNode(VpgNode):
    """See the module's text. The world belongs to the main thread, which runs ``work``."""

    PARAMETERS = (Parameters,)

    def __init__(self) -> None:
        super().__init__("pybullet_node")
        reserve_memory(64 << 20)  # pictures take more or less, by how much of them moves
        self._settings = self.read_parameters(Parameters)
        scenes.base.check(self._settings.scene, self._settings.objects)
        self._resets: queue.SimpleQueue[_Reset] = queue.SimpleQueue()
        self._emulator = Emulator(
            self._settings.robot_ip, self._settings.gripper, self._settings.fault_port
        )
        try:
            self._world = self._new_world()
            self._offer_topics()
            self._world.apply(self._emulator.start(self._world.state()), CYCLE_STEPS)
        except BaseException:
            self._emulator.close()
            raise

    def _new_world(self) -> World:
        settings = self._settings
        data = grippers.get(settings.gripper).data
        world = World(settings.seed, settings.workspace, not settings.headless, data)
        scenes.build(world, settings.scene, settings.objects)
        return world

    def _offer_topics(self) -> None:
        """Publishers, the reset service and diagnostics."""
        self._camera = CameraPublisher(
            self, self._world, self._settings.camera_rate, self._settings.depth_noise
        )
        self._clock_topic = self.create_publisher(Clock, "/clock", 10)
        self._joints = self.create_publisher(JointState, "joint_states", 10)
        self._status = self.create_publisher(String, "~/status", LATCHED)
        self._pose = self.create_publisher(PoseStamped, "camera/pose", LATCHED)
        self._pose.publish(pose_stamped(self._camera.pose, self._world.time))
        self._counts: dict[str, int] = {}
        self._cycle_rate = 0.0
        self._end, self._farewell = 0.0, Every(0.05)
        self._width, self._still = 0.0, 0
        self.create_service(Trigger, "~/reset", self._request_reset)
        self.report_diagnostics("simulator", self._state)

    def work(self) -> int:
        """The lock-step loop."""
        pace = Pace(self._settings.time_scale, self._world.time)
        clock, joints = Every(CLOCK_PERIOD), Every(JOINT_STATE_PERIOD)
        while not self._ends():
            state = self._world.state()
            if clock.due():
                self._publish_clock()
                self._publish_status()
                self._suffer()
                self._serve_reset()
            if joints.due():
                self._publish_joints(state)
            if self._camera.due():
                self._publish_clock()
                self._camera.publish()
            self._world.apply(self._emulator.exchange(state), CYCLE_STEPS)
            self._world.step(CYCLE_STEPS)
            pace.wait(self._world.time)
            if self._is_idle(state):
                # Nobody waits for the robot: leave the processor to fusion and inference.
                time.sleep(IDLE_PAUSE)
            self._cycle_rate = pace.rate
        return 0

    def _is_idle(self, state: RobotState) -> bool:
        """Whether arm and fingers have stood still for some cycles."""
        moved = float(np.abs(state.velocities).max()) > STILL
        moved = moved or abs(state.gripper_width - self._width) > STILL
        self._width = state.gripper_width
        self._still = 0 if moved else self._still + 1
        return self._still > IDLE_CYCLES

    def _ends(self) -> bool:
        """Whether to stop: when asked to, and the arm's node is gone or has had its time."""
        if not self.stop.is_set():
            return False
        self._end = self._end or time.monotonic() + ARM_END
        if not self._farewell.due():
            return False
        return time.monotonic() > self._end or not self.wanted_by("motion_node")

    def _publish_clock(self) -> None:
        self._clock_topic.publish(Clock(clock=stamp_to_msg(self._world.time)))

    def _publish_joints(self, state: RobotState) -> None:
        message = joint_state(JOINT_NAMES, state.joints, state.velocities, state.time)
        self._joints.publish(message)

    def _publish_status(self) -> None:
        """What became of the objects, as JSON, whenever it changed."""
        counts = {
            "objects": len(self._world.objects),
            "picked": self._world.picked,
            "lost": self._world.lost,
        }
        if counts != self._counts:
            self._counts = counts
            self._status.publish(String(data=json.dumps(counts)))

    def _request_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Serve ``~/reset``: a new scene of the same family, drawn with the world's generator."""
        reset = _Reset()
        self._resets.put(reset)
        if not self.wait(reset.done, RESET_TIMEOUT):
            sentence = f"the simulator did not reset within {RESET_TIMEOUT:g} s"
            reset.error = VpgError(ErrorCode.NODE_NOT_AVAILABLE, sentence)
        response.success = reset.error is None
        response.message = "" if reset.error is None else reset.error.sentence
        return response

    def _suffer(self) -> None:
        """Make the faults that the parameters ask for."""
        self._camera.fault = str(self.get_parameter("camera_fault").value)
        self._world.stirred = bool(self.get_parameter("restless").value)

    def _serve_reset(self) -> None:
        """Carry out a requested reset; the arm stays where it is."""
        if self._resets.empty():
            return
        reset = self._resets.get()
        try:
            for body in self._world.objects:
                self._world.remove(body)
            scenes.build(self._world, self._settings.scene, self._settings.objects)
        except VpgError as error:
            reset.error = error
        reset.done.set()

    def _state(self) -> tuple[VpgError | None, dict[str, str]]:
        """For the diagnostics."""
        values = {
            "time": f"{self._world.time:.2f} s",
            "speed": f"{self._cycle_rate:.1f} × real time",
        }
        return None, values | {name: str(count) for name, count in self._counts.items()}

    def close(self) -> None:
        """End the emulator and free the world."""
        self._emulator.close()
        self._world.close()


def main() -> None:
    """Entry point."""
    run_node("pybullet_node", PybulletNode, threads=2, grace=SIMULATOR_END)


if __name__ == "__main__":
    main()
