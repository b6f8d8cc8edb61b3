"""The RG2 driver against the gripper that the controller emulator answers for."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from fixtures_controller import Emulator, emulator, eventually, free_host

from vpg_ros.devices.onrobot import PORT, RG2
from vpg_ros.errors import ErrorCode, VpgError

OBJECT = 0.03  # m


@pytest.fixture(scope="module")
def robot() -> Iterator[Emulator]:
    with emulator("--object-width", str(OBJECT), "--time-scale", "3") as running:
        yield running


@pytest.fixture
def gripper(robot: Emulator) -> RG2:
    gripper = RG2(robot.host)
    gripper.move(0.11, 10.0)
    return gripper


def test_it_opens_and_closes(gripper: RG2) -> None:
    assert gripper.width() == pytest.approx(0.11)
    assert gripper.move(0.06, 20.0) == pytest.approx(0.06, abs=1e-3)
    assert not gripper.is_holding()
    assert gripper.move(0.1, 20.0) == pytest.approx(0.1, abs=1e-3)


def test_it_tells_an_object_from_a_target(robot: Emulator, gripper: RG2) -> None:
    assert gripper.move(0.0, 25.0) == pytest.approx(OBJECT)
    assert gripper.is_holding()
    assert robot.state()["gripper_force"] == 25.0
    gripper.move(0.05, 25.0)
    assert not gripper.is_holding()


def test_nothing_is_held_without_an_object() -> None:
    with emulator("--time-scale", "3") as robot:
        gripper = RG2(robot.host)
        assert gripper.move(0.0, 25.0) == pytest.approx(0.0, abs=1e-3)
        assert not gripper.is_holding()


def test_stop_holds_the_fingers() -> None:
    with emulator("--time-scale", "0.3") as robot, ThreadPoolExecutor(1) as pool:
        gripper, other = RG2(robot.host), RG2(robot.host)
        closing = pool.submit(gripper.move, 0.0, 20.0)
        eventually(lambda: other.width() < 0.105)
        gripper.stop()
        with pytest.raises(VpgError) as caught:
            closing.result(timeout=10.0)
        assert caught.value.code is ErrorCode.CANCELLED
        stopped = other.width()
        assert 0.01 < stopped < 0.105
        time.sleep(0.2)
        assert other.width() == pytest.approx(stopped, abs=2e-3) and not other.is_holding()


@pytest.mark.parametrize(
    ("width", "force", "word"),
    [
        (-0.01, 20.0, "width"),
        (0.2, 20.0, "width"),
        (float("nan"), 20.0, "width"),
        (0.05, 1.0, "force"),
        (0.05, 90.0, "force"),
        (0.05, float("nan"), "force"),
    ],
)
def test_bad_targets_are_refused(gripper: RG2, width: float, force: float, word: str) -> None:
    with pytest.raises(VpgError, match=f"{word}.*allowed") as caught:
        gripper.move(width, force)
    assert caught.value.code is ErrorCode.MOTION_REJECTED
    assert gripper.width() == pytest.approx(0.11)


def test_a_silent_gripper_is_found(robot: Emulator, gripper: RG2) -> None:
    gripper = RG2(robot.host, call_timeout=0.2)
    robot.fault("gripper-mute")
    try:
        with pytest.raises(VpgError, match="in time") as caught:
            gripper.move(0.05, 20.0)
    finally:
        robot.fault("gripper-answer")
    assert caught.value.code is ErrorCode.GRIPPER_NO_ANSWER
    assert f"{robot.host}:{PORT}" in caught.value.message
    assert gripper.move(0.05, 20.0) == pytest.approx(0.05, abs=1e-3)


def test_no_gripper_at_the_address() -> None:
    host = free_host()
    with pytest.raises(VpgError, match="refused") as caught:
        RG2(host)
    assert caught.value.code is ErrorCode.GRIPPER_NO_ANSWER
    assert f"{host}:{PORT}" in caught.value.message


def test_something_else_at_the_address() -> None:
    with socket.create_server((free_host(), 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        host, port = server.getsockname()
        with pytest.raises(VpgError) as caught:
            RG2(host, port=port)
    assert caught.value.code is ErrorCode.GRIPPER_NO_ANSWER
