"""What must be right in a cell before its first motion; see ``vpg doctor``."""

import socket
import statistics
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vpg_ros.bringup.findings import Check, Finding
from vpg_ros.devices import calibration, grippers, robotiq
from vpg_ros.devices.dashboard import NOT_UNDERSTOOD, Dashboard
from vpg_ros.devices.handeye import EYE_IN_HAND
from vpg_ros.devices.ur_link import RTDE_PORT
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import point_text
from vpg_ros.system import PARAMS, REALSENSE, TOPICS, real

if TYPE_CHECKING:
    from vpg_ros.nodes.motion_parameters import Parameters

_SLOW = 0.005  # s for one connection, above which control is jerky
_OLDEST_CB3, _OLDEST_E = (3, 10), (5, 6)  # PolyScope that the client library supports
_OLD = 90.0  # days after which a calibration is doubted
_POOR = 1.0  # px
_PORT_TIMEOUT = 2.0  # s
_TRIES = 5


@dataclass(frozen=True)
class Cell:
    """What to check.

    parameters: the file of all nodes. given: what comes on top of it for motion_node. serial: of
    the camera; "" for the file's. driver: who reads the camera; "" for the file's.
    """

    robot_ip: str
    parameters: Path
    given: Mapping[str, str] = field(default_factory=dict)
    calibration: Path | None = None
    serial: str = ""
    driver: str = ""

    @cached_property
    def camera(self) -> str:
        """Who reads the camera, as the system would; raises PARAMETER_INVALID."""
        given = {PARAMS: str(self.parameters)} | ({"camera": self.driver} if self.driver else {})
        return real().told(given).get("camera", REALSENSE)

    @cached_property
    def motion(self) -> "Parameters":
        """motion_node's parameters; raises PARAMETER_INVALID."""
        from vpg_ros.nodes.motion_parameters import Parameters
        from vpg_ros.nodes.parameter_file import load

        given = {**self.given, "robot_ip": self.robot_ip}
        return load(Parameters, self.parameters, "motion_node", given)


def checks(cell: Cell) -> list[Check]:
    """Everything that is checked, what other things rest on first."""
    address = "check cable, address and that the controller is on"
    return [
        Check("network", lambda: _network(cell), address),
        Check("controller version", lambda: _version(cell), address),
        Check("remote control", lambda: _remote(cell), address),
        Check("robot mode", lambda: _robot_mode(cell), address),
        Check("safety mode", lambda: _safety_mode(cell), address),
        Check("arm model", lambda: _arm_model(cell), "correct that, then run `vpg doctor` again"),
        Check("gripper", lambda: _gripper(cell), "check its power, its URCap and its address"),
        Check("camera", lambda: _camera(cell), "plug it into a USB 3 port; close other programs"),
        Check("calibration", lambda: _calibration(cell), "run `vpg calibrate`"),
        Check("safety limits", lambda: _limits(cell), f"correct {cell.parameters}"),
        Check("graphics card", _graphics, ""),
        Check("ROS 2", _ros, "see the README"),
    ]


def _network(cell: Cell) -> Finding:
    """How long a connection takes, which is one way there and back."""
    times = []
    for _ in range(_TRIES):
        began = time.monotonic()
        try:
            socket.create_connection((cell.robot_ip, RTDE_PORT), _PORT_TIMEOUT).close()
        except OSError as error:
            sentence = f"{cell.robot_ip}:{RTDE_PORT} does not answer: {error.strerror or error}"
            raise VpgError(ErrorCode.ARM_UNREACHABLE, sentence) from None
        times.append(time.monotonic() - began)
    latency = statistics.median(times)
    found = f"{latency * 1000:.2f} ms to {cell.robot_ip}"
    if latency > _SLOW:
        return Finding("network", "warn", found, "connect it by cable, without other traffic")
    return Finding("network", "ok", found)


def _version(cell: Cell) -> Finding:
    with Dashboard(cell.robot_ip) as dashboard:
        answer, model = dashboard.ask("PolyscopeVersion"), dashboard.ask("get robot model")
    wanted, name = cell.motion.robot_model, "controller version"
    # A CB3 tells its model from 3.12 on.
    told = not model.startswith(NOT_UNDERSTOOD)
    found = f"{model}, {answer}" if told else answer
    if told and model.upper().rstrip("E") != wanted.upper().rstrip("E"):
        return Finding(name, "fail", found, f"robot_model is {wanted}; set it to this robot's")
    words = answer.split()
    version = tuple(int(part) for part in words[1].split(".")[:2]) if len(words) > 1 else (0, 0)
    generation = "CB3" if version[0] <= 3 else "e-series"
    if any(version) and wanted.endswith("e") != (generation == "e-series"):
        advice = f"robot_model is {wanted}, which is no {generation} arm; set it to this robot's"
        return Finding(name, "fail", found, advice)
    if version < (_OLDEST_CB3 if generation == "CB3" else _OLDEST_E):
        oldest = f"{'.'.join(map(str, _OLDEST_CB3))} or {'.'.join(map(str, _OLDEST_E))}"
        return Finding(name, "warn", found, f"update PolyScope to {oldest} at least")
    return Finding(name, "ok", found)


