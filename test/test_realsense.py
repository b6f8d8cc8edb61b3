"""The RealSense driver with the real SDK: software device, recorded file, faults, process."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rclpy.node import Node
from ros_fixtures import call, ros, spinning
from vpg_msgs.srv import Capture

from vpg_ros.devices.realsense import (
    Filters,
    LiveCamera,
    RealSense,
    Recording,
    Settings,
    probe,
    software,
)
from vpg_ros.devices.realsense.processing import FrameProcessor, is_complete
from vpg_ros.devices.realsense.sdk import rs
from vpg_ros.devices.realsense.settings import NO_FILTERS, RANGES
from vpg_ros.devices.realsense.software import SoftwareCamera, SoftwareSource
from vpg_ros.devices.realsense.sources import (
    DeviceInfo,
    FileSource,
    PipelineSource,
    choose,
    describe,
)
from vpg_ros.devices.realsense.stream import TRIES, Stream
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.frame import Frame, Intrinsics
from vpg_ros.geometry import Pose, look_at
from vpg_ros.nodes.convert import heightmap_from_msg
from vpg_ros.nodes.heightmap_node import HeightmapNode

WIDTH, HEIGHT, RATE = 320, 240, 30
CAMERA = SoftwareCamera(
    depth=Intrinsics(WIDTH, HEIGHT, 300.0, 300.0, 159.5, 119.5),
    colour=Intrinsics(WIDTH, HEIGHT, 310.0, 310.0, 161.0, 118.0),
)
POSE = Pose((0.1, 0.2, 0.7))
TABLE, TOP = 700, 600  # mm
BOX = (slice(100, 140), slice(120, 180))
HOLE = (slice(20, 30), slice(200, 215))
PLAIN = Settings(NO_FILTERS, warm_up=0, max_age=1.0, stall=0.3)
PATIENCE = 20.0  # s of wall time for anything to happen on a busy machine


def picture(number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Depth (mm) and colour that tell which picture of a series they are."""
    depth = np.full((HEIGHT, WIDTH), TABLE + number, np.uint16)
    depth[BOX] = TOP + number
    depth[HOLE] = 0
    colour = np.full((HEIGHT, WIDTH, 3), (number, 50, 100), np.uint8)
    colour[::7, ::5] = (number, 200, 20)
    return depth, colour


def number_of(frame: Frame) -> tuple[int, int]:
    """Which picture a frame's colour and its depth are of."""
    return int(frame.colour[0, 1, 0]), round(float(np.nanmax(frame.depth)) * 1e3) - TABLE


class Feeder(threading.Thread):
    """Pushes pictures at the camera's rate, as a renderer would."""

    def __init__(self, source: SoftwareSource) -> None:
        super().__init__(daemon=True)
        self.source, self.age, self.silent = source, 0.0, False
        self.depth, self.colour = picture()
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(1 / RATE):
            if not self.silent:
                self.source.push(self.depth, self.colour, time.time() - self.age)


@contextmanager
def feeding(source: SoftwareSource, settings: Settings = PLAIN) -> Iterator[tuple[Stream, Feeder]]:
    """A stream of a software device that is fed."""
    stream, feeder = Stream(source, settings, POSE), Feeder(source)
    feeder.start()
    try:
        yield stream, feeder
    finally:
        feeder.done.set()
        feeder.join()
        stream.close()


def read(stream: Stream, timeout: float = PATIENCE) -> Frame:
    return stream.read(time.time(), time.monotonic() + timeout)


def error_of(stream: Stream, timeout: float = 1.0) -> VpgError:
    with pytest.raises(VpgError) as failure:
        read(stream, timeout)
    return failure.value


def record(path: Path, pictures: list, filters: Filters = NO_FILTERS) -> list[Frame]:
    """Record pictures of a software device in a file; what was made of them meanwhile."""
    source, processor, frames = SoftwareSource(CAMERA, path), FrameProcessor(filters, POSE), []
    source.start()
    begin = time.time()
    for number, (depth, colour) in enumerate(pictures):
        source.push(depth, colour, begin + number / RATE)
        while (reading := source.read(0.02)) is not None:
            if is_complete(reading.frames):
                frames.append(processor.process([reading]))
    source.stop()
    return frames


