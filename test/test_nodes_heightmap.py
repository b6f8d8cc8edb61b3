"""heightmap_node with a fake camera driver: fresh frames, silent and blind cameras, calibration."""

import time
from contextlib import contextmanager
from dataclasses import replace

import cv2
import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from ros_fixtures import TIMEOUT, call, ros, run_process, sentence, spinning
from sensor_msgs.msg import CameraInfo, Image
from vpg_msgs.srv import Capture

from vpg_ros.errors import ErrorCode
from vpg_ros.frame import Intrinsics
from vpg_ros.geometry import Pose, look_at
from vpg_ros.nodes.convert import (
    heightmap_from_msg,
    image_from_msg,
    image_to_msg,
    intrinsics_to_msg,
    pose_stamped,
    stamp_from_msg,
)
from vpg_ros.nodes.heightmap_node import HeightmapNode
from vpg_ros.nodes.qos import LATCHED

INTRINSICS = Intrinsics(320, 240, 300.0, 300.0, 159.5, 119.5)
POSE = look_at(np.array([-0.5, 0.0, 0.7]), np.array([-0.5, 0.0, 0.0]), np.array([1.0, 0.0, 0.0]))
TABLE, BOX_TOP = 0.7, 0.05


def scene() -> np.ndarray:
    """Depth of a table 0.7 m below the camera with a box in the middle."""
    depth = np.full((240, 320), TABLE, np.float32)
    depth[110:130, 150:170] = TABLE - BOX_TOP
    return depth


class FakeDriver(Node):
    """Publishes one picture over and over, as a RealSense driver would."""

    def __init__(self, with_pose: bool = True) -> None:
        super().__init__("camera")
        self.depth, self.age, self.running = scene(), 0.0, True
        self.intrinsics, self.lens = INTRINSICS, ("plumb_bob", [0.0] * 5)
        self._images = {
            topic: self.create_publisher(kind, topic, qos_profile_sensor_data)
            for topic, kind in (
                ("camera/color/image_raw", Image),
                ("camera/aligned_depth_to_color/image_raw", Image),
                ("camera/color/camera_info", CameraInfo),
            )
        }
        if with_pose:
            publisher = self.create_publisher(PoseStamped, "camera/pose", LATCHED)
            publisher.publish(pose_stamped(POSE, 0.0))
        self.create_timer(0.03, self._publish)

    def _publish(self) -> None:
        if not self.running:
            return
        stamp = stamp_from_msg(self.get_clock().now().to_msg()) - self.age
        colour = np.full((240, 320, 3), 90, np.uint8)
        messages = (
            image_to_msg(colour, stamp, "camera_color_optical_frame"),
            image_to_msg(self.depth, stamp, "camera_color_optical_frame"),
            intrinsics_to_msg(self.intrinsics, stamp, "camera_color_optical_frame"),
        )
        messages[-1].distortion_model, messages[-1].d = self.lens
        for publisher, message in zip(self._images.values(), messages, strict=True):
            publisher.publish(message)


@contextmanager
def graph(with_pose: bool = True, **parameters):
    with ros(parameters):
        driver, node = FakeDriver(with_pose), HeightmapNode()
        with spinning(driver, node):
            yield driver


def capture(driver: Node, timeout: float = 0.0) -> Capture.Response:
    return call(driver, Capture, "capture", Capture.Request(timeout=timeout))


def test_the_heightmap_is_of_a_frame_newer_than_the_request():
    with graph() as driver:
        before = time.time()
        response = capture(driver)
        assert response.error_code == ErrorCode.OK, response.error_msg
        heightmap = heightmap_from_msg(response.heightmap)
        assert heightmap.stamp > before
        row, column = heightmap.workspace.to_pixel(-0.5, 0.0)
        assert heightmap.height[row, column] == pytest.approx(BOX_TOP, abs=0.002)
        assert response.heightmap.header.frame_id == "base"


@pytest.mark.parametrize("timeout", [-1.0, float("inf"), float("nan")])
def test_no_picture_is_waited_for_without_an_end(timeout):
    with graph() as driver:
        response = capture(driver, timeout)
        assert response.error_code == ErrorCode.PARAMETER_INVALID
        assert "timeout of capture" in response.error_msg
        assert "allowed: 0 … 600 s" in response.error_msg


def test_the_picture_is_shown_to_whoever_looks():
    with graph() as driver:
        seen = []
        driver.create_subscription(Image, "heightmap_node/colour", seen.append, LATCHED)
        deadline = time.monotonic() + TIMEOUT
        while not seen and time.monotonic() < deadline:  # the node may not know of us at once
            response = capture(driver)
            time.sleep(0.1)
        assert seen[0].header.frame_id == "camera_color_optical_frame"
        assert seen[0].header.stamp == response.heightmap.header.stamp
        assert (image_from_msg(seen[0]) == 90).all()


def test_old_frames_are_not_taken_for_the_scene():
    with graph() as driver:
        driver.age = 5.0
        response = capture(driver, 1.0)
        assert response.error_code == ErrorCode.FRAME_STALE
        driver.age = 0.0
        assert capture(driver).error_code == ErrorCode.OK


