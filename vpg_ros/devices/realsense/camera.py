"""The camera as the rest of the package sees it: frames with a deadline, whatever the SDK does."""

import contextlib
import subprocess
import sys
import threading
import time
from dataclasses import replace
from multiprocessing import Pipe

import numpy as np

from vpg_ros.devices.realsense.messages import SAID_WHY, Answer, Request, Source, Status, Task
from vpg_ros.devices.realsense.settings import Settings
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.frame import Frame
from vpg_ros.geometry import Pose

DEFAULT_SETTINGS = Settings()
UNCALIBRATED = Pose((0.0, 0.0, 0.0))  # frames as the camera itself sees them
_STARTING = Status("camera", VpgError(ErrorCode.CAMERA_TIMEOUT, "camera: it is starting"))
_GRACE = 1.0  # s after its deadline that an answer may take to come
_LOOK = 0.1  # s between two looks at whether to stop
_END = 1.0  # s that the process may take to let go of the camera


class RealSense:
    """A calibrated RGB-D camera (:class:`vpg_ros.devices.interfaces.Camera`).

    pose: of the colour camera's optical frame in the base frame. stop: ends a wait early. timeout:
    s that a ``read`` waits which is not told how long.

    The camera streams all the time, in a process of its own, and is started again when it is lost
    (see :mod:`.stream`). A process that has ended, as one that hangs does, is replaced by the next
    ``read``.
    """

    def __init__(
        self,
        source: Source,
        settings: Settings = DEFAULT_SETTINGS,
        pose: Pose = UNCALIBRATED,
        stop: threading.Event | None = None,
        timeout: float = 5.0,
    ) -> None:
        self._task = Task(source, settings, pose)
        self._stop, self._closed = stop or threading.Event(), threading.Event()
        self._using = threading.Lock()
        self._timeout = timeout
        self._numbers = 0
        self._status = _STARTING
        self._start()

    def read(self, timeout: float | None = None) -> Frame:
        """A frame taken after this call, waiting at most ``timeout`` s for it.

        Raises CAMERA_MISSING when no such camera is connected, CAMERA_TIMEOUT when it is silent,
        FRAME_STALE when all it delivers is old; STOPPED when told to stop.
        """
        timeout = self._timeout if timeout is None else timeout
        with self._using:
            if self._process.poll() is not None and not self._closed.is_set():
                self._start()
            self._numbers += 1
            deadline = time.monotonic() + timeout
            self._send(Request(self._numbers, time.time(), deadline))
            return self._answer(deadline + _GRACE, timeout)

    @property
    def status(self) -> Status:
        """What it is and what is wrong with it, as last heard; asks nobody and never waits."""
        if self._using.acquire(blocking=False):
            try:
                while self._receive(0.0) is not None:
                    pass
            except VpgError as error:
                self._status = replace(self._status, error=error)
            finally:
                self._using.release()
        return self._status

    def close(self) -> None:
        """Let go of the camera."""
        self._closed.set()
        with self._using:
            self._connection.close()
            self._end()

    def _start(self) -> None:
        """Start the process and tell it what to do."""
        self._connection, other = Pipe()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "vpg_ros.devices.realsense.process", str(other.fileno())],
                pass_fds=(other.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for its owner
            )
        self._status = _STARTING
        self._send(self._task)

    def _end(self) -> None:
        """See the process end after its connection was closed, with force if need be."""
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            # One that the kernel holds, in a call to the USB device, ends when it lets go.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END)

    def _send(self, message: Task | Request) -> None:
        """A process that is gone shows when its answer is awaited."""
        with contextlib.suppress(OSError):
            self._connection.send(message)

    def _answer(self, deadline: float, timeout: float) -> Frame:
        """The answer to the newest request; those to earlier ones came too late."""
        while not (self._stop.is_set() or self._closed.is_set()):
            message = self._receive(_LOOK)
            if isinstance(message, Answer) and message.number == self._numbers:
                if isinstance(message.content, VpgError):
                    raise message.content
                return message.content
            if time.monotonic() > deadline:
                status = self._status
                sentence = f"{status.description}: the RealSense SDK is silent for {timeout:g} s"
                raise status.error or VpgError(ErrorCode.CAMERA_TIMEOUT, sentence)
        raise VpgError(ErrorCode.STOPPED, "camera: told to stop")

    def _receive(self, timeout: float) -> Answer | Status | None:
        """The next message, None when none comes within ``timeout`` s."""
        try:
            if not self._connection.poll(timeout):
                return None
            message: Answer | Status = self._connection.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        if isinstance(message, Status):
            self._status = message
        return message

    def _ended(self) -> VpgError:
        """Why the process has ended: what it said last, or how."""
        self._end()
        code, said = self._process.returncode, self._status.error
        if code == SAID_WHY and said is not None:
            return said
        sentence = (
            f"{self._status.description}: the process that holds the RealSense SDK has ended "
            f"(exit code {code}); the next picture starts another"
        )
        return VpgError(ErrorCode.CAMERA_TIMEOUT, sentence)


def probe(source: Source, settings: Settings, timeout: float) -> str:
    """One sentence about the camera and a frame of it.

    Raises CAMERA_MISSING at once, naming what is connected; or why no frame came within
    ``timeout`` s.
    """
    camera = RealSense(source, settings)
    deadline = time.monotonic() + timeout
    try:
        while (error := camera.status.error) is not None and time.monotonic() < deadline:
            if error.code is ErrorCode.CAMERA_MISSING:
                raise error
            time.sleep(_LOOK)
        return _summary(camera, camera.read(max(_LOOK, deadline - time.monotonic())))
    finally:
        camera.close()


def _summary(camera: RealSense, frame: Frame) -> str:
    """What the camera is and what it sees."""
    height, width = frame.depth.shape
    seen = np.isfinite(frame.depth)
    distance = f", {float(np.median(frame.depth[seen])):.2f} m away" if seen.any() else ""
    return (
        f"{camera.status.description}: {width} × {height} px, "
        f"depth in {float(seen.mean()):.0%} of them{distance}"
    )
