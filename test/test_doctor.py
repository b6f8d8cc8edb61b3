"""`vpg doctor` against the emulated controller, against nothing, and against what never answers."""

import json
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from fixtures_controller import emulator, free_host

from vpg_ros.bringup.findings import Check, Finding, run_all
from vpg_ros.cli.main import main
from vpg_ros.devices.calibration import OnTool, Quality, save
from vpg_ros.devices.dashboard import PORT
from vpg_ros.devices.gripper_data import RG2
from vpg_ros.devices.handeye import EYE_IN_HAND, EYE_TO_HAND
from vpg_ros.devices.kinematics import HOME_JOINTS, kinematics
from vpg_ros.devices.realsense import LiveCamera
from vpg_ros.devices.ur import URArm
from vpg_ros.geometry import Pose, point_text
from vpg_ros.resources import resource

SHIPPED = str(resource("config/real.yaml"))


@pytest.fixture(scope="module")
def robot():
    with emulator("--version", "3.15.0") as process:
        yield process


@pytest.fixture
def calibration(tmp_path: Path) -> Path:
    path = tmp_path / "cell.yaml"
    made = datetime.now(UTC).isoformat()
    save(path, Pose((-0.7, 0.0, 0.8)), Quality(EYE_TO_HAND, made, 20, 0.3, 1e-4, 1e-4))
    return path