def test_a_silent_camera_is_named_and_may_come_back():
    with graph() as driver:
        driver.running = False
        response = capture(driver, 1.0)
        assert response.error_code == ErrorCode.CAMERA_TIMEOUT
        assert "camera/aligned_depth_to_color/image_raw" in response.error_msg
        driver.running = True
        assert capture(driver).error_code == ErrorCode.OK


@pytest.mark.parametrize("nothing", [np.nan, 0.0])
def test_a_blind_camera_is_an_error_and_not_an_empty_table(nothing):
    with graph() as driver:
        driver.depth = np.full((240, 320), nothing, np.float32)
        response = capture(driver)
        assert response.error_code == ErrorCode.DEPTH_EMPTY
        assert "depth" in response.error_msg


def test_a_nearly_blind_camera_is_an_error_too():
    with graph() as driver:
        everything = driver.depth
        driver.depth = np.full_like(everything, np.nan)
        driver.depth[110:130, 150:170] = everything[110:130, 150:170]
        response = capture(driver)
        assert response.error_code == ErrorCode.DEPTH_EMPTY
        assert "of the workspace has depth readings" in response.error_msg


@pytest.mark.parametrize("change", [{"fx": 320.0}, {"cy": 100.0}])
def test_another_camera_in_the_middle_of_a_run_is_refused_until_the_first_is_back(change):
    with graph() as driver:
        assert capture(driver).error_code == ErrorCode.OK
        driver.intrinsics = replace(INTRINSICS, **change)
        response = capture(driver)
        assert response.error_code == ErrorCode.INTRINSICS_CHANGED
        assert f"from {INTRINSICS} to {driver.intrinsics}" in response.error_msg
        # Drift with the temperature is no other camera.
        driver.intrinsics = replace(INTRINSICS, fx=INTRINSICS.fx * 1.002)
        response = capture(driver)
        assert response.error_code == ErrorCode.OK, response.error_msg


@pytest.mark.parametrize("more", [("plumb_bob", [0.0]), ("rational_polynomial", [0.0] * 4)])
def test_a_lens_that_distorts_is_taken_out_of_the_pictures(more):
    """A box near the workspace's edge, which the lens draws a centimetre further in."""
    model, rest = more
    distortion = [-0.6, 0.05, 0.001, -0.001]
    x, y = -0.34, 0.10
    where = np.array([(POSE.inverse() @ Pose((x, y, BOX_TOP))).position])
    matrix = np.array([[300.0, 0.0, 159.5], [0.0, 300.0, 119.5], [0.0, 0.0, 1.0]])
    pixels, _ = cv2.projectPoints(where, np.zeros(3), np.zeros(3), matrix, np.array(distortion))
    column, row = np.rint(pixels.reshape(2)).astype(int)
    with graph() as driver:
        driver.lens = (model, [*distortion, *rest])
        driver.depth = np.full((240, 320), TABLE, np.float32)
        driver.depth[row - 5 : row + 6, column - 5 : column + 6] = TABLE - BOX_TOP
        response = capture(driver)
        assert response.error_code == ErrorCode.OK, response.error_msg
        heightmap = heightmap_from_msg(response.heightmap)
        rows, columns = np.nonzero(heightmap.height > BOX_TOP / 2)
        expected = heightmap.workspace.to_pixel(x, y)
        assert (rows.mean(), columns.mean()) == pytest.approx(expected, abs=1.5)


@pytest.mark.parametrize("lens", [("equidistant", [0.1] * 4), ("plumb_bob", [0.1] * 3)])
def test_a_lens_of_an_unknown_kind_is_refused(lens):
    with graph() as driver:
        driver.lens = lens
        response = capture(driver)
        assert response.error_code == ErrorCode.INTRINSICS_CHANGED
        assert f"is {lens[0]!r} with {len(lens[1])} coefficients; allowed" in response.error_msg


def test_without_a_pose_the_calibration_is_missing():
    with graph(with_pose=False) as driver:
        response = capture(driver, 0.5)
        assert response.error_code == ErrorCode.CALIBRATION_MISSING
        assert "camera/pose" in response.error_msg


def test_the_pose_can_come_from_a_calibration_file(tmp_path):
    path = tmp_path / "calibration.yaml"
    position, quaternion = list(POSE.position), list(POSE.quaternion)
    path.write_text(f"camera_pose: {{position: {position}, quaternion: {quaternion}}}\n")
    with graph(with_pose=False, calibration=path) as driver:
        assert capture(driver).error_code == ErrorCode.OK


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("camera_pose: 3", "does not hold camera_pose"),
        ("camera_pose: {position: [0, 0, 1], quaternion: [0, 0, 0, 9]}", "unit length"),
    ],
)
def test_a_bad_calibration_file_is_one_sentence(tmp_path, content, words):
    path = tmp_path / "calibration.yaml"
    if content is not None:
        path.write_text(content)
    text = sentence(run_process("heightmap_node", f"calibration:={path}"))
    assert words in text and str(path) in text and "[error 104]" in text


def test_a_parameter_out_of_range_is_one_sentence():
    text = sentence(run_process("heightmap_node", "workspace.resolution:=-1.0"))
    assert "workspace.resolution" in text and "-1.0" in text and "[error 900]" in text