def _remote(cell: Cell) -> Finding:
    with Dashboard(cell.robot_ip) as dashboard:
        answer = dashboard.ask("is in remote control").lower()
    if answer == "true":
        return Finding("remote control", "ok", "on")
    if answer == "false":
        advice = "switch the pendant from local to remote control"
        return Finding("remote control", "fail", "off", advice)
    return Finding("remote control", "ok", "this controller has no such switch")


def _robot_mode(cell: Cell) -> Finding:
    with Dashboard(cell.robot_ip) as dashboard:
        mode = dashboard.value("robotmode")
    if mode == "RUNNING":
        return Finding("robot mode", "ok", mode)
    return Finding("robot mode", "fail", mode, "power the arm on and release its brakes")


def _safety_mode(cell: Cell) -> Finding:
    with Dashboard(cell.robot_ip) as dashboard:
        mode = dashboard.value("safetymode")
    if mode == "NORMAL":
        return Finding("safety mode", "ok", mode)
    if mode == "REDUCED":
        return Finding("safety mode", "warn", mode, "the robot is slower than motions expect")
    return Finding("safety mode", "fail", mode, "clear the cause, then unlock it on the pendant")


def _arm_model(cell: Cell) -> Finding:
    """Whether joints and tool agree; connects as motion_node does, which would end a program."""
    from vpg_ros.nodes.connect import connect_arm

    name = "arm model"
    with Dashboard(cell.robot_ip) as dashboard:
        state = dashboard.ask("programState")
    if not state.startswith("STOPPED"):
        advice = "end that program, or the system that it belongs to, to compare them"
        return Finding(name, "warn", f"joints and tool not compared: {state}", advice)
    arm = connect_arm(cell.motion)
    try:
        tool = point_text(arm.state().tool.position)
    finally:
        arm.disconnect()
    found = f"{cell.motion.robot_model}: the tool is at {tool} m, where its joints say"
    return Finding(name, "ok", found)


def _gripper(cell: Cell) -> Finding:
    """Whether it answers; a Robotiq is not activated, because that moves its fingers."""
    name = cell.motion.gripper
    if name.startswith("robotiq"):
        return _robotiq(cell.robot_ip, name)
    with closing(grippers.get(name).connect(cell.motion.gripper_settings)) as gripper:
        return Finding("gripper", "ok", f"{name}, open {gripper.width() * 1000:.0f} mm")


def _robotiq(robot_ip: str, name: str) -> Finding:
    try:
        with socket.create_connection((robot_ip, robotiq.PORT), _PORT_TIMEOUT) as connection:
            connection.sendall(b"GET STA\n")
            connection.settimeout(_PORT_TIMEOUT)
            answer = connection.recv(64).decode(errors="replace").strip()
    except OSError as error:
        sentence = f"{name} does not answer at {robot_ip}: {error.strerror or error}"
        raise VpgError(ErrorCode.GRIPPER_NO_ANSWER, sentence) from None
    if answer == "STA 3":
        return Finding("gripper", "ok", f"{name}, active")
    advice = "it will open and close once when motion_node starts: keep fingers away"
    return Finding("gripper", "warn", f"{name}, not active ({answer})", advice)


def _camera(cell: Cell) -> Finding:
    from vpg_ros.devices.realsense import probe
    from vpg_ros.nodes.realsense_parameters import of_connected

    if cell.camera == TOPICS:
        advice = "look at the topics that heightmap_node is to hear, in RViz or with rqt"
        return Finding("camera", "warn", "another driver's; not examined here", advice)
    told = of_connected(cell.parameters, cell.serial)
    found = probe(told.source, told.driver_settings, told.connect_timeout)
    return Finding("camera", "ok", found)


def _calibration(cell: Cell) -> Finding:
    name = "calibration"
    if cell.calibration is None:
        return Finding(name, "warn", "--calibration is not given", "name the file to check it")
    camera = calibration.load_camera_pose(cell.calibration)
    quality = calibration.load_quality(cell.calibration)
    made = calibration.load_home(cell.calibration)
    if made is not None:
        calibration.require_home(cell.calibration, made, cell.motion.gate.home)
    found = f"camera at {point_text(camera.position)} m"
    if quality is None:
        return Finding(name, "warn", f"{found}, by hand", "measure it with `vpg calibrate`")
    found += f", {quality.residual:.2f} px, {quality.age:.0f} days old"
    if quality.residual > _POOR or quality.age > _OLD:
        return Finding(name, "warn", found, "run `vpg calibrate` again")
    if quality.mounting == EYE_IN_HAND and made is None:
        found += ", on the tool, with a home that the file does not tell"
        return Finding(
            name, "warn", found, "if `home` was changed since, run `vpg calibrate` again"
        )
    return Finding(name, "ok", found)


def _limits(cell: Cell) -> Finding:
    limits, boxes = cell.motion.gate.limits, cell.motion.keep_out
    found = f"tool {limits.tool_speed:g} m/s, {limits.tool_force:g} N; keep out: " + ", ".join(
        text.split()[0] for text in boxes
    )
    return Finding("safety limits", "ok", found)


def _graphics() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("graphics card", "ok", torch.cuda.get_device_name(0))
    return Finding("graphics card", "ok", "none; the network runs on the processor")


def _ros() -> Finding:
    from vpg_ros.installation import require_ros, require_vpg_msgs

    require_ros()
    require_vpg_msgs()
    return Finding("ROS 2", "ok", "rclpy and vpg_msgs are installed")
