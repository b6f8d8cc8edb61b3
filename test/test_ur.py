"""The UR driver, through the real ``ur_rtde`` library, against the controller emulator."""

import itertools
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures_controller import Emulator, emulator, eventually, free_host

from vpg_ros.devices import ur_control
from vpg_ros.devices.child import ChildProcess
from vpg_ros.devices.dashboard import Dashboard
from vpg_ros.devices.interfaces import MoveEnd
from vpg_ros.devices.kinematics import HOME_JOINTS, UR5, kinematics
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Pose, tool_down

pytest.importorskip("rtde_control")
from vpg_ros.devices.ur import URArm
from vpg_ros.devices.ur_link import DASHBOARD_PORT, RTDE_PORT, SCRIPT_PORT, UrLink
from vpg_ros.devices.ur_move import apart

# Commands whose answer ur_rtde takes from a register too early, or mixes up: poses of the tool,
# step time, torques, contact; and the controller's inverse kinematics, which end its program.
_ANSWERED_WRONGLY = {25, 26, 27, 28, 30, 38, 43, 44, 46, 58}
FAKE_WORLD = str(Path(__file__).parent / "fake_world.py")
SAFEGUARD = 1 << 4  # of safety_status_bits
FAR = HOME_JOINTS + np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])


@pytest.fixture(scope="module")
def robot() -> Iterator[Emulator]:
    with emulator() as running:
        yield running


@contextmanager
def connected(robot: Emulator) -> Iterator[URArm]:
    arm = URArm(robot.host)
    try:
        yield arm
    finally:
        arm.disconnect()


@pytest.fixture
def arm(robot: Emulator) -> Iterator[URArm]:
    """An arm in its home configuration, on a robot without faults."""
    robot.recover()
    with connected(robot) as arm:
        arm.move_joints(HOME_JOINTS, 3.0, 20.0)
        yield arm


def refused(action: Callable[[], object], code: ErrorCode) -> str:
    """The sentence with which ``action`` fails."""
    with pytest.raises(VpgError) as caught:
        action()
    assert caught.value.code is code, caught.value
    return caught.value.message


def joints(robot: Emulator) -> np.ndarray:
    return np.array(robot.state()["joints"])


def assert_still(robot: Emulator) -> None:
    """The arm stands where it is, short of FAR."""
    robot.until("moving", False)
    wait(robot, 0.05)
    stopped = joints(robot)
    wait(robot, 0.2)
    assert np.array_equal(joints(robot), stopped)
    assert stopped[0] < FAR[0] - 0.1


def assert_recovers(arm: URArm) -> None:
    """Once a person has asked for a recovery the arm moves again."""
    arm.unlock(threading.Event())
    assert arm.move_joints(HOME_JOINTS, 3.0, 10.0).end is MoveEnd.REACHED


def catch_up(robot: Emulator, arm: URArm) -> None:
    """Wait until the driver has heard for a while of what the robot is in now."""
    end = robot.state()["time"] + 0.2
    eventually(lambda: arm.state().stamp > end)


def wait(robot: Emulator, seconds: float) -> None:
    """Let ``seconds`` of the robot's time pass."""
    end = robot.state()["time"] + seconds
    eventually(lambda: robot.state()["time"] >= end)


@pytest.fixture
def moving(robot: Emulator, arm: URArm) -> Iterator["Future[object]"]:
    """A slow move to FAR, under way in another thread."""
    with ThreadPoolExecutor(1) as pool:
        move = pool.submit(arm.move_joints, FAR, 0.5, 2.0)
        eventually(lambda: joints(robot)[0] > HOME_JOINTS[0] + 0.05)
        yield move


def control_process() -> int:
    """The process of this one's that holds the library's control interface."""
    children = [path.read_text().split() for path in Path("/proc/self/task").glob("*/children")]
    return next(
        int(pid)
        for pid in itertools.chain(*children)
        if "ur_control" in Path(f"/proc/{pid}/cmdline").read_text()
    )


def outcome(move: "Future[object]", code: ErrorCode) -> str:
    return refused(lambda: move.result(timeout=10.0), code)


# -- motions ---------------------------------------------------------------------------------------


def test_state_is_that_of_the_robot(robot: Emulator, arm: URArm) -> None:
    state = arm.state()
    assert np.allclose(state.joints, HOME_JOINTS, atol=1e-6)
    assert np.allclose(state.tool.matrix, UR5.forward(HOME_JOINTS).matrix, atol=1e-6)
    assert np.abs(state.velocities).max() < 1e-3 and state.force == 0.0
    eventually(lambda: arm.state().stamp > state.stamp)
    assert robot.state()["payload"] == 1.0


