"""The UR controller emulator, driven by the unmodified ``ur_rtde`` library and by plain sockets."""

import ctypes
import re
import socket
import subprocess
import sys
import threading
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fixtures_controller import Emulator, emulator, eventually, free_host, wait_until_ready
from hypothesis import given
from hypothesis import strategies as st

from vpg_ros.devices.dashboard import Dashboard
from vpg_ros.devices.kinematics import UR5
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Pose
from vpg_ros.sim.controller.__main__ import main
from vpg_ros.sim.controller.link import CYCLE, RobotState, WorldEnd
from vpg_ros.sim.controller.recipes import INPUT_TYPES, OUTPUT_TYPES, Recipe
from vpg_ros.sim.controller.script import Script
from vpg_ros.sim.controller.trajectory import (
    JointTrajectory,
    LinearTrajectory,
    Stop,
    Trajectory,
    Trapezoid,
)

rtde_control = pytest.importorskip("rtde_control")
rtde_receive = pytest.importorskip("rtde_receive")
rtde_io = pytest.importorskip("rtde_io")
dashboard_client = pytest.importorskip("dashboard_client")

TOOL = [0.0, 0.0, 0.2, 0.0, 0.0, 0.0]


def disconnect(*interfaces: Any) -> None:
    """Disconnect all at once; their destructors, which sleep, are never run."""
    threads = [threading.Thread(target=interface.disconnect) for interface in interfaces]
    for interface in interfaces:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(interface))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Client:
    """The library's interfaces to one controller."""

    def __init__(self, robot: Emulator) -> None:
        self._robot = robot
        self.receive = rtde_receive.RTDEReceiveInterface(robot.host)
        self.control = rtde_control.RTDEControlInterface(robot.host)

    def settled(self) -> np.ndarray:
        """Joints, from a sample that is newer than this call."""
        self.sleep(0.02)
        return np.array(self.receive.getActualQ())

    def sleep(self, seconds: float) -> None:
        """Let ``seconds`` of the controller's time pass."""
        wake = self._robot.state()["time"] + seconds
        eventually(lambda: self.receive.getTimestamp() >= wake)

    def upload(self) -> None:
        """Have the control script running again."""
        assert self.control.reuploadScript()
        eventually(self.control.isProgramRunning)

    def close(self) -> None:
        self.control.stopScript()
        disconnect(self.control, self.receive)


@pytest.fixture(scope="module")
def robot() -> Iterator[Emulator]:
    with emulator() as running:
        yield running


@pytest.fixture(scope="module")
def client(robot: Emulator) -> Iterator[Client]:
    connected = Client(robot)
    connected.control.setTcp(TOOL)
    yield connected
    connected.close()


# -- trajectories ----------------------------------------------------------------------------------


def followed(trajectory: Trajectory) -> np.ndarray:
    """Joint targets of every cycle until the trajectory is done."""
    joints = []
    while not trajectory.done:
        joints.append(trajectory.advance(CYCLE))
        assert len(joints) < 10_000
    return np.array(joints)


START = np.array([-1.1, -1.4, 1.2, -1.4, -1.57, 0.5])


def test_joint_trajectory_ends_at_its_goal_within_its_limits() -> None:
    goal = START + np.array([0.5, -0.2, 0.1, 0.0, 0.3, -1.0])
    path = followed(JointTrajectory(START, goal, speed=1.0, acceleration=2.0))
    speeds = np.diff(path, axis=0) / CYCLE
    assert np.allclose(path[-1], goal)
    assert np.abs(speeds).max() <= 1.0 + 1e-9
    assert np.abs(np.diff(speeds, axis=0) / CYCLE).max() <= 2.0 + 1e-6
    assert len(path) * CYCLE == pytest.approx(1.0 / 1.0 + 1.0 / 2.0, abs=2 * CYCLE)