def played(path: Path, count: int, filters: Filters = NO_FILTERS, repeat: bool = False) -> Iterator:
    """The first frames of a recording, read as fast as they come."""
    source, processor = FileSource(Recording(path, real_time=repeat, repeat=repeat)), None
    source.start()
    processor = FrameProcessor(filters, POSE)
    try:
        for _ in range(count):
            reading = source.read(1.0)
            if reading is None:
                break
            if is_complete(reading.frames):
                yield processor.process([reading])
    finally:
        source.stop()


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "scene.db3"
    record(path, [picture(number) for number in range(20)])
    return path


def live(pictures: list, camera: SoftwareCamera = CAMERA, filters: Filters = NO_FILTERS) -> Frame:
    """One frame of the same pictures over and over, each given as (depth, colour)."""
    source, processor, readings = SoftwareSource(camera), FrameProcessor(filters, POSE), []
    source.start()
    begin = time.time()
    for number, (depth, colour) in enumerate([pictures[0], *pictures]):
        source.push(depth, colour, begin + number / RATE)
        while (reading := source.read(0.05)) is not None:
            if is_complete(reading.frames):
                readings.append(reading)
    frame = processor.process(readings[-len(pictures) :])
    source.stop()
    return frame


def test_a_recording_shows_what_the_device_showed_pixel_by_pixel(tmp_path):
    rng = np.random.default_rng(0)
    pictures = [picture(number) for number in range(20)]
    for depth, colour in pictures:
        depth += rng.integers(0, 5, depth.shape, np.uint16)
        colour[:, 1::2] = rng.integers(0, 255, colour[:, 1::2].shape, np.uint8)
        colour[0, 1, 0] = colour[0, 0, 0]
    filters = Filters(temporal_frames=1)
    frames = {number_of(f)[0]: f for f in record(tmp_path / "noise.db3", pictures, filters)}
    replayed = {number_of(f)[0]: f for f in played(tmp_path / "noise.db3", 99, filters)}
    common = set(frames) & set(replayed)
    assert len(common) >= 15
    for number in common:
        np.testing.assert_array_equal(frames[number].depth, replayed[number].depth)
        np.testing.assert_array_equal(frames[number].colour, replayed[number].colour)
        assert frames[number].intrinsics == replayed[number].intrinsics == CAMERA.colour


def test_depth_lies_where_colour_shows_it():
    frame = live([picture()])
    shift = 310.0 * 0.015 / 0.6  # px by which the box is seen further right in colour
    left = 310.0 / 300.0 * (BOX[1].start - 159.5) + shift + 161.0
    top = 310.0 / 300.0 * (BOX[0].start - 119.5) + 118.0
    rows, columns = np.nonzero(np.abs(frame.depth - 0.6) < 0.01)
    assert columns.min() == pytest.approx(left, abs=1.1)
    assert rows.min() == pytest.approx(top, abs=1.1)
    assert frame.depth.dtype == np.float32 and frame.colour.dtype == np.uint8
    assert frame.camera_pose == POSE
    # The pixels are the frame's own, not the SDK's.
    assert frame.colour.base is None or frame.colour.flags.owndata


def test_no_reading_is_nan_and_not_zero():
    frame = live([picture()])
    assert np.isnan(frame.depth).any()
    assert float(np.nanmin(frame.depth)) > 0.5


def test_metres_come_from_the_unit_that_the_frame_carries():
    depth, colour = picture()
    fine = live([(depth * 10, colour)], replace(CAMERA, units=1e-4))
    np.testing.assert_allclose(fine.depth, live([picture()]).depth, atol=1e-6)


