"""Every gripper's driver against its emulator, in a process of its own and over real sockets."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from fixtures_controller import Emulator, emulator, eventually, free_host, wait_until_ready

from vpg_ros.devices import grippers
from vpg_ros.devices.digital_output import DigitalOutput, Wiring
from vpg_ros.devices.interfaces import Gripper, RemoteGripper
from vpg_ros.devices.onrobot import RG2
from vpg_ros.devices.robotiq import HAND_E, TWO_FINGER_85, Robotiq, RobotiqModel
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.sim.controller import grippers as emulated
from vpg_ros.sim.controller.rg2_compute_box import ComputeBox

OBJECT = 0.03  # m
FORCE = 25.0  # N: all grippers can
WIRING = Wiring(closed_input=0, travel_time=1.0)
SCALE = "4"  # of the emulator's time


def connect(name: str, host: str, patience: float = 2.0) -> RemoteGripper:
    settings = grippers.Settings(
        host, compute_box_port=ComputeBox.PORT, wiring=WIRING, patience=patience
    )
    return grippers.get(name).connect(settings)


@dataclass
class Mounted:
    """A gripper at the end of an emulated arm, with an object between its fingers."""

    name: str
    robot: Emulator
    gripper: RemoteGripper

    @property
    def stroke(self) -> float:
        return grippers.get(self.name).data.stroke

    @property
    def positions(self) -> bool:
        """Whether its fingers stop where they are told to."""
        return grippers.get(self.name).data.graded


@pytest.fixture(scope="module", params=grippers.NAMES)
def robot(request: pytest.FixtureRequest) -> Iterator[tuple[str, Emulator]]:
    options = ("--gripper", request.param, "--object-width", str(OBJECT), "--time-scale", SCALE)
    with emulator(*options) as running:
        yield request.param, running


@pytest.fixture
def mounted(robot: tuple[str, Emulator]) -> Iterator[Mounted]:
    name, running = robot
    gripper = connect(name, running.host)
    gripper.move(grippers.get(name).data.stroke, FORCE)
    yield Mounted(name, running, gripper)
    gripper.close()


def test_there_is_an_emulator_for_every_driver() -> None:
    assert emulated.NAMES == grippers.NAMES


def test_it_opens_and_closes(mounted: Mounted) -> None:
    gripper, stroke = mounted.gripper, mounted.stroke
    assert gripper.width() == pytest.approx(stroke, abs=1e-3)
    if mounted.positions:
        assert gripper.move(0.035, FORCE) == pytest.approx(0.035, abs=1e-3)
    assert not gripper.is_holding()
    assert gripper.move(stroke, FORCE) == pytest.approx(stroke, abs=1e-3)
    assert not gripper.is_holding()


def test_it_tells_an_object_from_a_target(mounted: Mounted) -> None:
    width = mounted.gripper.move(0.0, FORCE)
    assert mounted.gripper.is_holding()
    if mounted.positions:
        assert width == pytest.approx(OBJECT, abs=1e-3)
        assert mounted.robot.state()["gripper_force"] == pytest.approx(FORCE, abs=1.0)
    else:
        assert 0.004 < width < mounted.stroke
    mounted.gripper.move(mounted.stroke, FORCE)
    assert not mounted.gripper.is_holding()


@pytest.mark.parametrize(
    ("width", "force", "word"),
    [
        (-0.01, FORCE, "width"),
        (0.2, FORCE, "width"),
        (float("nan"), FORCE, "width"),
        (0.04, -1.0, "force"),
        (0.04, 2000.0, "force"),
        (0.04, float("nan"), "force"),
    ],
)
def test_bad_targets_are_refused(mounted: Mounted, width: float, force: float, word: str) -> None:
    with pytest.raises(VpgError, match=f"{word}.*allowed") as caught:
        mounted.gripper.move(width, force)
    assert caught.value.code is ErrorCode.MOTION_REJECTED
    assert mounted.gripper.width() == pytest.approx(mounted.stroke, abs=1e-3)


def test_a_silent_gripper_is_found(mounted: Mounted) -> None:
    silence = "hold" if mounted.name == "digital_output" else "gripper-mute"
    mounted.gripper.close()  # for one that is less patient
    gripper = connect(mounted.name, mounted.robot.host, patience=0.2)
    mounted.robot.fault(silence)
    try:
        with pytest.raises(VpgError, match=f"{mounted.robot.host}.*; check ") as caught:
            gripper.move(0.04, FORCE)
    finally:
        mounted.robot.recover()
    assert caught.value.code is ErrorCode.GRIPPER_NO_ANSWER
    assert gripper.move(0.0, FORCE) > 0.004
    gripper.close()


def test_a_cut_connection_is_made_again(mounted: Mounted) -> None:
    mounted.robot.fault("drop" if mounted.name == "digital_output" else "gripper-drop")
    time.sleep(0.1)
    try:
        mounted.gripper.width()
    except VpgError as error:
        assert error.code is ErrorCode.GRIPPER_NO_ANSWER
    assert mounted.gripper.move(0.0, FORCE) > 0.004
    assert mounted.gripper.is_holding()


def test_stop_ends_a_move(mounted: Mounted) -> None:
    with emulator("--gripper", mounted.name, "--time-scale", "0.3") as robot:
        gripper = connect(mounted.name, robot.host)
        with ThreadPoolExecutor(1) as pool:
            closing = pool.submit(gripper.move, 0.0, FORCE)
            eventually(lambda: robot.state()["gripper_target"] == 0.0)
            time.sleep(0.1)
            gripper.stop()
            with pytest.raises(VpgError) as caught:
                closing.result(timeout=10.0)
        assert caught.value.code is ErrorCode.CANCELLED
        if mounted.positions:
            stopped = gripper.width()
            assert 0.005 < stopped < mounted.stroke
            time.sleep(0.2)
            assert gripper.width() == pytest.approx(stopped, abs=2e-3)
            assert not gripper.is_holding()


def test_no_gripper_at_the_address(mounted: Mounted) -> None:
    host = free_host()
    with pytest.raises(VpgError, match=f"{host}.*; check ") as caught:
        connect(mounted.name, host)
    assert caught.value.code is ErrorCode.GRIPPER_NO_ANSWER


@contextmanager
def at(host: str, name: str) -> Iterator[None]:
    """An emulator at ``host``, with nothing between its gripper's fingers."""
    program = [sys.executable, "-m", "vpg_ros.sim.controller", "--host", host, "--gripper", name]
    process = subprocess.Popen([*program, "--time-scale", SCALE], stdout=subprocess.PIPE, text=True)
    try:
        wait_until_ready(process)
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", grippers.NAMES)
def test_the_driver_survives_a_restart_and_nothing_is_held_without_an_object(name: str) -> None:
    host = free_host()
    with at(host, name):
        gripper = connect(name, host)
        gripper.move(0.0, FORCE)
        assert not gripper.is_holding()
        assert gripper.width() < 1.5e-3
    with pytest.raises(VpgError) as caught:
        gripper.move(0.04, FORCE)
    assert caught.value.code is ErrorCode.GRIPPER_NO_ANSWER
    with at(host, name):
        gripper.move(grippers.get(name).data.stroke, FORCE)
        assert gripper.move(0.0, FORCE) < 1.5e-3
        assert not gripper.is_holding()