@given(
    distance=st.floats(0.0, 10.0), speed=st.floats(0.01, 4.0), acceleration=st.floats(0.05, 50.0)
)
def test_trapezoid_covers_its_distance_within_its_limits(
    distance: float, speed: float, acceleration: float
) -> None:
    profile = Trapezoid(distance, speed, acceleration)
    times = np.linspace(0.0, profile.duration, 200)
    covered = np.array([profile.position(time) for time in times])
    assert covered[0] == 0.0 and covered[-1] == pytest.approx(distance, abs=1e-9)
    steps = np.diff(covered)
    assert steps.min(initial=0.0) >= -1e-9
    assert (steps <= speed * (times[1] - times[0]) * (1 + 1e-6) + 1e-9).all()
    assert profile.position(profile.duration + 1.0) == pytest.approx(distance, abs=1e-9)


def test_linear_trajectory_is_straight_and_keeps_its_speed() -> None:
    goal = UR5.forward(START).translated(dx=-0.1, dy=-0.15, dz=-0.1)
    path = followed(LinearTrajectory(UR5, START, goal, speed=0.25, acceleration=1.2))
    points = np.array([UR5.forward(joints).position for joints in path])
    way = points[-1] - points[0]
    off = np.cross(points - points[0], way / np.linalg.norm(way))
    assert np.linalg.norm(off, axis=1).max() < 1e-6
    assert np.linalg.norm(np.diff(points, axis=0), axis=1).max() / CYCLE <= 0.25 + 1e-6
    assert np.allclose(points[-1], goal.position, atol=1e-9)


def test_line_out_of_reach_is_refused_on_the_way() -> None:
    goal = UR5.forward(START).translated(dx=-2.0)
    with pytest.raises(VpgError) as caught:
        followed(LinearTrajectory(UR5, START, goal, speed=0.5, acceleration=1.0))
    assert caught.value.code is ErrorCode.POSE_UNREACHABLE


def test_a_stop_decelerates_evenly_to_standstill() -> None:
    velocities = np.array([1.0, -0.5, 0.0, 0.0, 0.0, 0.2])
    path = followed(Stop(START, velocities, duration=0.2))
    assert np.allclose(path[-1], START + velocities * 0.1)
    assert np.abs(path[-1] - path[-2]).max() / CYCLE < 0.05


def test_standing_still_is_a_move_too() -> None:
    assert np.allclose(followed(JointTrajectory(START, START, 1.0, 1.0))[-1], START)
    here = UR5.forward(START)
    assert np.allclose(followed(LinearTrajectory(UR5, START, here, 0.1, 1.0))[-1], START)


@pytest.mark.parametrize(("speed", "acceleration"), [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0)])
def test_a_move_without_speed_is_refused(speed: float, acceleration: float) -> None:
    with pytest.raises(VpgError):
        JointTrajectory(START, START + 0.1, speed, acceleration)


# -- recipes and scripts ---------------------------------------------------------------------------


def test_a_recipe_packs_in_order_and_names_what_it_does_not_know() -> None:
    recipe = Recipe.parse("timestamp,actual_q,runtime_state,", OUTPUT_TYPES)
    assert recipe.types == ("DOUBLE", "VECTOR6D", "UINT32") and recipe.valid
    assert recipe.packer().size == 8 + 48 + 4
    unknown = Recipe.parse("timestamp,no_such_thing", OUTPUT_TYPES)
    assert unknown.types[1] == "NOT_FOUND" and not unknown.valid


@pytest.mark.parametrize("size", [0, 3, 4, 11, 12, 20, 100])
def test_frames_shorter_or_longer_than_their_recipe_give_what_fits(size: int) -> None:
    recipe = Recipe.parse("input_int_register_0,input_double_register_0", INPUT_TYPES)
    values = recipe.unpack(bytes(size))
    assert len(values) == (size >= 4) + (size >= 12)


def test_the_script_gives_its_offset_and_path() -> None:
    text = (
        "def rtde_control():\n# int register offset\n24\n    def exec_move_path():\n"
        "        # inject move path\n\tmovej([1,2,3,4,5,6],a=2,v=1,r=0)\n"
        "\tmovel(p[.1,.2,.3,0,0,0],a=1.5,v=0.5,r=0)\n    end\nend\n"
    )
    script = Script.parse(text)
    assert script.is_control and script.offset == 24
    first, second = script.path
    assert (first.linear, first.values, first.speed) == (False, (1, 2, 3, 4, 5, 6), 1.0)
    assert (second.linear, second.pose, second.acceleration) == (True, True, 1.5)