def test_joint_move_arrives(arm: URArm) -> None:
    result = arm.move_joints(FAR, 3.0, 10.0)
    assert result.end is MoveEnd.REACHED
    assert np.degrees(np.abs(arm.state().joints - FAR)).max() < 0.1


@pytest.mark.parametrize("yaw", [0.0, 0.7, -1.2])
def test_pose_moves_arrive(arm: URArm, yaw: float) -> None:
    goal = tool_down(-0.5, 0.1, 0.2, yaw)
    arm.move_to(goal, 3.0, 10.0)
    assert_near(arm.state().tool, goal)
    lower = goal.translated(dx=0.03, dz=-0.1)
    result = arm.move_linear(lower, 0.5, 3.0, 30.0)
    assert result.end is MoveEnd.REACHED and result.peak_force == 0.0
    assert_near(result.pose, lower)
    assert_near(arm.state().tool, lower)


def assert_near(pose: Pose, goal: Pose) -> None:
    """Within 1 mm and 0.1°."""
    error = np.linalg.inv(goal.matrix) @ pose.matrix
    angle = np.degrees(np.arccos(np.clip((np.trace(error[:3, :3]) - 1) / 2, -1, 1)))
    assert np.linalg.norm(error[:3, 3]) < 1e-3 and angle < 0.1


def test_a_move_to_where_the_arm_is_ends_at_once(arm: URArm) -> None:
    assert arm.move_joints(HOME_JOINTS, 1.0, 1.0).end is MoveEnd.REACHED
    assert arm.move_linear(arm.state().tool, 0.1, 1.0, 10.0).end is MoveEnd.REACHED


def test_the_generation_before() -> None:
    with emulator("--version", "3.15.0", "--time-scale", "3") as robot, connected(robot) as arm:
        arm.move_joints(FAR, 3.0, 10.0)
        assert np.allclose(arm.state().joints, FAR, atol=1e-3)


@pytest.mark.parametrize(
    ("mounted", "others"), [("ur5e", ("ur5", "ur10")), ("ur10", ("ur10e",)), ("ur3", ("ur3e",))]
)
def test_an_arm_of_another_model_is_refused(mounted: str, others: tuple[str, ...]) -> None:
    with emulator("--robot-model", mounted, "--time-scale", "4") as robot:
        for other in others:
            sentence = refused(
                lambda model=other: URArm(robot.host, kinematics(model)),  # type: ignore[misc]
                ErrorCode.PARAMETER_INVALID,
            )
            assert f"robot_model is {other}" in sentence and " mm " in sentence
            robot.until("runtime", "STOPPED")
        arm = URArm(robot.host, kinematics(mounted))
        try:
            assert arm.move_joints(FAR, 3.0, 10.0).end is MoveEnd.REACHED
        finally:
            arm.disconnect()


def test_another_arm_in_the_place_of_the_one_before_is_refused() -> None:
    with emulator() as robot:
        arm = URArm(robot.host)
    try:
        with emulator("--robot-model", "ur5e", host=robot.host):
            refused(arm.reconnect, ErrorCode.PARAMETER_INVALID)
    finally:
        arm.disconnect()


def test_ten_times_real_time() -> None:
    with emulator("--time-scale", "10") as robot, connected(robot) as arm:
        began = arm.state().stamp
        arm.move_joints(FAR, 0.2, 2.0)
        arm.move_linear(arm.state().tool.translated(dz=-0.1), 0.05, 1.0, 30.0)
        ideal = 1.0 / 0.2 + 0.1 + 0.1 / 0.05 + 0.05
        assert ideal <= arm.state().stamp - began
        assert_near(arm.state().tool, UR5.forward(FAR).translated(dz=-0.1))


def test_a_slowed_arm_is_given_the_time_it_needs(robot: Emulator, arm: URArm) -> None:
    robot.fault("slider 0.2")
    begin = arm.state().stamp
    goal = HOME_JOINTS + np.array([0.6, 0.0, 0.0, 0.0, 0.0, 0.0])
    arm.move_joints(goal, 1.0, 10.0)
    assert arm.state().stamp - begin > 3.0


def test_a_slider_at_zero_is_named_before_long() -> None:
    with emulator("--time-scale", "20") as robot, connected(robot) as arm:
        robot.fault("slider 0")
        begin = robot.state()["time"]
        sentence = refused(lambda: arm.move_joints(FAR, 1.0, 1.0), ErrorCode.MOTION_TIMEOUT)
        assert "slider at 0 %" in sentence and robot.state()["time"] - begin < 90.0
        robot.fault("slider 1")
        assert arm.move_joints(FAR, 3.0, 10.0).end is MoveEnd.REACHED


# -- stops -----------------------------------------------------------------------------------------