def test_a_lens_that_distorts_is_taken_out_of_colour_and_depth():
    camera = replace(CAMERA, distortion=(-0.05, 0.06, -0.001, 0.001, -0.02))
    lens = rs.intrinsics()
    lens.width, lens.height, lens.fx, lens.fy = WIDTH, HEIGHT, 310.0, 310.0
    lens.ppx, lens.ppy, lens.model = 161.0, 118.0, rs.distortion.inverse_brown_conrady
    lens.coeffs = list(camera.distortion)
    ray = (0.38, -0.28, 1.0)
    column, row = (round(value) for value in rs.rs2_project_point_to_pixel(lens, list(ray)))
    ray = rs.rs2_deproject_pixel_to_point(lens, [column, row], 1.0)
    expected = (310.0 * ray[0] + 161.0, 310.0 * ray[1] + 118.0)
    assert np.hypot(expected[0] - column, expected[1] - row) > 0.8  # else there is nothing to test
    depth, colour = picture()
    depth[:] = TABLE
    depth[:, :100] = TOP
    colour[:] = 0
    colour[row - 1 : row + 2, column - 1 : column + 2] = 255
    frame = live([(depth, colour)], camera)
    spot = frame.colour[..., 0].astype(float)
    rows, columns = np.indices(spot.shape)
    assert (columns * spot).sum() / spot.sum() == pytest.approx(expected[0], abs=0.3)
    assert (rows * spot).sum() / spot.sum() == pytest.approx(expected[1], abs=0.3)
    # The edge of the depth step stays straight, and where a pinhole camera would see it.
    edge = 310.0 * ((100 - 159.5) / 300.0 + 0.015 / 0.6) + 161.0
    for line in (20, 118, 220):
        near = np.flatnonzero(np.abs(frame.depth[line] - 0.6) < 0.01)
        assert near.max() == pytest.approx(edge, abs=1.6)


def test_ranges_are_those_of_the_sdk():
    spatial, temporal = rs.spatial_filter(), rs.temporal_filter()
    alpha, delta = rs.option.filter_smooth_alpha, rs.option.filter_smooth_delta
    for name, block, option in (
        ("spatial_magnitude", spatial, rs.option.filter_magnitude),
        ("spatial_alpha", spatial, alpha),
        ("spatial_delta", spatial, delta),
        ("temporal_alpha", temporal, alpha),
        ("temporal_delta", temporal, delta),
        ("temporal_persistence", temporal, rs.option.holes_fill),
    ):
        known = block.get_option_range(option)
        assert RANGES[name][1] == known.max, name
        assert RANGES[name][0] == known.min or name == "spatial_magnitude", name


@pytest.mark.parametrize(
    "wrong", [{"spatial_alpha": 2.0}, {"temporal_frames": 0}, {"hole_filling": "glue"}]
)
def test_a_filter_setting_out_of_range_is_named(wrong):
    (name, value) = next(iter(wrong.items()))
    with pytest.raises(VpgError, match=f"{name} is {value!r}; allowed"):
        Filters(**wrong)


def test_holes_are_filled_on_request_only():
    share = {
        mode: float(np.isnan(live([picture()], filters=Filters(hole_filling=mode)).depth).mean())
        for mode in ("none", "nearest")
    }
    assert share["nearest"] < share["none"]


def test_averaging_takes_noise_out():
    rng = np.random.default_rng(1)
    pictures = [picture() for _ in range(8)]
    for depth, _ in pictures:
        depth[:] = 700 + rng.normal(0, 4, depth.shape).round().astype(np.int64)
    one = live(pictures[-1:], filters=NO_FILTERS)
    averaged = live(pictures, filters=Filters(temporal_frames=8))
    assert np.nanstd(averaged.depth) < 0.6 * np.nanstd(one.depth)


def test_what_was_taken_away_does_not_shine_through_the_holes_it_leaves():
    processor = FrameProcessor(Filters(temporal_frames=2, temporal_persistence=8), POSE)
    source = SoftwareSource(CAMERA)
    before, colour = picture()
    after = before.copy()
    after[BOX] = 0
    frames = []
    source.start()
    begin = time.time()
    for number, depth in enumerate([before] * 4 + [after] * 4):
        source.push(depth, colour, begin + number / RATE)
        while (reading := source.read(0.05)) is not None:
            if is_complete(reading.frames):
                frames.append(reading)
    seen = [processor.process(frames[:2]), processor.process(frames[-2:])]
    source.stop()
    centre = (118, 155)
    assert seen[0].depth[centre] == pytest.approx(0.6, abs=0.01)
    assert np.isnan(seen[1].depth[centre])


def test_a_repeated_recording_never_mixes_its_end_with_its_beginning(recording):
    seen = [number_of(frame) for frame in played(recording, 70, repeat=True)]
    assert len(seen) >= 60
    assert {colour for colour, _ in seen} >= {0, 19}
    assert all(colour == depth for colour, depth in seen)