# -- the library against the emulator --------------------------------------------------------------


@pytest.mark.parametrize("version", ["3.15.0", "5.11.0", "5.25.1"])
def test_handshake_of_every_generation(version: str) -> None:
    with emulator("--version", version, "--time-scale", "4") as robot:
        client = Client(robot)
        goal = np.array(client.receive.getActualQ()) + 0.1
        assert client.control.moveJ(goal.tolist(), 1.0, 2.0)
        assert np.allclose(client.settled(), goal, atol=1e-9)
        client.close()


def test_joint_move_ends_where_it_should(client: Client) -> None:
    goal = client.settled() + np.array([0.2, -0.1, 0.1, 0.0, 0.1, 0.3])
    assert client.control.moveJ(goal.tolist(), 2.0, 6.0)
    assert np.degrees(np.abs(client.settled() - goal)).max() < 0.1


@pytest.mark.parametrize("method", ["moveL", "moveJ_IK"])
def test_pose_moves_end_where_they_should(client: Client, method: str) -> None:
    client.settled()
    start = Pose.from_rotvec(np.array(client.receive.getActualTCPPose()))
    goal = start.translated(dx=-0.05, dy=-0.05, dz=-0.05)
    assert getattr(client.control, method)(goal.rotvec.tolist(), 0.5, 2.0)
    end = Pose.from_rotvec(np.array(UR5.forward(client.settled()).rotvec))
    assert np.linalg.norm(np.subtract(end.position, goal.position)) < 1e-3
    assert np.allclose(end.matrix[:3, :3], goal.matrix[:3, :3], atol=1e-3)
    assert client.control.moveL(start.rotvec.tolist(), 0.5, 2.0)


def test_linear_move_to_joints(client: Client) -> None:
    start = np.array(client.receive.getActualQ())
    goal = start + np.array([0.1, 0.05, 0.0, 0.0, 0.0, 0.0])
    assert client.control.moveL_FK(goal.tolist(), 0.5, 2.0)
    assert np.allclose(client.settled(), goal, atol=1e-6)
    assert client.control.moveL_FK(start.tolist(), 0.5, 2.0)


@pytest.mark.parametrize("stop", ["stopJ", "stopL"])
def test_asynchronous_move_is_reported_and_can_be_stopped(client: Client, stop: str) -> None:
    start = np.array(client.receive.getActualQ())
    goal = start + np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    before = client.control.getAsyncOperationProgressEx().operationId()
    assert client.control.moveJ(goal.tolist(), 1.0, 2.0, True)
    client.sleep(0.2)
    status = client.control.getAsyncOperationProgressEx()
    assert status.isAsyncOperationRunning() and status.operationId() == (before + 1) % 128
    assert not client.control.isSteady()
    getattr(client.control, stop)(3.0)
    stopped = client.settled()
    assert not client.control.getAsyncOperationProgressEx().isAsyncOperationRunning()
    assert start[0] < stopped[0] < goal[0]
    assert np.array_equal(client.settled(), stopped) and client.control.isSteady()
    assert client.control.moveJ(start.tolist(), 2.0, 4.0)


def test_a_new_move_takes_over_from_one_under_way(client: Client) -> None:
    start = np.array(client.receive.getActualQ())
    assert client.control.moveJ((start + 0.5).tolist(), 1.0, 2.0, True)
    client.sleep(0.2)
    assert client.control.moveJ(start.tolist(), 1.0, 2.0)
    assert np.allclose(client.settled(), start)


def test_path_of_several_waypoints(client: Client) -> None:
    start = np.array(client.receive.getActualQ())
    path = [[*(start + 0.1), 1.0, 4.0, 0.0], [*start, 1.0, 4.0, 0.0]]
    assert client.control.moveJ(path)
    assert np.allclose(client.settled(), start, atol=1e-4)