# -- OnRobot RG2 -----------------------------------------------------------------------------------


@pytest.fixture(params=["rg2", "rg2_modbus"])
def rg2(request: pytest.FixtureRequest) -> Iterator[Mounted]:
    options = ("--gripper", request.param, "--object-width", str(OBJECT), "--time-scale", SCALE)
    with emulator(*options) as running:
        yield Mounted(request.param, running, connect(request.param, running.host))


def test_an_rg2_that_shows_an_order_late_is_waited_for(rg2: Mounted) -> None:
    rg2.robot.fault("gripper-lag 0.6")
    assert rg2.gripper.move(0.0, FORCE) == pytest.approx(OBJECT, abs=1e-3)
    assert rg2.gripper.is_holding()
    assert rg2.gripper.move(0.0, FORCE) == pytest.approx(OBJECT, abs=1e-3)
    assert rg2.gripper.move(0.085, FORCE) == pytest.approx(0.085, abs=1e-3)
    assert not rg2.gripper.is_holding()


def test_an_rg2_that_never_follows_an_order_is_told_of(rg2: Mounted) -> None:
    rg2.robot.fault("gripper-lag 3600")
    assert rg2.gripper.move(rg2.stroke, FORCE) == pytest.approx(rg2.stroke, abs=1e-3)
    sentence = f"{rg2.robot.host}.* does not move: 110 mm open, told to go to 20 mm"
    with pytest.raises(VpgError, match=sentence) as caught:
        rg2.gripper.move(0.02, FORCE)
    assert caught.value.code is ErrorCode.MOTION_REJECTED


def test_an_rg2_that_is_busy_is_told_to_move_when_it_is_not(rg2: Mounted) -> None:
    """It would ignore the order."""
    other = connect(rg2.name, rg2.robot.host)
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(other.move, 0.04, FORCE)
        eventually(lambda: rg2.robot.state()["gripper_target"] == pytest.approx(0.04))
        assert rg2.gripper.move(rg2.stroke, FORCE) == pytest.approx(rg2.stroke, abs=1e-3)
        closing.result(timeout=10.0)


# -- Robotiq ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def robotiq() -> Iterator[Emulator]:
    options = ("--gripper", "robotiq_2f85", "--object-width", str(OBJECT), "--time-scale", SCALE)
    with emulator(*options) as running:
        yield running


