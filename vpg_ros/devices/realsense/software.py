"""A software device of the SDK: pictures that a program makes take the way of a camera's."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpg_ros.devices.realsense.processing import Reading
from vpg_ros.devices.realsense.sdk import rs
from vpg_ros.devices.realsense.sources import taken_at
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.frame import Intrinsics

COLOUR_FORMAT = rs.format.rgb8


@dataclass(frozen=True)
class SoftwareCamera:
    """What a software device pretends to be.

    depth, colour: of the two sensors. units: m per unit of depth. baseline: of the stereo pair, m.
    offset: of the depth sensor in the colour sensor's optical frame, m; their axes are parallel.
    distortion: inverse Brown-Conrady coefficients of the colour lens. fps: 1/s.
    """

    depth: Intrinsics
    colour: Intrinsics
    units: float = 0.001
    baseline: float = 0.05
    offset: tuple[float, float, float] = (0.015, 0.0, 0.0)
    distortion: tuple[float, ...] = (0.0,) * 5
    fps: int = 30


class SoftwareSource:
    """A :class:`vpg_ros.devices.realsense.sources.FrameSource` that is fed by :meth:`push`.

    recording: file (.db3) that everything pushed between ``start`` and ``stop`` is recorded in.
    While ``connected`` is False it behaves like a camera that was unplugged.
    """

    description = "software device"

    def __init__(self, camera: SoftwareCamera, recording: Path | None = None) -> None:
        self.connected = True
        self._camera, self._recording = camera, recording
        self._numbers = 0
        self._device: _Device | None = None

    def start(self) -> None:
        """See FrameSource."""
        if not self.connected:
            raise VpgError(ErrorCode.CAMERA_MISSING, "the software device is not connected")
        self._device = _Device(self._camera, self._recording)

    def read(self, timeout: float) -> Reading | None:
        """See FrameSource."""
        assert self._device is not None
        arrived, frames = self._device.syncer.try_wait_for_frames(round(timeout * 1000))
        return Reading(frames, taken_at(frames)) if arrived else None

    def stop(self) -> None:
        """See FrameSource."""
        device, self._device = self._device, None
        if device is not None:
            device.close()

    def reset(self) -> bool:
        """See FrameSource."""
        return self.connected

    def push(self, depth: NDArray[np.uint16], colour: NDArray[np.uint8], stamp: float) -> None:
        """Deliver one picture, taken at ``stamp`` s since 1970, if the device streams.

        depth: H×W in units; colour: H×W×3 RGB. Raises PARAMETER_INVALID for another shape or type.
        """
        camera, device = self._camera, self._device
        for name, image, sensor, kind, depth_axes in (
            ("depth", depth, camera.depth, np.uint16, ()),
            ("colour", colour, camera.colour, np.uint8, (3,)),
        ):
            shape = (sensor.height, sensor.width, *depth_axes)
            require(
                image.shape == shape and image.dtype == kind,
                f"{name} is {image.shape} {image.dtype}; allowed: {shape} {np.dtype(kind)}",
            )
        if self.connected and device is not None:
            device.push(self._numbers, depth, colour, stamp)
            self._numbers += 1


class _Device:
    """One life of the software device, from start to stop."""

    def __init__(self, camera: SoftwareCamera, recording: Path | None) -> None:
        self._units = camera.units
        self._device = rs.software_device()
        self._device.register_info(rs.camera_info.name, "Software device")
        self._device.register_info(rs.camera_info.serial_number, "0")
        self._sensors = [self._device.add_sensor(name) for name in ("Stereo Module", "RGB Camera")]
        self._profiles = self._add_streams(camera)
        self._device.create_matcher(rs.matchers.default)
        self._recorder = rs.recorder(str(recording), self._device) if recording else None
        played = self._recorder.query_sensors() if self._recorder else self._sensors
        self._played = list(played)
        self.syncer = rs.syncer()
        for sensor in self._played:
            sensor.open(sensor.get_stream_profiles()[0])
            sensor.start(self.syncer)

    def push(
        self, number: int, depth: NDArray[np.uint16], colour: NDArray[np.uint8], stamp: float
    ) -> None:
        """Hand one picture to the SDK."""
        images: tuple[NDArray[Any], ...] = (depth, colour)
        for sensor, profile, image in zip(self._sensors, self._profiles, images, strict=True):
            frame = rs.software_video_frame()  # one push each: a second one would free it twice
            frame.pixels = np.ascontiguousarray(image)
            frame.bpp = image.itemsize * (image.shape[2] if image.ndim == 3 else 1)
            frame.stride = image.shape[1] * frame.bpp
            frame.timestamp, frame.frame_number = stamp * 1e3, number
            frame.domain = rs.timestamp_domain.system_time
            frame.profile = profile.as_video_stream_profile()
            frame.depth_units = self._units
            sensor.on_video_frame(frame)

    def close(self) -> None:
        """Stop; a recording is complete after this."""
        for sensor in self._played:
            with contextlib.suppress(RuntimeError):
                sensor.stop()
                sensor.close()
        self._played.clear()
        self._recorder = None  # its destructor writes the end of the file

    def _add_streams(self, camera: SoftwareCamera) -> list[Any]:
        """Both sensors' profiles."""
        stereo, rgb = self._sensors
        stereo.add_read_only_option(rs.option.depth_units, camera.units)
        stereo.add_read_only_option(rs.option.stereo_baseline, camera.baseline * 1e3)
        depth = stereo.add_video_stream(
            _stream(rs.stream.depth, rs.format.z16, 2, camera.fps, _intrinsics(camera.depth))
        )
        lens = _intrinsics(camera.colour)
        lens.model, lens.coeffs = rs.distortion.inverse_brown_conrady, list(camera.distortion)
        colour = rgb.add_video_stream(_stream(rs.stream.color, COLOUR_FORMAT, 3, camera.fps, lens))
        extrinsics = rs.extrinsics()
        extrinsics.rotation = [1, 0, 0, 0, 1, 0, 0, 0, 1]
        extrinsics.translation = list(camera.offset)
        depth.register_extrinsics_to(colour, extrinsics)
        return [depth, colour]


def _stream(kind: Any, pixels: Any, pixel_bytes: int, fps: int, intrinsics: Any) -> Any:
    """One stream as the SDK wants it described."""
    stream = rs.video_stream()
    stream.type, stream.index, stream.uid = kind, 0, int(kind)
    stream.width, stream.height, stream.fps = intrinsics.width, intrinsics.height, fps
    stream.bpp, stream.fmt, stream.intrinsics = pixel_bytes, pixels, intrinsics
    return stream


def _intrinsics(camera: Intrinsics) -> Any:
    """A pinhole camera as the SDK describes it."""
    result = rs.intrinsics()
    result.width, result.height, result.model = camera.width, camera.height, rs.distortion.none
    result.fx, result.fy, result.ppx, result.ppy = camera.fx, camera.fy, camera.cx, camera.cy
    result.coeffs = [0.0] * 5
    return result