def test_speed_control_moves_and_stops(client: Client) -> None:
    start = np.array(client.receive.getActualQ())
    assert client.control.speedJ([0.3, 0, 0, 0, 0, 0], 2.0)
    client.sleep(0.3)
    assert client.control.speedStop(5.0)
    turned = client.settled()
    assert 0.03 < turned[0] - start[0] < 0.3
    height = UR5.forward(turned).position[2]
    assert client.control.speedL([0, 0, 0.05, 0, 0, 0], 1.0)
    client.sleep(0.3)
    assert client.control.speedStop(5.0)
    risen = UR5.forward(client.settled()).position[2] - height
    assert 0.003 < risen < 0.05
    assert client.control.moveJ(start.tolist(), 2.0, 4.0)


def test_servo_follows_its_target(client: Client) -> None:
    start = np.array(client.receive.getActualQ())
    for step in range(60):
        client.control.servoJ((start + 0.001 * step).tolist(), 0.0, 0.0, 0.008, 0.03, 300)
        time.sleep(0.008)
    assert client.control.servoStop(10.0)
    assert 0.03 < (client.settled() - start).max() < 0.08
    assert client.control.moveJ(start.tolist(), 2.0, 4.0)


def test_settings_are_kept(client: Client, robot: Emulator) -> None:
    assert client.control.setPayload(1.3, [0.0, 0.0, 0.05])
    assert client.control.getTCPOffset() == pytest.approx(TOOL)
    client.sleep(0.02)
    assert client.receive.getPayload() == pytest.approx(1.3)
    assert client.receive.getPayloadCog() == pytest.approx([0.0, 0.0, 0.05])


def test_inverse_kinematics_and_transforms(client: Client) -> None:
    joints = client.settled()
    pose = UR5.forward(joints).rotvec.tolist()
    assert client.control.getInverseKinematics(pose) == pytest.approx(joints.tolist(), abs=1e-6)
    near = client.control.getInverseKinematics(pose, joints.tolist())
    assert near == pytest.approx(joints.tolist(), abs=1e-6)
    assert client.control.getInverseKinematicsHasSolution(pose)
    assert not client.control.getInverseKinematicsHasSolution([3.0, 0, 0, 0, 0, 0])
    shift = client.control.poseTrans([1.0, 0, 0, 0, 0, 0], [0, 2.0, 0, 0, 0, 0])
    assert shift == pytest.approx([1.0, 2.0, 0, 0, 0, 0])
    assert client.control.getForwardKinematics() == pytest.approx(pose, abs=1e-6)
    tool = client.control.getForwardKinematics(joints.tolist(), TOOL)
    assert np.allclose(
        Pose.from_rotvec(np.array(tool)).matrix, UR5.forward(joints).matrix, atol=1e-6
    )


def test_an_impossible_pose_kills_the_script_until_it_is_uploaded_again(client: Client) -> None:
    assert client.control.getInverseKinematics([3.0, 0, 0, 0, 0, 0]) == []
    assert not client.control.moveJ(client.settled().tolist(), 1.0, 1.0)
    client.upload()
    assert client.control.moveJ(client.settled().tolist(), 1.0, 1.0)


def test_custom_script_and_outputs(client: Client, robot: Emulator) -> None:
    assert client.control.sendCustomScriptFunction(
        "demo", "sleep(0.05)\nset_standard_digital_out(3, True)"
    )
    client.sleep(0.02)
    assert client.receive.getDigitalOutState(3) and not client.receive.getDigitalOutState(2)


def test_io_interface(client: Client, robot: Emulator) -> None:
    outputs, receive = rtde_io.RTDEIOInterface(robot.host), client.receive
    try:
        outputs.setStandardDigitalOut(5, True)
        outputs.setToolDigitalOut(1, True)
        outputs.setSpeedSlider(0.5)
        eventually(lambda: receive.getDigitalOutState(5) and receive.getDigitalOutState(17))
        eventually(lambda: receive.getTargetSpeedFraction() == 0.5)
        outputs.setStandardDigitalOut(5, False)
        outputs.setSpeedSlider(1.0)
        eventually(lambda: not receive.getDigitalOutState(5))
    finally:
        outputs.disconnect()


