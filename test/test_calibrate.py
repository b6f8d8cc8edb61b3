"""Hand-eye calibration against cameras whose place is known, from rendered pictures of a board."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import yaml
from calibration_rig import CAMERA, Rig
from scipy.spatial.transform import Rotation

from vpg_ros.cli.calibrate import calibrate
from vpg_ros.cli.main import main
from vpg_ros.devices.board import Board, Corners, project
from vpg_ros.devices.calibrate import Calibration, Plan
from vpg_ros.devices.calibration import Quality, load_camera_pose, load_home, load_quality, save
from vpg_ros.devices.collision import CollisionModel
from vpg_ros.devices.description import expand
from vpg_ros.devices.handeye import EYE_IN_HAND, EYE_TO_HAND, MOUNTINGS, View, known, solve
from vpg_ros.devices.interfaces import MoveResult
from vpg_ros.devices.kinematics import HOME_JOINTS, UR5
from vpg_ros.devices.realsense import LiveCamera
from vpg_ros.devices.safety import Limits, SafetyGate
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, Pose, look_at, tool_down
from vpg_ros.resources import resource

LIMITS = Limits(
    box_min=(-0.80, -0.45, 0.0),
    box_max=(-0.15, 0.60, 0.70),
    table_z=0.0,
    joint_limit=(6.28,) * 6,
    joint_speed=2.5,
    joint_acceleration=8.0,
    tool_speed=0.5,
    tool_acceleration=2.0,
    tool_force=80.0,
    gripper_width=0.110,
    gripper_force=40.0,
)
GATE = SafetyGate(
    LIMITS,
    UR5,
    HOME_JOINTS,
    CollisionModel(expand(True, False, True, DEFAULT_WORKSPACE), 0.0, (), 0.110),
)
BOARD = Board()


def rig(mounting: str, seed: int, **options) -> Rig:
    """A cell with the board in view."""
    rng = np.random.default_rng(seed)
    if mounting == EYE_TO_HAND:
        eye = np.array([-1.15, 0.10, 0.55]) + rng.uniform(-0.03, 0.03, 3)
        camera = look_at(eye, np.array([-0.5, 0.0, 0.3]), np.array([0.0, 0.0, 1.0]))
        tool = tool_down(-0.5, 0.0, 0.3, 0.0)
        seen = Pose.from_rotvec(np.array([-0.105, -0.075, 0.62, 0.1, 0.1, 0.0]))
        board = tool.inverse() @ camera @ seen
    else:
        shift = rng.uniform(-0.02, 0.02, 6)
        camera = Pose.from_rotvec(np.array([0.05, -0.07, -0.12, 0.05, -0.10, 1.5]) + shift)
        tool = tool_down(-0.5, 0.0, 0.35, 0.0)
        board = on_table(tool @ camera)
    joints = UR5.inverse(tool, HOME_JOINTS)
    return Rig(mounting, camera, board, joints, rng, BOARD, **options)


def on_table(camera: Pose) -> Pose:
    """The board on the table, face up, in the middle of what the camera sees."""
    matrix = camera.matrix
    x, y, _ = matrix[:3, 3] - matrix[:3, 2] * matrix[2, 3] / matrix[2, 2]
    width, height = BOARD.size
    return Pose((x - width / 2, y + height / 2, 0.0), (1.0, 0.0, 0.0, 0.0))


def apart(first: Pose, second: Pose) -> tuple[float, float]:
    """m and degrees between two poses."""
    distance = np.linalg.norm(np.subtract(first.position, second.position))
    turn = Rotation.from_quat(first.quaternion).inv() * Rotation.from_quat(second.quaternion)
    return float(distance), float(np.degrees(turn.magnitude()))


def ideal_views(cell: Rig, poses: list[Pose], noise: float = 0.0) -> list[View]:
    """Views of all corners by projection alone, ``noise`` px off."""
    points = np.array([[x, y, 0] for x in range(1, 7) for y in range(1, 5)]) * BOARD.square
    views = []
    for tool in poses:
        pose = (cell.camera.inverse() @ known(cell.mounting, tool) @ cell.board).matrix
        pixels = project(points @ pose[:3, :3].T + pose[:3, 3], CAMERA)
        pixels = pixels + cell.rng.normal(0, noise, pixels.shape)
        views.append(View(tool, Corners(points, pixels)))
    return views


def tilted(tool: Pose, rng: np.random.Generator, count: int = 15) -> list[Pose]:
    turns = Rotation.from_rotvec(rng.uniform(-0.4, 0.4, (count, 3))).as_quat()
    poses = [tool @ Pose((0.0, 0.0, 0.0), tuple(turn)) for turn in turns]
    return [pose.translated(*rng.uniform(-0.05, 0.05, 3)) for pose in poses]


@pytest.mark.parametrize("mounting", MOUNTINGS)
def test_the_known_pose_comes_back_from_noisy_pictures(mounting: str, tmp_path: Path) -> None:
    cell = rig(mounting, seed=2)
    start = cell.joints
    output = tmp_path / "cell.yaml"
    calibrate(cell, cell, GATE, Plan(mounting, BOARD, views=20, settle=0.0), 2, output)
    on_tool = mounting == EYE_IN_HAND
    truth = UR5.forward(HOME_JOINTS) @ cell.camera if on_tool else cell.camera
    distance, angle = apart(load_camera_pose(output), truth)
    assert distance < 0.001 and angle < 0.2
    quality = load_quality(output)
    assert quality is not None and quality.views == 20 and quality.mounting == mounting
    assert quality.residual < 0.5 and quality.position_sigma < 0.001 and quality.age < 0.1
    assert ("camera_on_tool" in yaml.safe_load(output.read_text())) == on_tool
    home = load_home(output)
    assert np.array_equal(home, HOME_JOINTS) if on_tool else home is None
    assert cv2.imread(str(output.with_suffix(".png"))).shape == (7 * 360, 3 * 480, 3)
    end = HOME_JOINTS if on_tool else start
    assert np.abs(cell.joints - end).max() < 0.02, "the arm is not where it belongs"


def test_a_camera_on_the_tool_of_an_arm_with_lengths_of_its_own(tmp_path: Path) -> None:
    """The controller knows them, the maker's figures do not; they are 8 mm apart at home."""
    d = (UR5.d[0] + 0.003, *UR5.d[1:3], UR5.d[3] - 0.006, UR5.d[4], UR5.d[5] + 0.004)
    own = replace(UR5, d=d)
    cell = rig(EYE_IN_HAND, 5, lengths=own)
    cell.board = on_table(own.forward(cell.joints) @ cell.camera)
    output = tmp_path / "cell.yaml"
    plan = Plan(EYE_IN_HAND, BOARD, views=10, settle=0.0)
    calibrate(cell, cell, GATE, plan, 2, output)
    truth, nominal = (arm.forward(HOME_JOINTS) @ cell.camera for arm in (own, UR5))
    assert apart(truth, nominal)[0] > 0.005
    assert apart(load_camera_pose(output), truth)[0] < 0.0015