@pytest.mark.parametrize("content", [None, b"not a recording"])
def test_a_recording_that_cannot_be_played_is_named(tmp_path, content):
    path = tmp_path / "bad.db3"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VpgError, match=str(path)) as failure:
        FileSource(Recording(path)).start()
    assert failure.value.code is ErrorCode.CAMERA_MISSING


def test_a_recording_of_other_colours_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(software, "COLOUR_FORMAT", rs.format.bgr8)
    record(tmp_path / "bgr.db3", [picture()] * 3)
    with pytest.raises(VpgError, match="has colour as bgr8; allowed: rgb8"):
        FileSource(Recording(tmp_path / "bgr.db3")).start()


def test_frames_are_newer_than_the_request():
    with feeding(SoftwareSource(CAMERA), replace(PLAIN, filters=Filters())) as (stream, _):
        for _ in range(3):
            before = time.time()
            frame = read(stream)
            assert before < frame.stamp <= time.time()
        assert stream.error is None


def test_the_first_frames_are_thrown_away():
    with feeding(SoftwareSource(CAMERA), replace(PLAIN, warm_up=10)) as (stream, _):
        begin = time.time()
        assert read(stream).stamp > begin + 9 / RATE


def test_a_camera_that_is_unplugged_comes_back():
    source = SoftwareSource(CAMERA)
    with feeding(source) as (stream, _):
        read(stream)
        source.connected = False
        error = error_of(stream, 2.0)
        assert error.code is ErrorCode.CAMERA_MISSING
        assert stream.error is error
        source.connected = True
        begin = time.monotonic()
        read(stream)
        assert time.monotonic() - begin < 10.0
        assert stream.error is None


def test_a_camera_that_falls_silent_is_started_again():
    with feeding(SoftwareSource(CAMERA)) as (stream, feeder):
        read(stream)
        feeder.silent = True
        assert error_of(stream).code is ErrorCode.CAMERA_TIMEOUT
        feeder.silent = False
        read(stream)


class Flapping(SoftwareSource):
    """Is gone again while the SDK asks what it is."""

    def start(self) -> None:
        if not self.connected:
            rs.pipeline().get_active_profile()  # raises the SDK's own error
        super().start()


def test_an_error_of_the_sdk_itself_is_survived():
    source = Flapping(CAMERA)
    source.connected = False
    with feeding(source) as (stream, _):
        error = error_of(stream)
        assert error.code is ErrorCode.CAMERA_TIMEOUT and "get_active_profile" in error.message
        source.connected = True
        read(stream)


class Dead(SoftwareSource):
    """Streams nothing until it is reset."""

    def __init__(self) -> None:
        super().__init__(CAMERA)
        self.starts, self.starts_at_reset = 0, []

    def start(self) -> None:
        self.starts += 1
        super().start()

    def reset(self) -> bool:
        self.starts_at_reset.append(self.starts)
        return super().reset()

    def push(self, *picture) -> None:
        if self.starts_at_reset:
            super().push(*picture)


def test_the_device_is_reset_before_the_last_try_and_only_once():
    source = Dead()
    with feeding(source) as (stream, feeder):
        read(stream)
        assert source.starts_at_reset == [TRIES - 1]
        feeder.silent = True
        error_of(stream, 3.0)
        assert len(source.starts_at_reset) == 2  # once more, for it was lost once more
        error_of(stream, 3.0)
        assert len(source.starts_at_reset) == 2


@pytest.mark.parametrize("age", [5.0, -5.0])
def test_frames_of_another_time_are_refused_by_their_age(age):
    with feeding(SoftwareSource(CAMERA)) as (stream, feeder):
        read(stream)
        feeder.age = age
        error = error_of(stream)
        assert error.code is ErrorCode.FRAME_STALE
        assert f"{age:.1f} s old" in error.message and "max_age" in error.message
        feeder.age = 0.0
        read(stream)


def test_pictures_of_the_wrong_shape_do_not_reach_the_sdk():
    depth, colour = picture()
    with pytest.raises(VpgError, match=r"depth is .* float64; allowed"):
        SoftwareSource(CAMERA).push(depth * 1.0, colour, 0.0)
    with pytest.raises(VpgError, match="colour is"):
        SoftwareSource(CAMERA).push(depth, colour[:100], 0.0)