def test_the_speed_slider_slows_a_move(client: Client, robot: Emulator) -> None:
    start = client.settled()
    took = {}
    for slider in ("1", "0.4"):
        robot.fault(f"slider {slider}")
        begin = client.receive.getTimestamp()
        assert client.control.moveJ((start + 0.3).tolist(), 1.0, 4.0)
        took[slider] = client.receive.getTimestamp() - begin
        robot.fault("slider 1")
        assert client.control.moveJ(start.tolist(), 2.0, 8.0)
    assert took["0.4"] > 2.0 * took["1"]


def test_dashboard(robot: Emulator, client: Client) -> None:
    board = dashboard_client.DashboardClient(robot.host)
    board.connect()
    assert board.polyscopeVersion().startswith("5.11.0")
    assert board.isInRemoteControl() and board.running()
    assert board.robotmode() == "Robotmode: RUNNING"
    assert board.getRobotModel() == "UR5"
    with pytest.raises(Exception, match="Unlock protective stop failure"):
        board.unlockProtectiveStop()
    board.disconnect()


@pytest.mark.parametrize(("version", "known"), [("3.15.0", False), ("5.5.1", False), ("5.6", True)])
def test_only_newer_controllers_know_of_remote_control(version: str, known: bool) -> None:
    with emulator("--version", version) as other, Dashboard(other.host) as board:
        answer = board.ask("is in remote control")
        assert answer == ("true" if known else "could not understand: 'is in remote control'")
        other.fault("local")
        assert board.ask("is in remote control") == ("false" if known else answer)


def test_protective_stop_ends_a_blocking_move(robot: Emulator, client: Client) -> None:
    start = client.settled()
    assert client.control.moveJ((start + 0.5).tolist(), 1.0, 2.0, True)
    client.sleep(0.2)
    robot.fault("pstop")
    eventually(client.receive.isProtectiveStopped)
    assert not client.control.moveJ(start.tolist(), 1.0, 2.0)
    stopped = client.settled()
    assert np.array_equal(client.settled(), stopped)
    robot.fault("unlock")
    client.upload()
    assert client.control.moveJ(start.tolist(), 2.0, 4.0)


def test_a_client_can_ask_for_a_protective_stop(robot: Emulator, client: Client) -> None:
    client.control.triggerProtectiveStop()
    eventually(client.receive.isProtectiveStopped)
    robot.fault("unlock")
    client.upload()


def test_safety_limits_can_be_asked_for(client: Client) -> None:
    joints = client.settled()
    assert client.control.isJointsWithinSafetyLimits(joints.tolist())
    assert not client.control.isJointsWithinSafetyLimits((joints + 10.0).tolist())
    assert client.control.isPoseWithinSafetyLimits(UR5.forward(joints).rotvec.tolist())
    assert not client.control.isPoseWithinSafetyLimits([3.0, 0.0, 0.0, 0.0, 0.0, 0.0])


def test_watchdog_stops_the_script_of_a_silent_client(robot: Emulator, client: Client) -> None:
    assert client.control.setWatchdog(5.0)
    for _ in range(4):
        time.sleep(0.1)
        assert client.control.kickWatchdog()
    robot.until("runtime", "STOPPED")
    client.upload()


def test_upper_registers_work_too(robot: Emulator) -> None:
    with emulator() as other:
        control = rtde_control.RTDEControlInterface(
            other.host, -1.0, rtde_control.RTDEControlInterface.FLAG_UPLOAD_SCRIPT | 8
        )
        goal = [*map(float, other.state()["joints"])]
        goal[0] += 0.1
        assert control.moveJ(goal, 2.0, 6.0)
        assert other.state()["joints"] == pytest.approx(goal)
        control.stopScript()
        disconnect(control)