@pytest.mark.parametrize("mounting", MOUNTINGS)
@pytest.mark.parametrize("seed", range(5))
def test_the_known_pose_comes_back_from_noisy_corners(mounting: str, seed: int) -> None:
    cell = rig(mounting, seed)
    tool = UR5.forward(cell.joints)
    result = solve(ideal_views(cell, tilted(tool, cell.rng), noise=0.2), CAMERA, mounting)
    distance, angle = apart(result.camera, cell.camera)
    assert distance < 0.001 and angle < 0.2
    assert distance < 5 * result.position_sigma + 1e-4
    assert 0.1 < result.residual < 0.5
    assert apart(result.board, cell.board)[0] < 0.001


@pytest.mark.parametrize("mounting", MOUNTINGS)
def test_exact_corners_give_the_exact_pose(mounting: str) -> None:
    cell = rig(mounting, 7)
    views = ideal_views(cell, tilted(UR5.forward(cell.joints), cell.rng, 5))
    distance, angle = apart(solve(views, CAMERA, mounting).camera, cell.camera)
    assert distance < 1e-6 and angle < 1e-4


def test_one_wrong_corner_in_each_view_does_little_harm() -> None:
    cell = rig(EYE_TO_HAND, 3)
    views = ideal_views(cell, tilted(UR5.forward(cell.joints), cell.rng), noise=0.1)
    for view in views:
        view.corners.pixels[int(cell.rng.integers(24))] += 15.0
    assert apart(solve(views, CAMERA, EYE_TO_HAND).camera, cell.camera)[0] < 0.001