def test_a_gripper_that_lost_its_power_is_activated_again(robotiq: Emulator) -> None:
    gripper = Robotiq(robotiq.host)
    gripper.move(0.0, FORCE)
    robotiq.fault("gripper-power")
    assert not gripper.is_holding()
    assert gripper.move(0.0, FORCE) == pytest.approx(OBJECT, abs=1e-3)
    assert gripper.is_holding()


def test_an_emergency_stop_is_no_width(robotiq: Emulator) -> None:
    gripper = Robotiq(robotiq.host)
    robotiq.fault("estop")
    try:
        with pytest.raises(VpgError, match="emergency stop") as caught:
            gripper.width()
    finally:
        robotiq.recover()
    assert caught.value.code is ErrorCode.GRIPPER_NO_ANSWER
    assert gripper.width() >= 0.0


def test_a_fault_is_named(robotiq: Emulator) -> None:
    gripper = Robotiq(robotiq.host)
    robotiq.ask("gripper-fault 10")
    try:
        with pytest.raises(VpgError, match="fault 10: its supply") as caught:
            gripper.move(0.04, FORCE)
    finally:
        robotiq.ask("gripper-fault 0")
    assert caught.value.code is ErrorCode.MOTION_REJECTED


@pytest.mark.parametrize("model", [TWO_FINGER_85, HAND_E])
def test_widths_and_forces_become_counts(model: RobotiqModel) -> None:
    data = model.data
    assert model.count(0.0) == 255 and model.count(data.stroke) == 0
    for width in (0.01, 0.02, 0.035, 0.045):
        assert model.width(model.count(width)) == pytest.approx(width, abs=2.5e-4)
    assert model.width(255) == 0.0 and model.width(0) == data.stroke
    assert model.force(data.min_force) == 0 and model.force(data.max_force) == 255


@pytest.mark.parametrize("name", grippers.NAMES)
def test_a_gripper_that_was_let_go_of_can_be_taken_by_another(name: str) -> None:
    with emulator("--gripper", name, "--time-scale", SCALE) as robot:
        first = connect(name, robot.host)
        first.close()
        second = connect(name, robot.host)
        assert second.move(0.0, FORCE) < 1.5e-3
        second.close()


# -- digital outputs -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def signals() -> Iterator[Emulator]:
    with emulator("--gripper", "digital_output", "--time-scale", SCALE) as running:
        yield running


def test_without_a_switch_closed_fingers_count_as_holding(signals: Emulator) -> None:
    gripper = DigitalOutput(signals.host, Wiring(travel_time=1.0))
    taken = f"{signals.host} does not answer: .*in use"
    with pytest.raises(VpgError, match=taken):
        DigitalOutput(signals.host)
    assert gripper.move(0.0, FORCE) == gripper.width() > 0.004
    assert gripper.is_holding()
    assert gripper.move(0.08, FORCE) == 0.08
    assert not gripper.is_holding()


def test_both_valves_of_any_bank_are_switched(signals: Emulator) -> None:
    wiring = Wiring("tool", close_output=1, open_output=0, travel_time=0.1)
    gripper = DigitalOutput(signals.host, wiring)
    gripper.move(0.0, FORCE)
    assert signals.state()["digital_outputs"] == 1 << 17
    gripper.move(0.08, FORCE)
    assert signals.state()["digital_outputs"] == 1 << 16


@pytest.mark.parametrize(
    ("wiring", "word"),
    [
        ({"bank": "left"}, "bank is 'left'; allowed: standard, configurable, tool"),
        ({"bank": "tool", "close_output": 2}, "close_output is 2; allowed.*0 … 1"),
        ({"close_output": -1}, "close_output is -1"),
        ({"closed_input": 8}, "closed_input is 8"),
        (
            {"close_output": 2, "open_output": 2},
            "open_output and digital_output.close_output are both 2; allowed: two outputs, or -1",
        ),
    ],
)
def test_wrong_wiring_is_refused(wiring: dict[str, object], word: str) -> None:
    with pytest.raises(VpgError, match=word) as caught:
        Wiring(**wiring)
    assert caught.value.code is ErrorCode.PARAMETER_INVALID


# -- what else may be at the address ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (
            lambda host, port: RG2(host, port=port),
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (lambda host, port: Robotiq(host, port=port), b"220 ready\n"),
    ],
)
def test_something_else_at_the_address(make: Callable[[str, int], Gripper], answer: bytes) -> None:
    with socket.create_server((free_host(), 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            connection.recv(4096)
            connection.sendall(answer)
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(VpgError) as caught:
            make(*server.getsockname())
    assert caught.value.code is ErrorCode.GRIPPER_NO_ANSWER
