"""Where framesets come from: a connected camera or a recorded file, both through ``rs.pipeline``.

:class:`vpg_ros.devices.realsense.software.SoftwareSource` is the third.
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vpg_ros.devices.realsense.processing import Reading
from vpg_ros.devices.realsense.sdk import Device, Frameset, rs
from vpg_ros.devices.realsense.settings import LiveCamera, Recording
from vpg_ros.errors import ErrorCode, VpgError, require

# s that a camera may take to go for a hardware reset, and then to come back.
LEAVE_TIME, RESET_TIME = 2.0, 6.0
_LOOK = 0.1  # s between two looks at whether it is back


class FrameSource(Protocol):
    """Delivers framesets between ``start`` and ``stop``; may be started again after that.

    The SDK's own RuntimeError may come out of any method but ``stop``.
    """

    @property
    def description(self) -> str:
        """What delivers, in words."""
        ...

    def start(self) -> None:
        """Begin to stream; raises CAMERA_MISSING when there is nothing to stream from."""
        ...

    def read(self, timeout: float) -> Reading | None:
        """The next frameset, None when none comes within ``timeout`` s."""
        ...

    def stop(self) -> None:
        """End streaming; nothing happens when it has ended already."""
        ...

    def reset(self) -> bool:
        """Restart the device itself; whether there was one that could be."""
        ...


@dataclass(frozen=True)
class DeviceInfo:
    """A camera as the SDK lists it; "" for what it does not tell."""

    name: str
    serial: str
    firmware: str
    usb: str

    def __str__(self) -> str:
        firmware = f", firmware {self.firmware}" if self.firmware else ""
        usb = f", USB {self.usb}" if self.usb else ""
        return f"{self.name} with serial {self.serial}{firmware}{usb}"


def describe(device: Device) -> DeviceInfo:
    """What a device tells about itself."""
    fields = rs.camera_info
    asked = (fields.name, fields.serial_number, fields.firmware_version)
    values = [*asked, fields.usb_type_descriptor]
    return DeviceInfo(*(device.get_info(v) if device.supports(v) else "" for v in values))


def choose(devices: Sequence[DeviceInfo], serial: str) -> DeviceInfo:
    """The camera with that serial, or the only one for "".

    Raises CAMERA_MISSING, naming what is connected, when there is none or more than one.
    """
    chosen = [device for device in devices if serial in ("", device.serial)]
    if len(chosen) == 1:
        return chosen[0]
    seen = "; ".join(str(device) for device in devices) or "none"
    if not chosen:
        wanted = f"with serial {serial!r} " if serial else ""
        sentence = f"no RealSense camera {wanted}is connected; connected: {seen}"
    else:
        sentence = f"several RealSense cameras are connected, serial must name one: {seen}"
    raise VpgError(ErrorCode.CAMERA_MISSING, sentence)


class _Pipeline:
    """What both sources have in common."""

    description = "camera"

    def __init__(self) -> None:
        self._pipeline: Any = None

    def stop(self) -> None:
        """End streaming; nothing happens when it has ended already."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            with contextlib.suppress(RuntimeError):  # the camera is gone: nothing left to stop
                pipeline.stop()

    def _start(self, pipeline: Any, config: Any, what: str) -> Any:
        """Start ``pipeline``; its profile."""
        try:
            profile = pipeline.start(config)
        except RuntimeError as error:
            raise VpgError(ErrorCode.CAMERA_MISSING, f"{what} does not start: {error}") from None
        self._pipeline = pipeline
        return profile

    def _next(self, timeout: float) -> Frameset | None:
        """The next frameset, None when none comes in time."""
        arrived, frames = self._pipeline.try_wait_for_frames(round(timeout * 1000))
        return frames if arrived else None


class PipelineSource(_Pipeline):
    """A connected camera. Once started, it is that very camera that is started again.

    context: the SDK's view of what is connected, for another one than this machine's own.
    """

    def __init__(self, camera: LiveCamera, context: Any = None) -> None:
        super().__init__()
        self._camera, self._serial = camera, camera.serial
        self._context = rs.context() if context is None else context

    def start(self) -> None:
        """See :class:`FrameSource`."""
        # Asked first: without a camera, the pipeline's start would wait for one for 15 s.
        found = choose([describe(device) for device in self._context.query_devices()], self._serial)
        camera, config = self._camera, rs.config()
        config.enable_device(found.serial)
        size = (camera.width, camera.height)
        config.enable_stream(rs.stream.depth, *size, rs.format.z16, camera.fps)
        config.enable_stream(rs.stream.color, *size, rs.format.rgb8, camera.fps)
        what = f"{found}, {camera.width} × {camera.height} px at {camera.fps} Hz,"
        self._start(rs.pipeline(self._context), config, what)
        self._serial, self.description = found.serial, str(found)

    def read(self, timeout: float) -> Reading | None:
        """See :class:`FrameSource`."""
        frames = self._next(timeout)
        return None if frames is None else Reading(frames, taken_at(frames))

    def reset(self) -> bool:
        """See :class:`FrameSource`; waits until the camera is back, for a bounded time."""
        device = self._device()
        if device is None:
            return False
        with contextlib.suppress(RuntimeError):
            device.hardware_reset()
        self._await(False, LEAVE_TIME)
        self._await(True, RESET_TIME)
        return True

    def _await(self, connected: bool, timeout: float) -> None:
        """Wait until the camera is or is not connected, ``timeout`` s at most."""
        deadline = time.monotonic() + timeout
        while (self._device() is not None) is not connected and time.monotonic() < deadline:
            time.sleep(_LOOK)

    def _device(self) -> Device | None:
        """The camera, None when it is not connected."""
        devices = self._context.query_devices()
        matching = (device for device in devices if describe(device).serial == self._serial)
        return next(matching, None)


class FileSource(_Pipeline):
    """A recording; its frames count as taken when they are played.

    ``start`` raises PARAMETER_INVALID for one whose colour is not RGB8.
    """

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording

    def start(self) -> None:
        """See :class:`FrameSource`."""
        path, config = self._recording.path, rs.config()
        config.enable_device_from_file(str(path), repeat_playback=self._recording.repeat)
        config.enable_stream(rs.stream.depth)
        config.enable_stream(rs.stream.color)
        profile = self._start(rs.pipeline(), config, f"recording {path}")
        kind = profile.get_stream(rs.stream.color).format()
        require(
            kind == rs.format.rgb8,
            f"recording {path} has colour as {kind.name}; allowed: {rs.format.rgb8.name}",
        )
        profile.get_device().as_playback().set_real_time(self._recording.real_time)
        self.description = f"recording {path} of {describe(profile.get_device())}"

    def read(self, timeout: float) -> Reading | None:
        """See :class:`FrameSource`."""
        frames = self._next(timeout)
        return None if frames is None else Reading(frames, time.time())

    def reset(self) -> bool:
        """See :class:`FrameSource`; a file has nothing that could be."""
        return False


def taken_at(frames: Frameset) -> float:
    """When a frameset was taken, s since 1970.

    A frame that carries the camera's own clock alone counts as taken when it reached this machine.
    """
    arrival = rs.frame_metadata_value.time_of_arrival
    if frames.get_frame_timestamp_domain() != rs.timestamp_domain.hardware_clock:
        return float(frames.get_timestamp()) * 1e-3
    if frames.supports_frame_metadata(arrival):
        return float(frames.get_frame_metadata(arrival)) * 1e-3
    return time.time()
