"""The process that holds the RealSense SDK; started by ``RealSense``, ended by its silence.

The SDK keeps Python's global lock while it starts a camera, which takes 15 s when that is just
being unplugged; it may hang while it stops one; and it is C++ that a bad cable feeds. In a process
of its own it can hold up nobody.
"""

import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from vpg_ros.devices.realsense.messages import SAID_WHY, Answer, Request, Status, Task
from vpg_ros.devices.realsense.settings import Recording
from vpg_ros.errors import ErrorCode, VpgError

if TYPE_CHECKING:
    from vpg_ros.devices.realsense.sources import FrameSource
    from vpg_ros.devices.realsense.stream import Stream

HANG = 30  # s after which a call of the SDK that does not return ends the process


def main(descriptor: int) -> None:
    """Serve the connection ``descriptor`` until the other end closes it."""
    connection = Connection(descriptor)
    try:
        _serve(connection, connection.recv())
    except (EOFError, BrokenPipeError, ConnectionResetError):
        # The owner is gone. What is left to take apart belongs to the SDK, which may hang.
        os._exit(0)


def _serve(connection: Connection, task: Task) -> None:
    """Keep the camera streaming, answer requests, and tell when the state changes."""
    stream = _stream(connection, task)
    told: Status | None = None
    try:
        while True:
            answer = _step(stream, connection.recv() if connection.poll() else None)
            status = Status(stream.source.description, stream.error)
            if status != told:
                connection.send(status)
                told = status
            if answer is not None:
                connection.send(answer)
    finally:
        stream.close()


def _step(stream: "Stream", request: Request | None) -> Answer | None:
    """One step of the stream, or the answer to a request; by its deadline unless the SDK hangs."""
    # A signal, because the SDK may let no other thread of this process run.
    signal.alarm(HANG)
    if request is None:
        stream.step()
        return None
    signal.alarm(HANG + max(0, round(request.deadline - time.monotonic())))
    try:
        return Answer(request.number, stream.read(request.newer_than, request.deadline))
    except VpgError as error:
        return Answer(request.number, error)


def _stream(connection: Connection, task: Task) -> "Stream":
    """The stream; an SDK that cannot be loaded ends the process, with its reason as the status."""
    try:
        from vpg_ros.devices.realsense.stream import Stream
    except ImportError as error:
        sentence = f"pyrealsense2, the RealSense SDK, cannot be loaded: {error}"
        connection.send(Status("camera", VpgError(ErrorCode.CAMERA_MISSING, sentence)))
        os._exit(SAID_WHY)
    return Stream(_source(task), task.settings, task.pose)


def _source(task: Task) -> "FrameSource":
    from vpg_ros.devices.realsense.sources import FileSource, PipelineSource

    if isinstance(task.source, Recording):
        return FileSource(task.source)
    return PipelineSource(task.source)


if __name__ == "__main__":
    main(int(sys.argv[1]))