def test_turning_about_one_axis_alone_is_not_enough() -> None:
    cell = rig(EYE_TO_HAND, 1)
    tool = UR5.forward(cell.joints)
    turns = [Pose.from_rotvec(np.array([0, 0, 0, 0, 0, a])) for a in (0.0, 0.2, 0.4, 0.6)]
    with pytest.raises(VpgError, match="one axis") as caught:
        solve(ideal_views(cell, [tool @ turn for turn in turns]), CAMERA, EYE_TO_HAND)
    assert caught.value.code is ErrorCode.CALIBRATION_FAILED


def test_too_few_views_are_refused() -> None:
    cell = rig(EYE_TO_HAND, 1)
    views = ideal_views(cell, tilted(UR5.forward(cell.joints), cell.rng, 3))
    with pytest.raises(VpgError, match="3 views"):
        solve(views, CAMERA, EYE_TO_HAND)


def test_a_board_that_is_not_seen_is_said_before_the_arm_moves() -> None:
    cell = rig(EYE_TO_HAND, 1, lit=False)
    with pytest.raises(VpgError, match="not seen from where the arm stands"):
        Calibration(cell, cell, GATE, Plan(EYE_TO_HAND, BOARD), cell.rng).run()
    assert cell.moves == 0


class Stopped(Rig):
    """Its third move fails."""

    failure: BaseException

    def move_to(self, pose: Pose, speed: float, acceleration: float) -> MoveResult:
        result = super().move_to(pose, speed, acceleration)
        if self.moves == 3:
            raise self.failure
        return result


@pytest.mark.parametrize(
    "failure",
    [
        KeyboardInterrupt(),
        VpgError(ErrorCode.MOTION_REJECTED, "the control program on the robot has ended"),
        VpgError(ErrorCode.CANCELLED, "the move was stopped"),
    ],
)
def test_an_arm_that_was_stopped_is_not_moved_again(failure: BaseException) -> None:
    cell = Stopped(**vars(rig(EYE_IN_HAND, 1)))
    cell.failure = failure
    with pytest.raises((KeyboardInterrupt, VpgError)) as caught:
        Calibration(cell, cell, GATE, Plan(EYE_IN_HAND, BOARD, settle=0.0), cell.rng).run()
    assert cell.moves == 3
    if isinstance(failure, VpgError):
        assert caught.value.code is failure.code
        assert (
            caught.value.message
            == f"{failure.message}; the arm is not sent back to where it started"
        )


def test_too_few_views_leave_the_arm_where_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = rig(EYE_IN_HAND, 1)
    start = cell.joints
    monkeypatch.setattr("vpg_ros.devices.calibrate.next_poses", lambda *_: [])
    with pytest.raises(VpgError, match="the board was seen from") as caught:
        Calibration(cell, cell, GATE, Plan(EYE_IN_HAND, BOARD, settle=0.0), cell.rng).run()
    assert caught.value.code is ErrorCode.CALIBRATION_FAILED
    assert np.abs(cell.joints - start).max() < 1e-2


def test_why_poses_are_refused_is_said_at_once_and_in_the_end() -> None:
    """Somebody brought the board into view where the tool may not be."""
    cell = rig(EYE_TO_HAND, 1)
    gate = replace(GATE, limits=replace(LIMITS, box_max=(-0.15, 0.60, 0.20)))
    heard: list[str] = []
    run = Calibration(cell, cell, gate, Plan(EYE_TO_HAND, BOARD, settle=0.0), cell.rng).run
    words = r"seen from 1 poses of 20: give .*outside the workspace box"
    with pytest.raises(VpgError, match=words):
        run(lambda _, what: heard.append(what))
    assert all("outside the workspace box" in what for what in heard[1:]) and len(heard) == 7


