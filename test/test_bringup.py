"""``vpg sim`` and ``vpg real`` from outside: a cleared table, and every way not to clear one."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import rclpy
import yaml
from fixtures_controller import emulator
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from vpg_ros.bringup.network import CONTROLLER_PORTS, reserve_address, reserve_domain
from vpg_ros.cli.main import main
from vpg_ros.devices.kinematics import HOME_JOINTS
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.learning.store import read_transitions
from vpg_ros.system import real

PATIENCE = 150.0  # s of wall time for one run on a busy machine
EASY = ("--scene", "row", "--objects", "2", "--policy", "heuristic")
NODES = {"pybullet_node", "heightmap_node", "inference_node", "motion_node", "task_node"}
SHIPPED = ("--params", str(real().parameters_path))
FIELDS = {
    *("scene", "seed", "objects", "cleared", "picked", "actions", "grasps", "grasp_success"),
    *("decision_ms", "action_seconds", "checkpoint", "error_code", "error_msg"),
}


class Run:
    """One ``vpg`` process and its records."""

    def __init__(self, folder: Path, *arguments: str, system: str = "sim") -> None:
        self.folder = folder
        command = [sys.executable, "-m", "vpg_ros.cli.main", system, "--run-dir", str(folder)]
        environment = dict(os.environ)
        if system == "sim":
            del environment["ROS_DOMAIN_ID"]  # it chooses one itself
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        )
        self.output = ""

    def end(self) -> int:
        """Wait for the end; the exit code."""
        self.output += self.process.communicate(timeout=PATIENCE)[0]
        return self.process.returncode

    @property
    def summary(self) -> dict:
        return json.loads((self.folder / "summary.json").read_text())

    @property
    def events(self) -> list[dict]:
        path = self.folder / "events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def until(self, condition: Callable[[dict], bool]) -> None:
        """Wait for an event."""
        deadline = time.monotonic() + PATIENCE
        while not any(condition(event) for event in self.events):
            assert self.process.poll() is None, self.output + self.process.communicate()[0]
            assert time.monotonic() < deadline, self.events
            time.sleep(0.02)

    def until_first_action(self) -> None:
        self.until(lambda event: event["event"] == "action")

    @property
    def children(self) -> dict[str, int]:
        """Node name → process id, of what was started."""
        found = {}
        for pid in descendants(self.process.pid):
            match = re.search(r"vpg_ros\.nodes\.(\w+)", command_line(pid))
            found[match[1] if match else f"other {pid}"] = pid
        return found

    def place(self) -> tuple[str, str]:
        """Domain and address, from the first line."""
        self.output += self.process.stdout.readline()
        match = re.search(r"ROS_DOMAIN_ID (\d+), controller (\S+),", self.output)
        assert match, self.output
        return match[1], match[2]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def descendants(parent: int) -> list[int]:
    """Process ids of all children and theirs."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    result = list(children.get(parent, []))
    for pid in result:
        result += children.get(pid, [])
    return result


def assert_gone(pids: list[int], timeout: float = 12.0) -> None:
    deadline = time.monotonic() + timeout
    while left := [pid for pid in pids if command_line(pid)]:
        assert time.monotonic() < deadline, [command_line(pid) for pid in left]
        time.sleep(0.05)


@contextmanager
def running(folder: Path, *arguments: str, system: str = "sim"):
    run = Run(folder, *arguments, system=system)
    try:
        yield run
    finally:
        pids = descendants(run.process.pid)
        run.process.kill()
        run.process.wait()
        assert_gone(pids)