def test_stop_from_another_thread(robot: Emulator, arm: URArm, moving: "Future[object]") -> None:
    arm.stop()
    outcome(moving, ErrorCode.CANCELLED)
    assert_still(robot)
    assert arm.move_joints(HOME_JOINTS, 3.0, 10.0).end is MoveEnd.REACHED


def test_stop_of_a_standing_arm(arm: URArm) -> None:
    arm.stop()
    assert arm.move_joints(FAR, 3.0, 10.0).end is MoveEnd.REACHED


def test_one_move_at_a_time(robot: Emulator, arm: URArm, moving: "Future[object]") -> None:
    sentence = refused(lambda: arm.move_joints(FAR, 1.0, 1.0), ErrorCode.MOTION_REJECTED)
    assert "in progress" in sentence
    arm.stop()
    outcome(moving, ErrorCode.CANCELLED)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("pstop", ErrorCode.PROTECTIVE_STOP),
        ("safeguard", ErrorCode.PROTECTIVE_STOP),
        ("estop", ErrorCode.EMERGENCY_STOP),
    ],
)
def test_safety_stops(
    robot: Emulator, arm: URArm, moving: "Future[object]", fault: str, code: ErrorCode
) -> None:
    robot.fault(fault)
    assert robot.host in outcome(moving, code)
    robot.until("runtime", "STOPPED")
    assert_still(robot)
    refused(lambda: arm.move_joints(HOME_JOINTS, 1.0, 1.0), code)
    robot.recover()  # by the person who is still beside the arm
    catch_up(robot, arm)
    assert "recovery" in refused(lambda: arm.move_joints(HOME_JOINTS, 1.0, 1.0), code)
    assert_still(robot)
    assert_recovers(arm)


def test_no_motion_is_taken_up_when_a_guard_is_closed(
    robot: Emulator, arm: URArm, moving: "Future[object]"
) -> None:
    robot.fault("safeguard")
    assert "safeguard stop" in outcome(moving, ErrorCode.PROTECTIVE_STOP)
    sentence = refused(lambda: arm.unlock(threading.Event()), ErrorCode.PROTECTIVE_STOP)
    assert "safeguard stop" in sentence and "guard" in sentence
    robot.fault("safeguard-reset")  # with which a program that is held goes on
    assert_still(robot)


def test_no_motion_is_taken_up_after_a_pause_on_the_pendant(
    robot: Emulator, arm: URArm, moving: "Future[object]"
) -> None:
    robot.fault("pause")
    assert "paused" in outcome(moving, ErrorCode.CANCELLED)
    robot.fault("play")
    assert_still(robot)
    sentence = refused(lambda: arm.move_joints(HOME_JOINTS, 1.0, 1.0), ErrorCode.CANCELLED)
    assert "recovery" in sentence
    assert_recovers(arm)


def press_stop(robot: Emulator) -> None:
    """As a person does on the pendant."""
    with Dashboard(robot.host) as board:
        assert board.ask("stop") == "Stopped"
    robot.until("runtime", "STOPPED")


def test_nothing_moves_after_a_stop_on_the_pendant(
    robot: Emulator, arm: URArm, moving: "Future[object]"
) -> None:
    press_stop(robot)
    assert "stopped" in outcome(moving, ErrorCode.CANCELLED)
    assert "recovery" in refused(lambda: arm.move_joints(FAR, 1.0, 1.0), ErrorCode.CANCELLED)
    assert_still(robot)
    assert_recovers(arm)


def e_stop_and_power(robot: Emulator) -> None:
    robot.fault("estop")
    wait(robot, 0.2)
    robot.recover()


@pytest.mark.parametrize("press", [press_stop, lambda robot: robot.fault("pause")])
@pytest.mark.parametrize(
    "later",
    [lambda robot: None, lambda robot: robot.fault("play"), e_stop_and_power],
    ids=["nothing", "play", "emergency stop"],
)
def test_a_person_may_hold_an_arm_that_stands(
    robot: Emulator,
    arm: URArm,
    press: Callable[[Emulator], None],
    later: Callable[[Emulator], None],
) -> None:
    """Whatever is done afterwards, but for a recovery."""
    press(robot)
    catch_up(robot, arm)
    later(robot)
    catch_up(robot, arm)
    assert "recovery" in refused(lambda: arm.move_joints(FAR, 1.0, 1.0), ErrorCode.CANCELLED)
    assert_still(robot)
    assert_recovers(arm)


def test_a_link_that_is_made_anew_still_heeds_the_stop(robot: Emulator, arm: URArm) -> None:
    press_stop(robot)
    catch_up(robot, arm)
    robot.fault("drop")
    eventually(lambda: lost(arm))
    robot.recover()
    arm.reconnect()
    assert "recovery" in refused(lambda: arm.move_joints(FAR, 1.0, 1.0), ErrorCode.CANCELLED)
    assert_still(robot)