def examine(capsys, *arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit status and findings by name."""
    # Of an option that is given twice the last one counts.
    code = main(["doctor", "--json", "--timeout", "120", "--params", SHIPPED, *arguments])
    findings = json.loads(capsys.readouterr().out)
    return code, {finding["check"]: finding for finding in findings}


def told(finding: dict[str, str]) -> tuple[str, str]:
    return finding["level"], finding["found"]


def test_a_good_cell_is_green_but_for_the_camera_that_is_not_there(robot, calibration, capsys):
    code, findings = examine(capsys, "--robot-ip", robot.host, "--calibration", str(calibration))
    assert {name for name, finding in findings.items() if finding["level"] != "ok"} == {"camera"}
    assert code == 1 and findings["camera"]["level"] == "fail" and findings["camera"]["advice"]
    assert "UR5" in findings["controller version"]["found"]
    assert told(findings["remote control"]) == ("ok", "this controller has no such switch")
    tool = point_text(kinematics("ur5", RG2.tool).forward(HOME_JOINTS).position)
    found = f"ur5: the tool is at {tool} m, where its joints say"
    assert told(findings["arm model"]) == ("ok", found)
    assert findings["network"]["found"].endswith(f"ms to {robot.host}")
    assert "0.30 px, 0 days old" in findings["calibration"]["found"]
    assert "pole, camera" in findings["safety limits"]["found"]


def test_a_protective_stop_and_a_wrong_model_are_told_with_what_to_do(robot, capsys):
    robot.fault("pstop")
    try:
        robot.until("safety", "PROTECTIVE_STOP")
        _, findings = examine(capsys, "--robot-ip", robot.host, "--robot-model", "ur10")
    finally:
        robot.recover()
    assert findings["safety mode"]["level"] == "fail"
    assert findings["safety mode"]["found"] == "PROTECTIVE_STOP"
    assert "unlock" in findings["safety mode"]["advice"]
    assert findings["controller version"]["level"] == "fail"
    assert "robot_model is ur10" in findings["controller version"]["advice"]
    assert findings["calibration"]["level"] == "warn"


def test_local_control_is_told_with_what_to_do(capsys):
    with emulator("--robot-model", "ur5e") as e_series:
        cell = ("--robot-ip", e_series.host, "--robot-model", "ur5e")
        _, findings = examine(capsys, *cell)
        assert told(findings["remote control"]) == ("ok", "on")
        e_series.fault("local")
        _, findings = examine(capsys, *cell)
    assert told(findings["remote control"]) == ("fail", "off")
    assert "from local to remote" in findings["remote control"]["advice"]
    assert findings["arm model"]["level"] == "fail"
    assert "refuses remote control" in findings["arm model"]["found"]


def test_a_model_of_the_other_generation_is_told_by_version_and_by_tool(robot, capsys):
    _, findings = examine(capsys, "--robot-ip", robot.host, "--robot-model", "ur5e")
    version, arm = findings["controller version"], findings["arm model"]
    assert version["level"] == "fail" and "ur5e, which is no CB3 arm" in version["advice"]
    assert arm["level"] == "fail" and "robot_model is ur5e" in arm["found"] and "mm" in arm["found"]


def test_a_program_that_runs_is_left_alone(robot, capsys):
    arm = URArm(robot.host)
    try:
        _, findings = examine(capsys, "--robot-ip", robot.host)
        assert robot.state()["runtime"] == "PLAYING"
    finally:
        arm.disconnect()
    assert findings["arm model"]["level"] == "warn"
    assert "PLAYING" in findings["arm model"]["found"]


def test_a_muted_gripper_fails_alone(robot, capsys):
    robot.fault("gripper-mute")
    try:
        _, findings = examine(capsys, "--robot-ip", robot.host)
    finally:
        robot.recover()
    failed = {name for name, finding in findings.items() if finding["level"] == "fail"}
    assert failed == {"gripper", "camera"}, findings


def test_a_wrong_address_fails_in_time_and_in_words(capsys):
    host = free_host()
    began = time.monotonic()
    code, findings = examine(capsys, "--robot-ip", host, "--timeout", "15")
    assert code == 1 and time.monotonic() - began < 25.0
    for name in ("network", "controller version", "remote control", "robot mode", "safety mode"):
        assert findings[name]["level"] == "fail" and host in findings[name]["found"]
        assert findings[name]["advice"]
    assert findings["gripper"]["level"] == "fail"
    assert findings["safety limits"]["level"] == "ok"


def test_a_dashboard_that_never_answers_fails_in_words(capsys):
    host = free_host()
    with socket.create_server((host, PORT)):
        _, findings = examine(capsys, "--robot-ip", host)
    assert findings["robot mode"]["level"] == "fail"
    assert "does not answer" in findings["robot mode"]["found"]


def test_the_camera_is_asked_for_the_pictures_that_the_parameter_file_names(
    tmp_path, monkeypatch, capsys
):
    content = yaml.safe_load(resource("config/real.yaml").read_text())
    own = {"fps": 6, "height": 240, "warm_up": 3, "connect_timeout": 20.0}
    content["/**/heightmap_node"]["ros__parameters"]["realsense"] |= own
    path = tmp_path / "cell.yaml"
    path.write_text(yaml.safe_dump(content))

    def probe(source, settings, timeout):
        assert source == LiveCamera("7", 640, 240, 6)
        assert settings.warm_up == 3 and timeout == 20.0
        return "seen"

    monkeypatch.setattr("vpg_ros.devices.realsense.probe", probe)
    _, findings = examine(capsys, "--robot-ip", free_host(), "--params", str(path), "--serial", "7")
    assert told(findings["camera"]) == ("ok", "seen")


def test_a_camera_that_another_driver_reads_is_left_to_that(tmp_path, capsys):
    path = tmp_path / "cell.yaml"
    own = "heightmap_node: {ros__parameters: {camera: topics}}\n"
    path.write_text(resource("config/real.yaml").read_text() + own)
    for given in (("--camera", "topics"), ("--params", str(path))):
        _, findings = examine(capsys, "--robot-ip", free_host(), *given)
        assert findings["camera"]["level"] == "warn"
        assert "another driver" in findings["camera"]["found"]
    given = ("--params", str(path), "--camera", "realsense", "--serial", "0815")
    _, findings = examine(capsys, "--robot-ip", free_host(), *given)
    assert "'0815'" in findings["camera"]["found"]


def test_a_controller_that_cannot_tell_its_model_yet_is_taken_at_its_version(capsys):
    with emulator("--version", "3.10.0") as old:
        _, findings = examine(capsys, "--robot-ip", old.host)
    version = findings["controller version"]
    assert version["level"] == "ok" and "3.10" in version["found"], version
    assert findings["arm model"]["level"] == "ok"


def test_a_camera_on_the_tool_is_known_at_one_home_alone(tmp_path, capsys):
    path, now = tmp_path / "calibration.yaml", datetime.now(UTC).isoformat()
    quality = Quality(EYE_IN_HAND, now, 20, 0.3, 1e-4, 1e-4)
    content = yaml.safe_load(resource("config/real.yaml").read_text())
    home = content["/**/motion_node"]["ros__parameters"]["home"]

    def level(of: OnTool) -> tuple[str, str]:
        save(path, Pose((-0.7, 0.0, 0.8)), quality, of)
        _, findings = examine(capsys, "--robot-ip", host, "--calibration", str(path))
        return findings["calibration"]["level"], findings["calibration"]["found"]

    camera, host = Pose((0.05, -0.07, -0.12)), free_host()
    assert level(OnTool(camera, tuple(home)))[0] == "ok"
    assert level(OnTool(camera, ()))[0] == "warn"  # a file of an earlier version
    moved = (home[0], home[1] + 0.1, *home[2:])
    failed, words = level(OnTool(camera, moved))
    assert failed == "fail" and "home of motion_node is [-1.103, -1.3806" in words
    cell = ["--robot-ip", host, "--params", SHIPPED, "--calibration", str(path)]
    assert main(["real", *cell]) == 1
    assert words in capsys.readouterr().err


def test_limits_that_are_missing_or_forbid_home_fail(tmp_path, capsys):
    content = yaml.safe_load(resource("config/real.yaml").read_text())
    motion = content["/**/motion_node"]["ros__parameters"]
    path = tmp_path / "cell.yaml"
    motion["keep_out"] = ["shelf -0.5 0.3 0.0 -0.2 0.6 1.0"]
    path.write_text(yaml.safe_dump(content))
    host = free_host()
    _, findings = examine(capsys, "--robot-ip", host, "--params", str(path))
    assert findings["safety limits"]["level"] == "fail"
    assert "into shelf" in findings["safety limits"]["found"]
    motion["keep_out"], motion["home"] = ["none"], [0.4, -1.38, 1.19, -1.38, -1.57, 0.47]
    path.write_text(yaml.safe_dump(content))
    _, findings = examine(capsys, "--robot-ip", host, "--params", str(path))
    assert "home" in findings["safety limits"]["found"]
    assert "outside the workspace box" in findings["safety limits"]["found"]
    del motion["limits"]["tool_speed"]
    path.write_text(yaml.safe_dump(content))
    _, findings = examine(capsys, "--robot-ip", host, "--params", str(path))
    assert "limits.tool_speed" in findings["safety limits"]["found"]


def test_the_camera_is_the_one_of_the_parameter_file(tmp_path, capsys):
    path = tmp_path / "cell.yaml"
    own = "heightmap_node: {ros__parameters: {realsense: {serial: '0815'}}}\n"
    path.write_text(resource("config/real.yaml").read_text() + own)
    _, findings = examine(capsys, "--robot-ip", free_host(), "--params", str(path))
    assert "with serial '0815' is connected" in findings["camera"]["found"]


def test_a_check_that_hangs_or_breaks_is_a_finding_like_any_other():
    def broken() -> Finding:
        raise RuntimeError("oops")

    def fine() -> Finding:
        return Finding("fine", "ok", "well")

    hanging = Check("hanging", lambda: time.sleep(60.0), "unplug it")  # type: ignore[arg-type]
    checks = [hanging, Check("broken", broken, ""), Check("fine", fine, "")]
    first, second, third = run_all(checks, time.monotonic() + 0.5)
    assert (first.level, first.found, first.advice) == ("fail", "no answer in time", "unplug it")
    assert second.level == "fail" and "oops" in second.found
    assert third == fine()


def test_the_table_is_printed(capsys):
    assert main(["doctor", "--robot-ip", free_host(), "--params", SHIPPED]) == 1
    out = capsys.readouterr().out
    assert "network" in out and "fail" in out and "safety limits" in out
