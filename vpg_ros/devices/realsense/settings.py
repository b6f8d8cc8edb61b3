"""What a RealSense camera can be told; plain data, without the SDK."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from vpg_ros.errors import require

# What the SDK's filters take, inclusive; 0 for a magnitude and 1 for a number of frames mean off.
RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "spatial_magnitude": (0, 5),
        "spatial_alpha": (0.25, 1.0),
        "spatial_delta": (1, 50),
        "temporal_frames": (1, 30),
        "temporal_alpha": (0.0, 1.0),
        "temporal_delta": (1, 100),
        "temporal_persistence": (0, 8),
    }
)
# In the order of the SDK's own numbers.
HOLE_FILLING = ("left", "farthest", "nearest")
NO_HOLE_FILLING = "none"


@dataclass(frozen=True)
class Filters:
    """The SDK's filters between the sensor and a frame, which run in this order.

    disparity: filter 1/depth, in which a stereo camera's noise is the same at any distance.
    spatial_*: edge-preserving smoothing: passes, weight of the new pixel, and the step between
    neighbours (disparity or depth units) that counts as an edge. temporal_*: frames of one moment
    that are averaged (all are taken after the request, so that no older scene shines through),
    weight of the newest, the step that counts as motion, and how readily a pixel that has no
    reading keeps an earlier one (0: never, 8: always). hole_filling: which neighbour fills a hole,
    "none" leaves it NaN: unseen is not the same as empty.
    """

    disparity: bool = True
    spatial_magnitude: int = 2
    spatial_alpha: float = 0.5
    spatial_delta: int = 20
    temporal_frames: int = 5
    temporal_alpha: float = 0.4
    temporal_delta: int = 20
    temporal_persistence: int = 3
    hole_filling: str = NO_HOLE_FILLING

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            require(low <= value <= high, f"{name} is {value}; allowed: {low:g} to {high:g}")
        modes = (NO_HOLE_FILLING, *HOLE_FILLING)
        require(
            self.hole_filling in modes,
            f"hole_filling is {self.hole_filling!r}; allowed: {', '.join(modes)}",
        )


NO_FILTERS = Filters(disparity=False, spatial_magnitude=0, temporal_frames=1)


@dataclass(frozen=True)
class LiveCamera:
    """A connected camera. serial: "" takes the only one. width, height: pixels; fps: 1/s."""

    serial: str = ""
    width: int = 640
    height: int = 480
    fps: int = 30


@dataclass(frozen=True)
class Recording:
    """A recorded file in place of a camera.

    real_time: at the pace it was recorded at, or as fast as it is read. repeat: from the start
    again at its end, as if it were a camera that goes on.
    """

    path: Path
    real_time: bool = True
    repeat: bool = True


@dataclass(frozen=True)
class Settings:
    """How frames are made and when the camera counts as lost.

    warm_up: frames after each start that are thrown away while exposure and white balance settle.
    max_age: s that a frame may be old when it arrives. stall: s without a fresh frame after which
    the camera is started anew.
    """

    filters: Filters = field(default_factory=Filters)
    warm_up: int = 30
    max_age: float = 0.5
    stall: float = 1.5
