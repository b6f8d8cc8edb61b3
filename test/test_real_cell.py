"""The node set of a real cell, unaware that robot, gripper and camera are emulated ones."""

import time
from pathlib import Path

import numpy as np
from fixtures_controller import emulator
from test_bringup import running

from vpg_ros.devices.kinematics import HOME_JOINTS
from vpg_ros.devices.realsense.software import SoftwareCamera, SoftwareSource
from vpg_ros.errors import ErrorCode
from vpg_ros.frame import Intrinsics
from vpg_ros.geometry import look_at
from vpg_ros.learning.store import read_transitions
from vpg_ros.system import real

WIDTH, HEIGHT, RATE = 640, 480, 30
LENS = Intrinsics(WIDTH, HEIGHT, 600.0, 600.0, 319.5, 239.5)
CAMERA = SoftwareCamera(depth=LENS, colour=LENS)
EYE, TARGET = np.array([-0.5, 0.0, 0.8]), np.array([-0.5, 0.0, 0.0])  # m
BLOCK = slice(HEIGHT // 2 - 16, HEIGHT // 2 + 16), slice(WIDTH // 2 - 16, WIDTH // 2 + 16)


def record(path: Path) -> None:
    """What a camera sees that looks down on a block 40 mm high in the middle of the table."""
    depth = np.full((HEIGHT, WIDTH), 800, np.uint16)
    depth[BLOCK] = 760
    colour = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    source = SoftwareSource(CAMERA, path)
    source.start()
    begin = time.time()
    for number in range(40):
        source.push(depth, colour, begin + number / RATE)
        source.read(0.02)
    source.stop()


def calibrate(path: Path) -> None:
    pose = look_at(EYE, TARGET, np.array([1.0, 0.0, 0.0]))
    position, quaternion = list(pose.position), list(pose.quaternion)
    path.write_text(f"camera_pose: {{position: {position}, quaternion: {quaternion}}}\n")


def test_a_block_is_seen_grasped_and_carried_into_the_bin(tmp_path: Path) -> None:
    record(tmp_path / "table.db3")
    calibrate(tmp_path / "calibration.yaml")
    with emulator("--time-scale", "4", "--object-width", "0.04") as robot:
        options = {
            "robot-ip": robot.host,
            "params": real().parameters_path,
            "calibration": tmp_path / "calibration.yaml",
            "camera-recording": tmp_path / "table.db3",
            "policy": "heuristic",
            "max-actions": 1,
        }
        arguments = [str(part) for key, value in options.items() for part in (f"--{key}", value)]
        with running(tmp_path / "run", *arguments, system="real") as run:
            assert run.end() == 1, "the recording still shows the block"
            assert run.summary["error_code"] == ErrorCode.ACTION_LIMIT, run.output
            assert run.summary["parked"] and run.summary["grasps"] == 1
        (transition,) = read_transitions(tmp_path / "run" / "transitions.mcap")
        assert transition.outcome.success, transition.outcome.error_msg
        assert np.hypot(*np.subtract(transition.action.pose.position[:2], TARGET[:2])) < 0.02
        assert np.abs(np.array(robot.state()["joints"]) - HOME_JOINTS).max() < 0.02