def test_two_systems_side_by_side_clear_their_tables(tmp_path):
    shipped = (*EASY, "--policy", "network", "--seed", "1")
    with running(tmp_path / "a", *EASY) as a, running(tmp_path / "b", *shipped) as b:
        places = [run.place() for run in (a, b)]
        assert all(first != second for first, second in zip(*places, strict=True))
        for run in (a, b):
            assert run.end() == 0, run.output
            summary = run.summary
            assert set(summary) >= FIELDS
            assert summary["cleared"] and summary["picked"] == 2 and summary["error_code"] == 0
            transitions = list(read_transitions(run.folder / "transitions.mcap"))
            assert len(transitions) == summary["actions"]
            assert sum(transition.reward for transition in transitions) == 2.0
            assert transitions[-1].done
            assert "<html" in (run.folder / "report.html").read_text()
            assert {path.stem for path in (run.folder / "logs").iterdir()} == NODES
            assert run.output.count(" value ") == summary["actions"], run.output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sim", "--scene", "nowhere"], "PARAMETER_INVALID", ("scene", "'nowhere'", "random")),
        (["sim", "--objects", "0"], "PARAMETER_INVALID", ("objects", "'0'", "at least 1")),
        (["sim", "--scene", "row", "--objects", "39"], "SCENE_INVALID", ("objects", "39", "row")),
        (["sim", "--checkpoint", "none"], "CHECKPOINT_MISSING", ("checkpoint", "'none'")),
        (["sim", "--robot-ip", "10.1.2.3"], "CONTROLLER_FAILED", ("robot_ip", "10.1.2.3")),
        (
            ["real", "--robot-ip", "127.0.0.1", *SHIPPED, "--calibration", "none.yaml"],
            "CALIBRATION_MISSING",
            ("none.yaml",),
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_starts(
    arguments, code, words, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    (text,) = capsys.readouterr().err.strip().splitlines()
    assert text.endswith(f"[error {ErrorCode[code].value}]")
    assert all(word in text for word in words), text
    assert not list(tmp_path.iterdir())


def test_truncated_weights_end_the_run_by_name(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    with running(tmp_path / "run", "--checkpoint", str(path)) as run:
        assert run.end() == 1
        assert run.summary["error_code"] == ErrorCode.CHECKPOINT_CORRUPT
        message = run.summary["error_msg"]
        assert "inference_node" in message and str(path) in message
        (line,) = [line for line in run.output.splitlines() if line.startswith("vpg: ")]
        assert line == f"vpg: {message} [error 201]"


def test_a_robot_that_refuses_ends_the_run_by_name(tmp_path):
    calibration = tmp_path / "calibration.yaml"
    calibration.write_text("camera_pose: {position: [0, 0, 1], quaternion: [1, 0, 0, 0]}")
    arguments = ("--robot-ip", "127.99.0.1", "--camera", "topics", "--policy", "heuristic")
    options = (*arguments, *SHIPPED, "--calibration", str(calibration))
    with running(tmp_path / "run", *options, system="real") as run:
        assert run.end() == 1
        assert run.summary["error_code"] == ErrorCode.ARM_UNREACHABLE
        assert "127.99.0.1" in run.summary["error_msg"]


def test_the_nodes_read_the_parameter_file_that_is_chosen(tmp_path):
    calibration = tmp_path / "calibration.yaml"
    calibration.write_text("camera_pose: {position: [0, 0, 1], quaternion: [1, 0, 0, 0]}")
    content = yaml.safe_load(real().parameters_path.read_text())
    del content["/**/motion_node"]["ros__parameters"]["limits"]["tool_speed"]
    file = tmp_path / "cell.yaml"
    file.write_text(yaml.safe_dump(content))
    options = ("--robot-ip", "127.99.0.1", "--camera", "topics", "--calibration", str(calibration))
    with running(tmp_path / "run", *options, "--params", str(file), system="real") as run:
        assert run.end() == 1
        assert run.summary["error_code"] == ErrorCode.PARAMETER_INVALID
        assert "limits.tool_speed" in run.summary["error_msg"]


def test_a_robot_without_a_camera_is_parked_again(tmp_path):
    calibration = tmp_path / "calibration.yaml"
    calibration.write_text("camera_pose: {position: [0, 0, 1], quaternion: [1, 0, 0, 0]}")
    arguments = ("--camera", "topics", "--policy", "heuristic")
    options = (*arguments, *SHIPPED, "--calibration", str(calibration))
    with emulator("--time-scale", "4") as robot:
        address = ("--robot-ip", robot.host)
        with running(tmp_path / "run", *options, *address, system="real") as run:
            assert run.end() == 1
            assert run.summary["error_code"] == ErrorCode.CAMERA_TIMEOUT
            assert "camera/aligned_depth_to_color/image_raw" in run.summary["error_msg"]
            assert run.summary["parked"]
            assert np.abs(np.array(robot.state()["joints"]) - HOME_JOINTS).max() < 0.02


def test_a_camera_that_is_not_connected_ends_the_run_by_name(tmp_path):
    calibration = tmp_path / "calibration.yaml"
    calibration.write_text("camera_pose: {position: [0, 0, 1], quaternion: [1, 0, 0, 0]}")
    options = (*SHIPPED, "--camera-serial", "none", "--policy", "heuristic", "--calibration")
    with (
        emulator("--time-scale", "4") as robot,
        running(
            tmp_path / "run", *options, str(calibration), "--robot-ip", robot.host, system="real"
        ) as run,
    ):
        assert run.end() == 1
        assert run.summary["error_code"] == ErrorCode.CAMERA_MISSING
        assert "'none' is connected" in run.summary["error_msg"]


def unplug_camera(run: Run) -> None:
    """Ask the simulator, from a node in the run's own domain."""
    domain = int(run.place()[0])
    run.until_first_action()
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node = Node("hand", context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    try:
        client = node.create_client(SetParameters, "pybullet_node/set_parameters")
        assert client.wait_for_service(30.0)
        fault = Parameter("camera_fault", value="unplugged").to_parameter_msg()
        future = client.call_async(SetParameters.Request(parameters=[fault]))
        rclpy.spin_until_future_complete(node, future, executor, timeout_sec=30.0)
        assert future.result().results[0].successful
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def assert_readable(run: Run, at_least: int = 1) -> None:
    transitions = list(read_transitions(run.folder / "transitions.mcap"))
    assert len(transitions) == run.summary["actions"] >= at_least
    assert "<html" in (run.folder / "report.html").read_text()


def test_a_camera_that_stops_ends_the_run_with_a_parked_arm(tmp_path):
    many = ("--scene", "row", "--objects", "8", "--policy", "heuristic")
    with running(tmp_path / "run", *many) as run:
        unplug_camera(run)
        assert run.end() == 1
        assert run.summary["error_code"] == ErrorCode.CAMERA_TIMEOUT
        assert "camera/color/image_raw" in run.summary["error_msg"]
        assert run.summary["parked"]
        assert_readable(run)


def test_a_node_that_is_killed_is_named_and_the_arm_parked(tmp_path):
    many = ("--scene", "row", "--objects", "8", "--policy", "heuristic")
    with running(tmp_path / "run", *many) as run:
        run.until_first_action()
        os.kill(run.children["inference_node"], signal.SIGKILL)
        assert run.end() == 1
        assert run.summary["error_code"] == ErrorCode.PROCESS_DIED
        assert "inference_node died (SIGKILL)" in run.summary["error_msg"]
        assert run.summary["parked"]
        assert_readable(run)


def test_a_task_that_is_killed_is_named_with_what_it_had_done(tmp_path):
    many = ("--scene", "row", "--objects", "8", "--policy", "heuristic")
    with running(tmp_path / "run", *many) as run:
        run.until_first_action()
        os.kill(run.children["task_node"], signal.SIGKILL)
        assert run.end() == 1
        summary = run.summary
        assert summary["error_code"] == ErrorCode.PROCESS_DIED
        assert "task_node died (SIGKILL)" in summary["error_msg"]
        actions = [event for event in run.events if event["event"] == "action"]
        assert summary["actions"] == len(actions) >= 1 and summary["decision_ms"] > 0
        assert len(list(read_transitions(run.folder / "transitions.mcap"))) >= len(actions)


def test_ctrl_c_parks_the_arm_and_leaves_nothing_behind(tmp_path):
    many = ("--scene", "row", "--objects", "8", "--policy", "heuristic", "--time-scale", "2")
    with running(tmp_path / "run", *many) as run:
        run.until(lambda event: event.get("state") == "execute")
        time.sleep(1.0)
        pids = descendants(run.process.pid)
        assert len(pids) >= len(NODES)
        run.process.send_signal(signal.SIGINT)
        assert run.end() == 130
        assert_gone(pids, 0.0)
        assert run.summary["error_code"] == ErrorCode.STOPPED
        assert run.summary["parked"] and not run.summary["cleared"]
        assert_readable(run, at_least=0)


def test_nothing_outlives_a_bring_up_that_is_killed(tmp_path):
    with running(tmp_path / "run", *EASY) as run:
        run.until(lambda event: event.get("state") == "capture")
        pids = descendants(run.process.pid)
        run.process.kill()
        run.process.wait()
        assert_gone(pids, 40.0)


def test_a_reserved_domain_is_not_handed_out_twice():
    with reserve_domain() as first:
        with reserve_domain() as second:
            assert first != second
        with pytest.raises(VpgError, match="another system"), reserve_domain(first):
            pass
    with reserve_domain(first) as again:
        assert again == first


def test_an_address_in_use_is_refused_by_name():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.77.0.1", CONTROLLER_PORTS[0]))
        taken.listen()
        with pytest.raises(VpgError, match="30004"), reserve_address("127.77.0.1"):
            pass