def test_a_residual_above_the_limit_writes_nothing(tmp_path: Path) -> None:
    """An arm whose reports are a degree off cannot be calibrated with."""
    cell = rig(EYE_IN_HAND, 1, pose_noise=(0.003, np.radians(1.0)))
    plan = Plan(EYE_IN_HAND, BOARD, views=8, settle=0.0)
    with pytest.raises(VpgError, match=r"px off their places; allowed: 1 px") as caught:
        calibrate(cell, cell, GATE, plan, 1, tmp_path / "cell.yaml")
    assert caught.value.code is ErrorCode.CALIBRATION_FAILED
    assert list(tmp_path.iterdir()) == []


def test_poses_that_the_gate_refuses_are_not_visited() -> None:
    """A box of 10 cm is all the room there is: every pose of the arm stays in it."""
    cell = rig(EYE_IN_HAND, 4)
    x, y, z = UR5.forward(cell.joints).position
    low, high = (x - 0.05, y - 0.05, z - 0.05), (x + 0.05, y + 0.05, z + 0.05)
    gate = replace(GATE, limits=replace(LIMITS, box_min=low, box_max=high), home=cell.joints)
    record = Calibration(
        cell, cell, gate, Plan(EYE_IN_HAND, BOARD, views=8, settle=0.0), cell.rng
    ).run()
    places = np.array([view.tool.position for view in record.views])
    assert (places > np.array(low) - 1e-3).all() and (places < np.array(high) + 1e-3).all()


def test_a_file_is_replaced_whole_and_a_hand_written_one_has_no_quality(tmp_path: Path) -> None:
    path = tmp_path / "cell.yaml"
    pose = look_at(np.array([-0.7, 0.1, 0.9]), np.array([-0.5, 0, 0]), np.array([1.0, 0, 0]))
    save(path, pose, Quality(EYE_TO_HAND, "2026-01-01T00:00:00+00:00", 20, 0.3, 1e-4, 1e-4))
    assert apart(load_camera_pose(path), pose)[0] < 1e-9
    quality = load_quality(path)
    assert quality is not None and quality.age > 1.0
    path.write_text("camera_pose: {position: [0, 0, 1], quaternion: [1, 0, 0, 0]}")
    assert load_quality(path) is None
    assert [entry.name for entry in tmp_path.iterdir()] == ["cell.yaml"]


def test_the_file_that_the_documentation_writes_by_hand_looks_straight_down(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "docs/hardware.md").read_text()
    (example,) = (block for block in text.split("```") if block.startswith("yaml\ncamera_pose"))
    path = tmp_path / "by_hand.yaml"
    path.write_text(example.removeprefix("yaml"))
    pose = load_camera_pose(path)
    looks, right = pose.matrix[:3, 2], pose.matrix[:3, 0]
    assert pose.position[2] > 0 and np.allclose(looks, [0, 0, -1]) and np.allclose(right, [1, 0, 0])
    assert load_quality(path) is None