# -- the process -----------------------------------------------------------------------------------


def test_a_taken_port_is_named(robot: Emulator) -> None:
    command = [sys.executable, "-m", "vpg_ros.sim.controller", "--host", robot.host]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    (sentence,) = done.stderr.strip().splitlines()
    assert f"{robot.host}:30004" in sentence and "in use" in sentence


@pytest.mark.parametrize(
    "options",
    [
        ("--host", "10.1.2.3"),
        ("--host", "0.0.0.0"),
        ("--host", "robot"),
        ("--version", "five"),
        ("--time-scale", "-1"),
        ("--object-width", "0.5"),
    ],
)
def test_bad_options_are_named(
    options: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options) == 1
    (sentence,) = capsys.readouterr().err.strip().splitlines()
    assert options[0] in sentence and options[1] in sentence and "allowed" in sentence


def linked_process(host: str) -> tuple["subprocess.Popen[str]", WorldEnd]:
    world, other = WorldEnd.create()
    command = [sys.executable, "-m", "vpg_ros.sim.controller", "--host", host]
    command += ["--link-fd", str(other.fileno())]
    process = subprocess.Popen(
        command, pass_fds=(other.fileno(),), stdout=subprocess.PIPE, text=True
    )
    other.close()
    return process, world


def standing(seconds: float) -> RobotState:
    return RobotState(seconds, START, np.zeros(6), np.zeros(6), 0.08)


def test_the_link_runs_in_lock_step_and_ends_the_process() -> None:
    process, world = linked_process(free_host())
    for cycle in range(50):
        command = world.exchange(standing(cycle * CYCLE), timeout=30.0)
        assert np.array_equal(command.joints, START) and command.gripper_width == 0.08
    wait_until_ready(process)
    world.close()
    assert process.wait(timeout=10) == 0


def test_the_world_is_told_when_the_controller_dies() -> None:
    process, world = linked_process(free_host())
    world.exchange(standing(0.0), timeout=30.0)
    process.kill()
    process.wait()
    with pytest.raises(VpgError) as caught:
        world.exchange(standing(CYCLE), timeout=5.0)
    assert caught.value.code is ErrorCode.CONTROLLER_FAILED


def test_the_world_does_not_wait_for_ever() -> None:
    world, other = WorldEnd.create()
    with pytest.raises(VpgError, match=r"within 0\.05 s"):
        world.exchange(standing(0.0), timeout=0.05)
    other.close()


@pytest.mark.parametrize("garbage", [b"\x00\x01V", b"GET / HTTP/1.0\r\n\r\n", b"\xff\xff\xff"])
def test_garbage_on_the_rtde_port_harms_nobody(robot: Emulator, garbage: bytes) -> None:
    with socket.create_connection((robot.host, 30004), 2.0) as connection:
        connection.sendall(garbage)
    before = robot.state()["time"]
    eventually(lambda: robot.state()["time"] > before)


@pytest.fixture
def gripper() -> Iterator[Callable[..., object]]:
    with emulator("--object-width", "0.03") as robot:
        proxy = xmlrpc.client.ServerProxy(f"http://{robot.host}:41414")
        yield lambda name, *arguments: getattr(proxy, name)(0, *arguments)


def test_gripper_calls(gripper: Callable[..., object]) -> None:
    assert gripper("rg_get_width") == pytest.approx(110.0)
    assert gripper("rg_grip", 0.0, 20.0) == 0
    assert gripper("rg_get_busy") is True and gripper("rg_get_status") == 1
    deadline = time.monotonic() + 5.0
    while gripper("rg_get_busy") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert gripper("rg_get_width") == pytest.approx(30.0)
    assert gripper("rg_get_grip_detected") is True and gripper("rg_get_status") == 2
    assert gripper("rg_grip", 500.0, 20.0) != 0
    with pytest.raises(xmlrpc.client.Fault, match=re.escape("doubles")):
        gripper("rg_grip", 10, 20)
    with pytest.raises(xmlrpc.client.Fault, match="no procedure"):
        gripper("rg_fly")