def test_a_camera_that_is_not_connected_is_named_with_those_that_are(recording):
    context = rs.context()
    device = context.load_device(str(recording))  # is there as long as it is held
    with pytest.raises(VpgError) as failure:
        PipelineSource(LiveCamera("123"), context).start()
    assert failure.value.code is ErrorCode.CAMERA_MISSING
    assert "'123'" in failure.value.message
    assert str(describe(device)) in failure.value.message
    assert "Software device with serial 0" in failure.value.message


def test_of_several_cameras_one_must_be_named():
    cameras = [DeviceInfo("D415", "1", "5.1", "3.2"), DeviceInfo("D435", "2", "", "2.1")]
    assert choose(cameras, "2") is cameras[1]
    assert choose(cameras[:1], "") is cameras[0]
    with pytest.raises(VpgError, match=r"serial must name one: D415 .* 1, firmware 5.1, USB 3.2; "):
        choose(cameras, "")
    with pytest.raises(VpgError, match="connected: none"):
        choose([], "")


def test_the_pipeline_loses_a_camera_and_finds_it_again(recording):
    # A recording that is loaded into the SDK's context is a connected device to its pipeline.
    context = rs.context()
    device = context.load_device(str(recording))
    camera = LiveCamera("", WIDTH, HEIGHT, RATE)
    source = PipelineSource(camera, context)
    stream = Stream(source, replace(PLAIN, max_age=1e6), POSE)
    try:
        colour, depth = number_of(stream.read(0.0, time.monotonic() + PATIENCE))
        assert colour == depth
        assert "serial 0" in source.description
        context.unload_device(str(recording))
        del device
        deadline = time.monotonic() + PATIENCE
        while stream.error is None or stream.error.code is not ErrorCode.CAMERA_MISSING:
            assert time.monotonic() < deadline
            stream.step()
        # Started without a serial, it is that camera it looks for now.
        assert "with serial '0'" in stream.error.message
        again = context.load_device(str(recording))
        stream.read(0.0, time.monotonic() + 10.0)
        assert describe(again).serial == "0"
    finally:
        stream.close()


def test_a_recording_taken_for_a_camera_is_stale(recording):
    context = rs.context()
    device = context.load_device(str(recording))
    time.sleep(1.0)
    source = PipelineSource(LiveCamera("0", WIDTH, HEIGHT, RATE), context)
    stream = Stream(source, replace(PLAIN, max_age=0.2), POSE)
    try:
        assert error_of(stream).code is ErrorCode.FRAME_STALE
    finally:
        stream.close()
        del device


@contextmanager
def camera_of(path: Path) -> Iterator[RealSense]:
    camera = RealSense(Recording(path), PLAIN, POSE)
    try:
        yield camera
    finally:
        camera.close()


