"""Keeps a source streaming and makes frames of what it delivers; one thread, bounded steps.

States: not running until a start succeeds; warming up while the first frames are thrown away;
then streaming until no fresh frame has come for ``stall`` s, which stops the source and starts it
again. After a failure the next try comes ``RETRY`` s later; before try number ``TRIES`` the camera
is reset, once for each time that it is lost; after it, tries are ``SLOW_RETRY`` s apart.
"""

import time
from collections.abc import Iterator

from vpg_ros.devices.realsense.processing import FrameProcessor, Reading, is_complete
from vpg_ros.devices.realsense.settings import Settings
from vpg_ros.devices.realsense.sources import FrameSource
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.frame import Frame
from vpg_ros.geometry import Pose

TRIES = 3  # the last of them after a hardware reset
RETRY, SLOW_RETRY = 0.5, 2.0  # s
STEP = 0.1  # s that one step may wait


class Stream:
    """A source and its processor.

    ``error`` is why there are no frames now, None while they come.
    """

    def __init__(self, source: FrameSource, settings: Settings, pose: Pose) -> None:
        """pose: of the colour camera's optical frame in the base frame."""
        self.source, self._settings = source, settings
        self._processor = FrameProcessor(settings.filters, pose)
        self.error: VpgError | None = VpgError(ErrorCode.CAMERA_TIMEOUT, "camera: no frame yet")
        self._running, self._warming = False, 0
        self._failures, self._was_reset = 0, False
        self._next_try = self._fresh_until = 0.0
        self._stale: VpgError | None = None

    def read(self, newer_than: float, deadline: float) -> Frame:
        """A frame of readings taken after ``newer_than`` s since 1970.

        deadline: of time.monotonic(). Raises what is wrong with the camera, FRAME_STALE when it
        delivers old frames alone, CAMERA_TIMEOUT when it does not deliver enough.
        """
        self._stale = None
        return self._processor.process(self._take(newer_than, deadline))

    def step(self) -> Reading | None:
        """Start the source if need be, or take its next reading; None unless it is a good one."""
        try:
            if self._running:
                return self._receive()
            self._start()
        except VpgError as error:
            self._fail(error)
        except RuntimeError as error:  # of the SDK: cameras go while they are being asked
            sentence = f"{self.source.description}: {error}"
            self._fail(VpgError(ErrorCode.CAMERA_TIMEOUT, sentence))
        return None

    def close(self) -> None:
        """Stop the source."""
        self._running = False
        self.source.stop()

    def _take(self, newer_than: float, deadline: float) -> Iterator[Reading]:
        """As many readings as are averaged."""
        missing = self._settings.filters.temporal_frames
        while missing:
            if time.monotonic() > deadline:
                raise self._stale or self.error or self._too_few()
            reading = self.step()
            if reading is not None and reading.stamp > newer_than:
                missing -= 1
                yield reading

    def _start(self) -> None:
        """Start the source when it is time to."""
        wait = self._next_try - time.monotonic()
        if wait > 0:
            time.sleep(min(wait, STEP))
            return
        if self._failures >= TRIES - 1 and not self._was_reset:
            self._was_reset = self.source.reset()
        self.source.start()
        self._running, self._warming = True, self._settings.warm_up
        # The first frame takes longer than any other.
        self._fresh_until = time.monotonic() + 2 * self._settings.stall

    def _receive(self) -> Reading | None:
        """The next reading, if it is complete, fresh, and not one of the first."""
        reading = self.source.read(STEP)
        if reading is None or not is_complete(reading.frames) or not self._is_fresh(reading):
            if time.monotonic() > self._fresh_until:
                raise self._stale or self._silence()
            return None
        self._fresh_until = time.monotonic() + self._settings.stall
        if self._warming > 0:
            self._warming -= 1
            return None
        self.error, self._stale, self._failures, self._was_reset = None, None, 0, False
        return reading

    def _is_fresh(self, reading: Reading) -> bool:
        """Whether it was taken just now; one from the future has a clock that says nothing."""
        age, allowed = time.time() - reading.stamp, self._settings.max_age
        if abs(age) <= allowed:
            return True
        sentence = (
            f"{self.source.description}: its frames are {age:.1f} s old when they arrive; "
            f"allowed: {allowed:g} s (max_age)"
        )
        self._stale = VpgError(ErrorCode.FRAME_STALE, sentence)
        return False

    def _too_few(self) -> VpgError:
        wanted = self._settings.filters.temporal_frames
        sentence = f"{self.source.description}: less than {wanted} new frames in time"
        return VpgError(ErrorCode.CAMERA_TIMEOUT, sentence)

    def _silence(self) -> VpgError:
        sentence = f"{self.source.description}: no frames for {self._settings.stall:g} s"
        return VpgError(ErrorCode.CAMERA_TIMEOUT, sentence)

    def _fail(self, error: VpgError) -> None:
        """Stop, and say when to try again."""
        self._running, self.error, self._stale = False, error, None
        self.source.stop()
        self._failures += 1
        pace = RETRY if self._failures < TRIES else SLOW_RETRY
        self._next_try = time.monotonic() + pace
