"""What a camera's process and its owner send each other, pickled; neither needs the SDK for it."""

from dataclasses import dataclass

from vpg_ros.devices.realsense.settings import LiveCamera, Recording, Settings
from vpg_ros.errors import VpgError
from vpg_ros.frame import Frame
from vpg_ros.geometry import Pose

Source = LiveCamera | Recording
SAID_WHY = 3  # exit code of a process whose last status says why it has ended


@dataclass(frozen=True)
class Task:
    """The owner's first message: what to stream from, how, and where the camera is."""

    source: Source
    settings: Settings
    pose: Pose


@dataclass(frozen=True)
class Request:
    """The owner wants a frame of readings taken after ``newer_than`` s since 1970.

    number: comes back in the answer. deadline: of time.monotonic(), which all processes share.
    """

    number: int
    newer_than: float
    deadline: float


@dataclass(frozen=True)
class Answer:
    """The frame, or why there is none."""

    number: int
    content: Frame | VpgError


@dataclass(frozen=True)
class Status:
    """Sent when it changes. error: why there are no frames now, None while they come."""

    description: str
    error: VpgError | None