def children(parent: int) -> set[int]:
    """Processes that hold the SDK for ``parent``."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_text()
            owner = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if owner == parent and "realsense.process" in words:
            found.add(int(entry.name))
    return found


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_frames_come_from_a_process_that_ends_with_the_camera(recording):
    with camera_of(recording) as camera:
        before = time.time()
        frame = camera.read(PATIENCE)
        assert frame.stamp > before and frame.camera_pose == POSE
        colour, depth = number_of(frame)
        assert colour == depth
        assert camera.status.error is None
        assert str(recording) in camera.status.description
        (child,) = children(os.getpid())
    assert gone(child)


def test_a_crash_of_the_sdk_costs_one_picture_at_most(recording):
    with camera_of(recording) as camera:
        camera.read(PATIENCE)
        (child,) = children(os.getpid())
        os.kill(child, signal.SIGSEGV)
        deadline = time.monotonic() + PATIENCE
        while (error := camera.status.error) is None:
            assert time.monotonic() < deadline
        assert error.code is ErrorCode.CAMERA_TIMEOUT and "has ended" in error.message
        camera.read(PATIENCE)
        assert camera.status.error is None


def test_a_hanging_sdk_holds_nobody_up(recording):
    with camera_of(recording) as camera:
        camera.read(PATIENCE)
        (child,) = children(os.getpid())
        os.kill(child, signal.SIGSTOP)
        begin = time.monotonic()
        with pytest.raises(VpgError) as failure:
            camera.read(0.5)
        assert failure.value.code is ErrorCode.CAMERA_TIMEOUT
        assert time.monotonic() - begin < 5.0
        os.kill(child, signal.SIGCONT)
        # The answer to the request that was given up does not pass for the next one's.
        before = time.time()
        assert camera.read(PATIENCE).stamp > before


def test_a_stop_ends_the_wait(recording):
    stop = threading.Event()
    camera = RealSense(LiveCamera("none"), PLAIN, stop=stop)
    try:
        threading.Timer(0.5, stop.set).start()
        begin = time.monotonic()
        with pytest.raises(VpgError) as failure:
            camera.read(60.0)
        assert failure.value.code is ErrorCode.STOPPED
        assert time.monotonic() - begin < 10.0
    finally:
        camera.close()


def test_the_process_does_not_outlive_its_owner(recording):
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from vpg_ros.devices.realsense import RealSense, Recording\n"
        "camera = RealSense(Recording(Path(sys.argv[1])))\n"
        "camera.read(20.0)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(recording)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout.readline() == "ready\n"
        (child,) = children(owner.pid)
    finally:
        owner.kill()
        owner.wait()
    deadline = time.monotonic() + PATIENCE
    while not gone(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_probing_a_camera_that_is_not_there_says_so_at_once():
    begin = time.monotonic()
    with pytest.raises(VpgError, match="no RealSense camera with serial 'none' is connected"):
        probe(LiveCamera("none"), Settings(), timeout=60.0)
    assert time.monotonic() - begin < 30.0


def looking_down(folder: Path, depth: np.ndarray) -> dict:
    """Parameters of a heightmap_node that plays a recording of ``depth``, 0.7 m above the table."""
    record(folder / "node.db3", [(depth, picture()[1])] * 10)
    eye, target = np.array([-0.5, 0.0, 0.7]), np.array([-0.5, 0.0, 0.0])
    pose = look_at(eye, target, np.array([1.0, 0.0, 0.0]))
    position, quaternion = list(pose.position), list(pose.quaternion)
    calibration = folder / "calibration.yaml"
    calibration.write_text(f"camera_pose: {{position: {position}, quaternion: {quaternion}}}\n")
    recording = {"realsense.recording": folder / "node.db3", "realsense.warm_up": 0}
    return recording | {"camera": "realsense", "calibration": calibration}


def captured(parameters: dict) -> Capture.Response:
    with ros(parameters):
        client, node = Node("client"), HeightmapNode()
        with spinning(client, node):
            return call(client, Capture, "capture", Capture.Request())


def test_heightmap_node_looks_through_the_driver(tmp_path):
    before = time.time()
    response = captured(looking_down(tmp_path, picture()[0]))
    assert response.error_code == ErrorCode.OK, response.error_msg
    heightmap = heightmap_from_msg(response.heightmap)
    assert heightmap.stamp > before
    assert float(np.nanmax(heightmap.height)) == pytest.approx(0.1, abs=0.005)
    assert float(np.nanmedian(heightmap.height)) == pytest.approx(0.0, abs=0.002)
    assert not children(os.getpid())


def test_depth_that_is_all_zero_is_an_error_and_not_an_empty_table(tmp_path):
    response = captured(looking_down(tmp_path, np.zeros((HEIGHT, WIDTH), np.uint16)))
    assert response.error_code == ErrorCode.DEPTH_EMPTY


@pytest.mark.parametrize(
    ("parameters", "code", "words"),
    [
        ({"realsense.serial": "none"}, "CAMERA_MISSING", ("'none' is connected",)),
        ({"realsense.recording": "x.db3"}, "PARAMETER_INVALID", ("realsense.recording", "x.db3")),
        ({"realsense.spatial_alpha": 2.0}, "PARAMETER_INVALID", ("spatial_alpha", "0.25 to 1.0")),
        ({"calibration": "''"}, "CALIBRATION_MISSING", ("calibration", "camera realsense")),
    ],
)
def test_a_camera_that_cannot_be_had_is_named_before_the_node_is_up(
    tmp_path, parameters, code, words
):
    given = looking_down(tmp_path, picture()[0]) | {"realsense.recording": "''"} | parameters
    with ros(given | {"realsense.connect_timeout": 5.0}), pytest.raises(VpgError) as failure:
        HeightmapNode().start()
    assert failure.value.code is ErrorCode[code]
    assert all(word in failure.value.message for word in words), failure.value.message
    assert not children(os.getpid())