def test_the_board_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "board.png"
    assert main(["calibrate", "--print-board", str(path), "--columns", "8"]) == 0
    assert "240 × 150 mm" in capsys.readouterr().out
    grey = cv2.imread(str(path))
    found = Board(columns=8).find(
        np.pad(grey, ((200, 200), (200, 200), (0, 0)), constant_values=255)
    )
    assert found is not None and len(found.points) == 7 * 4


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--robot-model", "ur99"], "robot_model of motion_node is 'ur99'; allowed: one of ur3"),
        (["--gripper", "hand"], "gripper of motion_node is 'hand'; allowed: one of rg2"),
        (["--max-residual", "nan"], "max_residual is nan px; allowed: a finite number above 0"),
        (["--max-residual", "-1"], "max_residual is -1 px; allowed"),
        (["--seed", "-1"], "--seed is -1; allowed: at least 0"),
        (["--output", "nowhere/x.yaml"], "nowhere/x.yaml cannot be written: No such file"),
        (["--output", "."], ". cannot be written: it is a folder"),
        (["--output", "x.png"], "--output is x.png; allowed"),
        (
            ["--columns", "100", "--rows", "100", "--print-board", "x.png"],
            "100 × 100 squares; allowed: at most 200",
        ),
    ],
)
def test_bad_input_is_one_sentence_before_anything_is_connected(
    given: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vpg_ros.cli.calibrate._with_devices", lambda *_: pytest.fail("connected"))
    monkeypatch.setattr("os._exit", lambda _: pytest.fail("connected"))
    cell = ["--robot-ip", "127.99.0.1", "--params", str(resource("config/real.yaml"))]
    assert main(["calibrate", *cell, *given]) == 1
    told = capsys.readouterr().err
    assert words in told and "[error 900]" in told and len(told.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("tool_force", 900.0, "limits.tool_force of motion_node is 900.0; allowed: 1.0 to 250.0"),
        ("table_z", float("nan"), "limits.table_z of motion_node is nan; every number must be"),
        ("box_max", [0.0, float("inf"), 1.0], "limits.box_max of motion_node is [0.0, inf, 1.0]"),
    ],
)
def test_a_bad_value_in_the_parameter_file_is_told_with_what_is_allowed(
    name: str, value: object, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load(resource("config/real.yaml").read_text())
    content["/**/motion_node"]["ros__parameters"]["limits"][name] = value
    path, output = tmp_path / "cell.yaml", str(tmp_path / "calibration.yaml")
    path.write_text(yaml.safe_dump(content))
    given = ["--robot-ip", "127.99.0.1", "--params", str(path), "--output", output]
    assert main(["calibrate", *given]) == 1
    told = capsys.readouterr().err
    assert words in told and len(told.splitlines()) == 1


def test_the_camera_is_told_what_the_parameter_file_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording that the cell plays shows no board: the camera itself is meant."""
    content = yaml.safe_load(resource("config/real.yaml").read_text())
    content["/**/heightmap_node"]["ros__parameters"]["realsense"] |= {
        "serial": 123,
        "fps": 15,
        "width": 848,
        "stall": 4.0,
        "connect_timeout": 20.0,
        "recording": "yesterday.db3",
    }
    path = tmp_path / "cell.yaml"
    path.write_text(yaml.safe_dump(content))
    told = {}

    def connect(source, settings, timeout):
        told.update(source=source, stall=settings.stall, timeout=timeout)
        raise VpgError(ErrorCode.CAMERA_MISSING, "none")

    monkeypatch.setattr("vpg_ros.devices.realsense.RealSense", connect)
    monkeypatch.setattr("vpg_ros.nodes.connect.connect_arm", lambda _: Mock())
    monkeypatch.setattr("os._exit", lambda _: None)
    given = ["--robot-ip", "127.99.0.1", "--output", str(tmp_path / "out.yaml")]
    main(["calibrate", *given, "--params", str(path)])
    assert told == {"source": LiveCamera("123", 848, 480, 15), "stall": 4.0, "timeout": 20.0}
    main(["calibrate", *given, "--params", str(path), "--serial", "7"])
    assert told["source"].serial == "7"


def test_a_cell_that_is_to_move_nothing_is_not_calibrated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cell.yaml"
    own = "motion_node: {ros__parameters: {dry_run: true}}\n"
    path.write_text(resource("config/real.yaml").read_text() + own)
    given = ["--robot-ip", "127.99.0.1", "--output", str(tmp_path / "out.yaml")]
    assert main(["calibrate", *given, "--params", str(path)]) == 1
    assert "sets dry_run" in capsys.readouterr().err


def test_a_missing_address_or_cell_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate"]) == 1
    assert "--robot-ip is not given" in capsys.readouterr().err
    assert main(["calibrate", "--robot-ip", "127.99.0.1"]) == 1
    assert "--params is not given" in capsys.readouterr().err