def lost(arm: URArm) -> bool:
    try:
        arm.state()
    except VpgError:
        return True
    return False


def test_a_guard_that_opens_and_closes_while_nobody_looks_holds_the_arm(
    robot: Emulator, arm: URArm
) -> None:
    robot.fault("safeguard")
    wait(robot, 0.3)
    robot.fault("safeguard-reset")
    wait(robot, 0.1)
    move = lambda: arm.move_joints(HOME_JOINTS, 3.0, 10.0)  # noqa: E731
    assert "recovery" in refused(move, ErrorCode.PROTECTIVE_STOP)
    arm.unlock(threading.Event())
    assert move().end is MoveEnd.REACHED


def test_a_stop_that_comes_and_goes_during_a_recovery_holds_the_arm(
    robot: Emulator, arm: URArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    press_stop(robot)
    catch_up(robot, arm)

    def stopped(link: UrLink) -> None:
        robot.fault("safeguard")
        wait(robot, 0.3)
        robot.fault("safeguard-reset")
        wait(robot, 0.1)

    with monkeypatch.context() as patch:
        patch.setattr(UrLink, "wait_for_news", stopped)
        arm.unlock(threading.Event())
    refused(lambda: arm.move_joints(FAR, 1.0, 1.0), ErrorCode.PROTECTIVE_STOP)
    assert_still(robot)
    assert_recovers(arm)


def test_a_stop_that_another_thread_has_seen_ends_the_motion(
    robot: Emulator, arm: URArm, moving: "Future[object]"
) -> None:
    reading = arm._link.read()
    stopped = replace(reading, stamp=reading.stamp + 0.5, safety_bits=SAFEGUARD)
    arm._hold.see(stopped)
    outcome(moving, ErrorCode.PROTECTIVE_STOP)
    assert_still(robot)
    assert_recovers(arm)


def test_an_idle_arm_that_was_without_power_waits_for_a_recovery(
    robot: Emulator, arm: URArm
) -> None:
    with Dashboard(robot.host) as board:
        board.ask("power off")
    catch_up(robot, arm)
    robot.recover()
    catch_up(robot, arm)
    move = lambda: arm.move_joints(HOME_JOINTS, 3.0, 10.0)  # noqa: E731
    assert "power" in refused(move, ErrorCode.MOTION_REJECTED)
    arm.unlock(threading.Event())
    assert move().end is MoveEnd.REACHED


def test_a_disconnected_arm_stays_disconnected(robot: Emulator, arm: URArm) -> None:
    arm.disconnect()
    refused(lambda: arm.unlock(threading.Event()), ErrorCode.ARM_LINK_LOST)
    refused(arm.reconnect, ErrorCode.ARM_LINK_LOST)
    refused(lambda: arm.move_joints(FAR, 1.0, 1.0), ErrorCode.ARM_LINK_LOST)


def test_a_recovery_sets_the_tool_again_that_was_changed_on_the_pendant(
    robot: Emulator, arm: URArm
) -> None:
    press_stop(robot)
    robot.fault("pendant-tcp")
    catch_up(robot, arm)
    flange = arm.state().tool
    assert apart(flange, UR5.forward(HOME_JOINTS))[0] > 0.1
    arm.unlock(threading.Event())
    assert apart(arm.state().tool, UR5.forward(HOME_JOINTS))[0] < 1e-6


def test_a_recovery_reaches_a_controller_that_was_in_local_control(
    robot: Emulator, arm: URArm
) -> None:
    robot.fault("pstop")
    catch_up(robot, arm)
    for name in ("local", "unlock", "remote"):
        robot.fault(name)
    assert_recovers(arm)


def test_an_unlocked_arm_may_move_at_once(robot: Emulator) -> None:
    """The end of a stop, known to the dashboard, has yet to come in through the link."""
    robot.recover()
    arm = URArm(robot.host, link_timeout=10.0)
    try:
        robot.fault("pstop")
        catch_up(robot, arm)
        robot.fault("hold")
        robot.fault("unlock")
        late = threading.Timer(0.3, robot.fault, ["resume"])
        late.start()
        arm.unlock(threading.Event())
        late.join()
        assert arm.move_joints(HOME_JOINTS, 3.0, 10.0).end is MoveEnd.REACHED
    finally:
        arm.disconnect()


def test_the_control_program_dies(robot: Emulator, arm: URArm, moving: "Future[object]") -> None:
    robot.fault("kill-script")
    assert "stopped" in outcome(moving, ErrorCode.CANCELLED)
    assert_still(robot)
    assert_recovers(arm)


def test_ctrl_c_while_a_command_is_being_taken_stops_the_arm(
    robot: Emulator, arm: URArm, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = UrLink._answer

    def interrupted(link: UrLink, what: str, timeout: float) -> dict[str, Any]:
        if what == "command moveJ":
            monkeypatch.undo()
            raise KeyboardInterrupt
        return answer(link, what, timeout)

    monkeypatch.setattr(UrLink, "_answer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        arm.move_joints(FAR, 1.0, 1.0)
    assert_still(robot)
    assert arm.move_joints(HOME_JOINTS, 3.0, 10.0).end is MoveEnd.REACHED


def test_a_link_that_fails_at_the_last_is_not_in_the_way_of_the_next(
    robot: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot.recover()

    def reject(link: UrLink, method: str, *arguments: Any) -> None:
        raise VpgError(ErrorCode.MOTION_REJECTED, f"{method} was rejected")

    with monkeypatch.context() as patch:
        patch.setattr(UrLink, "set", reject)
        refused(lambda: URArm(robot.host), ErrorCode.MOTION_REJECTED)
    with connected(robot) as arm:
        assert arm.move_joints(HOME_JOINTS, 3.0, 20.0).end is MoveEnd.REACHED


def test_connecting_to_a_stopped_robot(robot: Emulator) -> None:
    for fault, code in (
        ("pstop", ErrorCode.PROTECTIVE_STOP),
        ("estop", ErrorCode.EMERGENCY_STOP),
    ):
        robot.fault(fault)
        wait(robot, 0.02)
        refused(lambda: URArm(robot.host), code)
        robot.recover()
        wait(robot, 0.02)


def test_connecting_to_a_robot_in_local_control(robot: Emulator) -> None:
    robot.fault("local")
    sentence = refused(lambda: URArm(robot.host), ErrorCode.ARM_UNREACHABLE)
    assert robot.host in sentence and "enable remote control" in sentence
    robot.recover()
    with connected(robot) as arm:
        assert arm.move_joints(HOME_JOINTS, 3.0, 20.0).end is MoveEnd.REACHED


# -- the link --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["drop", "hold"])
def test_a_lost_link_is_found_and_made_anew(
    robot: Emulator, arm: URArm, moving: "Future[object]", fault: str
) -> None:
    lost = time.monotonic()
    robot.fault(fault)
    assert robot.host in outcome(moving, ErrorCode.ARM_LINK_LOST)
    found = time.monotonic() - lost
    refused(arm.state, ErrorCode.ARM_LINK_LOST)
    refused(lambda: arm.move_joints(HOME_JOINTS, 1.0, 1.0), ErrorCode.ARM_LINK_LOST)
    robot.recover()
    arm.reconnect()
    assert arm.move_joints(HOME_JOINTS, 3.0, 10.0).end is MoveEnd.REACHED
    assert found < 1.0


def test_a_link_lost_while_nothing_moves(robot: Emulator, arm: URArm) -> None:
    robot.fault("drop")
    time.sleep(1.0)  # when the library's own reconnection would have done its harm
    refused(arm.state, ErrorCode.ARM_LINK_LOST)
    arm.reconnect()
    assert arm.move_joints(FAR, 3.0, 10.0).end is MoveEnd.REACHED


def test_a_controller_that_dies(robot: Emulator) -> None:
    with emulator() as mortal:
        arm = URArm(mortal.host)
        with ThreadPoolExecutor(1) as pool:
            move = pool.submit(arm.move_joints, FAR, 0.5, 2.0)
            eventually(lambda: joints(mortal)[0] > HOME_JOINTS[0] + 0.05)
            mortal.process.kill()
            outcome(move, ErrorCode.ARM_LINK_LOST)
        mortal.process.wait()
        refused(arm.reconnect, ErrorCode.ARM_UNREACHABLE)
        arm.disconnect()


def test_the_arm_stops_when_its_driver_is_killed(robot: Emulator, arm: URArm) -> None:
    arm.disconnect()
    program = (
        "import sys, numpy as np\nfrom vpg_ros.devices.ur import URArm\n"
        "URArm(sys.argv[1]).move_joints(np.array([float(a) for a in sys.argv[2:]]), 0.2, 2.0)"
    )
    command = [sys.executable, "-c", program, robot.host, *map(str, FAR)]
    driver = subprocess.Popen(command)
    try:
        eventually(lambda: joints(robot)[0] > HOME_JOINTS[0] + 0.05, timeout=20.0)
    finally:
        driver.kill()
        driver.wait()
    robot.until("runtime", "STOPPED")
    assert_still(robot)


def test_the_arm_stops_when_its_driver_is_frozen(robot: Emulator, arm: URArm) -> None:
    """Its control process lives on and must not keep the watchdog content; thawed, it recovers."""
    arm.disconnect()
    program = (
        "import sys, threading, numpy as np\nfrom vpg_ros.devices.ur import URArm\n"
        "from vpg_ros.errors import VpgError\n"
        "arm, goal = URArm(sys.argv[1]), np.array([float(a) for a in sys.argv[2:]])\n"
        "try:\n    arm.move_joints(goal, 0.1, 2.0)\n"
        "except VpgError as error:\n    print(error.code.name, flush=True)\n"
        "arm.unlock(threading.Event())\n"
        "print(arm.move_joints(goal, 3.0, 10.0).end.name)\narm.disconnect()"
    )
    command = [sys.executable, "-c", program, robot.host, *map(str, FAR)]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        eventually(lambda: joints(robot)[0] > HOME_JOINTS[0] + 0.05, timeout=20.0)
        driver.send_signal(signal.SIGSTOP)
        robot.until("runtime", "STOPPED")
        assert_still(robot)
        driver.send_signal(signal.SIGCONT)
        first, second = driver.communicate(timeout=30.0)[0].split()
    finally:
        driver.kill()
        driver.wait()
    assert first in ("ARM_LINK_LOST", "CANCELLED") and second == "REACHED"


def test_the_program_stops_when_its_driver_is_killed_before_it_reads_an_answer(
    robot: Emulator, arm: URArm
) -> None:
    """The control process then sees a reset instead of an end, and must not stay behind."""
    arm.disconnect()
    program = (
        "import os, sys, time\nfrom vpg_ros.devices import ur_control\n"
        "from vpg_ros.devices.child import ChildProcess\n"
        "control = ChildProcess(ur_control.__file__, sys.argv[1])\n"
        "while control.answer(1.0) is None: pass\n"
        "control.request('setWatchdog', [1.0])\ntime.sleep(1.0)\nos.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, robot.host], check=False)
    robot.until("runtime", "STOPPED")


def test_a_control_process_that_is_killed_with_something_unread_is_a_lost_link(
    robot: Emulator, arm: URArm
) -> None:
    """Its end is then told by a reset, not by an end of file."""
    arm.disconnect()
    child = ChildProcess(ur_control.__file__, robot.host)
    eventually(lambda: child.answer(0.1) is not None)
    os.kill(child._process.pid, signal.SIGSTOP)
    child.beat()
    child.kill()
    assert child.answer(1.0) == {"broken": True}


def test_a_driver_held_up_for_longer_than_the_controller_waits(robot: Emulator, arm: URArm) -> None:
    """The program ends, which is no loss of the link; a recovery makes another one."""
    control = control_process()
    os.kill(control, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        move = pool.submit(arm.move_joints, FAR, 3.0, 10.0)
        time.sleep(1.5)
        os.kill(control, signal.SIGCONT)
        assert "stopped" in outcome(move, ErrorCode.CANCELLED)
    arm.unlock(threading.Event())
    assert arm.move_joints(FAR, 3.0, 10.0).end is MoveEnd.REACHED


def test_nobody_at_the_address() -> None:
    host = free_host()
    sentence = refused(lambda: URArm(host), ErrorCode.ARM_UNREACHABLE)
    assert host in sentence and "30004" in sentence and "robot_ip" in sentence


def test_something_that_listens_and_says_nothing() -> None:
    """The library's constructor would wait for ever, with every other thread of the process."""
    host = free_host()
    with socket.create_server((host, RTDE_PORT)):
        sentence = refused(lambda: URArm(host), ErrorCode.ARM_UNREACHABLE)
    assert host in sentence and "30004" in sentence


class Negotiator(socketserver.BaseRequestHandler):
    """Answers which version of RTDE it speaks, and then nothing."""

    def handle(self) -> None:
        self.request.recv(5)
        self.request.sendall(b"\x00\x04V\x01")
        while self.request.recv(4096):
            pass


@contextmanager
def negotiator() -> Iterator[str]:
    """The address of a controller that does no more than that."""
    host = free_host()
    with (
        socketserver.ThreadingTCPServer((host, RTDE_PORT), Negotiator) as server,
        socket.create_server((host, DASHBOARD_PORT)),
        socket.create_server((host, SCRIPT_PORT)),
    ):
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield host
        finally:
            server.shutdown()


@contextmanager
def held(robot: Emulator) -> Iterator[str]:
    """The address of a controller that accepts everything and sends no data."""
    robot.fault("hold")
    try:
        yield robot.host
    finally:
        robot.recover()


@pytest.mark.parametrize("accepts", [False, True])
def test_a_controller_that_falls_silent_while_it_is_connected_to(
    robot: Emulator, accepts: bool
) -> None:
    """In a process of its own, which the library's constructor would hang for good."""
    program = (
        "import sys\nfrom vpg_ros.devices.ur import URArm\nfrom vpg_ros.errors import VpgError\n"
        "try:\n    URArm(sys.argv[1])\n"
        "except VpgError as error:\n    print(error.code.name, error.message)"
    )
    with held(robot) if accepts else negotiator() as host:
        command = [sys.executable, "-c", program, host]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30.0, check=True)
    assert done.stdout.startswith("ARM_UNREACHABLE") and "sends no data" in done.stdout
    assert host in done.stdout and "30004" in done.stdout


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x02V", b""])
def test_something_that_speaks_another_protocol(greeting: bytes) -> None:
    host = free_host()
    with socket.create_server((host, RTDE_PORT)) as server, ThreadPoolExecutor(1) as pool:
        link = pool.submit(URArm, host)
        with server.accept()[0] as connection:
            connection.recv(64)
            connection.sendall(greeting)
        sentence = outcome(link, ErrorCode.ARM_UNREACHABLE)
    assert "does not speak RTDE" in sentence or "closed the connection" in sentence


def test_nothing_is_asked_of_the_controller_that_the_library_answers_wrongly(
    robot: Emulator, arm: URArm
) -> None:
    goal = tool_down(-0.5, 0.1, 0.2, 0.0)
    arm.move_to(goal, 3.0, 10.0)
    arm.move_linear(goal.translated(dz=-0.05), 0.5, 3.0, 30.0)
    refused(
        lambda: arm.move_to(tool_down(-3.0, 0.0, 0.1, 0.0), 1.0, 1.0), ErrorCode.POSE_UNREACHABLE
    )
    arm.stop()
    state = robot.state()
    assert not _ANSWERED_WRONGLY & set(state["commands"])
    assert state["runtime"] == "PLAYING", "an unreachable pose has ended the control program"
    assert_near(arm.state().tool, goal.translated(dz=-0.05))


def test_an_address_that_is_none() -> None:
    assert "nowhere.invalid" in refused(lambda: URArm("nowhere.invalid"), ErrorCode.ARM_UNREACHABLE)


# -- bad goals -------------------------------------------------------------------------------------

GOAL = tool_down(-0.5, 0.1, 0.2, 0.0)


@pytest.mark.parametrize(
    ("action", "code", "word"),
    [
        (lambda arm: arm.move_joints(FAR[:5], 1.0, 1.0), "MOTION_REJECTED", "six"),
        (lambda arm: arm.move_joints(FAR * np.nan, 1.0, 1.0), "MOTION_REJECTED", "finite"),
        (lambda arm: arm.move_joints(FAR + 7.0, 1.0, 1.0), "JOINT_LIMIT", "6.28"),
        (lambda arm: arm.move_joints(FAR, 4.0, 1.0), "MOTION_REJECTED", "3.14"),
        (lambda arm: arm.move_joints(FAR, 1.0, 0.0), "MOTION_REJECTED", "acceleration"),
        (lambda arm: arm.move_joints(FAR, np.nan, 1.0), "MOTION_REJECTED", "speed"),
        (lambda arm: arm.move_to(Pose((3.0, 0.0, 0.0)), 1.0, 1.0), "POSE_UNREACHABLE", "3.000"),
        (lambda arm: arm.move_to(Pose((np.nan, 0, 0)), 1.0, 1.0), "MOTION_REJECTED", "finite"),
        (lambda arm: arm.move_linear(GOAL, 5.0, 1.0, 9.0), "MOTION_REJECTED", "tool speed"),
        (lambda arm: arm.move_linear(GOAL, 0.1, 1.0, 0.0), "MOTION_REJECTED", "force limit"),
        (
            lambda arm: arm.move_linear(Pose((3.0, 0.0, 0.0)), 0.1, 1.0, 9.0),
            "POSE_UNREACHABLE",
            "3.000",
        ),
    ],
)
def test_bad_goals_are_refused_and_nothing_moves(
    standing_arm: URArm, action: Callable[[URArm], object], code: str, word: str
) -> None:
    assert word in refused(lambda: action(standing_arm), ErrorCode[code])
    assert np.allclose(standing_arm.state().joints, HOME_JOINTS, atol=1e-6)


@pytest.fixture(scope="module")
def standing_arm() -> Iterator[URArm]:
    with emulator() as robot, connected(robot) as arm:
        yield arm


# -- contact, through a linked world ---------------------------------------------------------------

FLOOR = 0.20  # m, the floor of the world that the arm comes down on
LIMIT = 25.0  # N
STIFFNESS = 5000.0  # N/m


@pytest.mark.parametrize(("time_scale", "tremble"), [("1", 0.0), ("10", 0.0), ("10", 0.3)])
def test_contact_stops_a_guarded_move(time_scale: str, tremble: float) -> None:
    options = ("--floor", str(FLOOR), "--time-scale", time_scale, "--tremble", str(tremble))
    with emulator(*options, script=FAKE_WORLD) as robot, connected(robot) as arm:
        above = arm.state().tool
        result = arm.move_linear(above.translated(dz=-0.2), 0.1, 1.0, LIMIT)
        assert result.end is MoveEnd.CONTACT
        assert result.peak_force > LIMIT
        assert FLOOR - 0.02 < result.pose.position[2] < FLOOR - LIMIT / STIFFNESS
        robot.until("moving", False)
        pressed = arm.state()
        assert pressed.force > LIMIT and np.abs(pressed.velocities).max() < 0.01 + tremble
        further = arm.move_linear(result.pose.translated(dz=-0.05), 0.05, 1.0, 2 * LIMIT)
        assert further.end is MoveEnd.CONTACT
        robot.until("moving", False)
        most = arm.state().force
        assert 2 * LIMIT < most < 2.8 * LIMIT, "forces of one contact do not add up"
        # An arm that presses harder than its limit can leave, and cannot press on.
        down = arm.move_linear(result.pose.translated(dz=-0.05), 0.05, 1.0, LIMIT)
        robot.until("moving", False)
        assert down.end is MoveEnd.CONTACT and arm.state().force < most + 0.8 * LIMIT
        risen = arm.move_linear(above, 0.2, 1.0, LIMIT)
        assert risen.end is MoveEnd.REACHED
        assert arm.state().force == pytest.approx(0.0, abs=1e-6)


def test_an_arm_that_was_stopped_while_it_pressed_can_leave_after_a_recovery() -> None:
    options = ("--floor", str(FLOOR), "--time-scale", "4")
    with emulator(*options, script=FAKE_WORLD) as robot, connected(robot) as arm:
        above = arm.state().tool
        pressed = arm.move_linear(above.translated(dz=-0.2), 0.1, 1.0, 4 * LIMIT)
        assert pressed.end is MoveEnd.CONTACT
        robot.fault("pstop")
        catch_up(robot, arm)
        robot.fault("unlock")
        arm.unlock(threading.Event())
        assert arm.state().force > 3 * LIMIT
        assert arm.move_linear(above, 0.2, 1.0, LIMIT).end is MoveEnd.REACHED
        assert arm.state().force == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("limit", [LIMIT, 5 * LIMIT])
def test_friction_of_what_it_is_pressed_on_does_not_hold_an_arm_that_leaves(limit: float) -> None:
    options = ("--floor", str(FLOOR), "--time-scale", "4", "--friction", "0.8")
    with emulator(*options, script=FAKE_WORLD) as robot, connected(robot) as arm:
        above = arm.state().tool
        pressed = arm.move_linear(above.translated(dz=-0.2), 0.1, 1.0, 4 * LIMIT)
        assert pressed.end is MoveEnd.CONTACT
        robot.until("moving", False)
        beside = arm.move_linear(pressed.pose.translated(dy=0.03), 0.1, 1.0, limit)
        assert beside.end is MoveEnd.REACHED


def test_a_light_touch_leaves_the_limit_of_the_next_move_as_it_is() -> None:
    options = ("--floor", str(FLOOR), "--time-scale", "1", "--friction", "0.8")
    with emulator(*options, script=FAKE_WORLD) as robot, connected(robot) as arm:
        touched = arm.move_linear(arm.state().tool.translated(dz=-0.2), 0.05, 1.0, 8.0)
        assert touched.end is MoveEnd.CONTACT
        robot.until("moving", False)
        assert arm.state().force < LIMIT
        onwards = touched.pose.translated(dy=0.05, dz=-0.015)
        assert arm.move_linear(onwards, 0.05, 1.0, LIMIT).end is MoveEnd.CONTACT
        robot.until("moving", False)
        assert arm.state().force < 1.6 * LIMIT


def test_a_constant_force_is_no_contact() -> None:
    options = ("--bias", "40", "--time-scale", "3")
    with emulator(*options, script=FAKE_WORLD) as robot, connected(robot) as arm:
        assert arm.state().force == pytest.approx(0.0, abs=1e-6)
        result = arm.move_linear(arm.state().tool.translated(dz=-0.1), 0.2, 1.0, LIMIT)
        assert result.end is MoveEnd.REACHED and result.peak_force < 1.0


def test_nothing_is_left_behind(robot: Emulator) -> None:
    before = set(threading.enumerate())
    with connected(robot):
        added = set(threading.enumerate()) - before
        assert added
    eventually(lambda: not any(thread.is_alive() for thread in added))
