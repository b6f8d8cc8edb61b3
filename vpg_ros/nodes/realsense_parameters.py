"""Parameters of the RealSense driver that heightmap_node can carry."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpg_ros.devices.realsense import Filters, LiveCamera, Recording, Settings
from vpg_ros.devices.realsense.settings import HOLE_FILLING, NO_HOLE_FILLING, RANGES
from vpg_ros.errors import require
from vpg_ros.nodes.parameter_file import load
from vpg_ros.nodes.parameters import parameter
from vpg_ros.system import PARAMS, real

_CAMERA, _FILTERS, _SETTINGS = LiveCamera(), Filters(), Settings()


def _filter(description: str, name: str) -> Any:
    """The parameter of one of the SDK's filters."""
    low, high = RANGES[name]
    default = getattr(_FILTERS, name)
    return parameter(description, default, name=f"realsense.{name}", low=low, high=high)


@dataclass(frozen=True)
class RealSenseParameters:
    """Which camera, which pictures, and what is done to them before they become a frame."""

    serial: str = parameter(
        "serial number; '' takes the only camera", _CAMERA.serial, name="realsense.serial"
    )
    recording: str = parameter(
        "file (.db3) to play over and over in place of a camera", "", name="realsense.recording"
    )
    width: int = parameter(
        "width of its pictures, pixels", _CAMERA.width, name="realsense.width", low=160, high=1920
    )
    height: int = parameter(
        "height of its pictures, pixels",
        _CAMERA.height,
        name="realsense.height",
        low=120,
        high=1080,
    )
    fps: int = parameter(
        "pictures that it takes per s", _CAMERA.fps, name="realsense.fps", low=5, high=90
    )
    warm_up: int = parameter(
        "frames after each start that are thrown away while the exposure settles",
        _SETTINGS.warm_up,
        name="realsense.warm_up",
        low=0,
        high=300,
    )
    max_age: float = parameter(
        "oldest that a frame may be when it arrives, s",
        _SETTINGS.max_age,
        name="realsense.max_age",
        low=0.01,
        high=10.0,
    )
    stall: float = parameter(
        "time without a fresh frame after which the camera is started anew, s",
        _SETTINGS.stall,
        name="realsense.stall",
        low=0.2,
        high=60.0,
    )
    connect_timeout: float = parameter(
        "longest wait for the first frame at the start, s",
        10.0,
        name="realsense.connect_timeout",
        low=0.1,
        high=600.0,
    )
    disparity: bool = parameter(
        "filter disparity instead of depth; for stereo cameras",
        _FILTERS.disparity,
        name="realsense.disparity",
    )
    spatial_magnitude: int = _filter("passes of the spatial filter; 0: off", "spatial_magnitude")
    spatial_alpha: float = _filter("spatial filter's weight of the new pixel", "spatial_alpha")
    spatial_delta: int = _filter("step that the spatial filter keeps as an edge", "spatial_delta")
    temporal_frames: int = _filter("frames that are averaged; 1: off", "temporal_frames")
    temporal_alpha: float = _filter("temporal filter's weight of the new frame", "temporal_alpha")
    temporal_delta: int = _filter(
        "step that the temporal filter takes for motion", "temporal_delta"
    )
    temporal_persistence: int = _filter(
        "how readily a hole keeps an earlier reading of the same picture; 0: never",
        "temporal_persistence",
    )
    hole_filling: str = parameter(
        "neighbour that fills a hole; none leaves it unseen",
        _FILTERS.hole_filling,
        name="realsense.hole_filling",
        choices=(NO_HOLE_FILLING, *HOLE_FILLING),
    )

    @property
    def source(self) -> LiveCamera | Recording:
        """What to stream from; raises PARAMETER_INVALID for a recording that is not there."""
        path = Path(self.recording)
        if self.recording:
            sentence = f"parameter realsense.recording is {self.recording!r}: no such file"
            require(path.is_file(), sentence)
            return Recording(path)
        return LiveCamera(self.serial, self.width, self.height, self.fps)

    @property
    def driver_settings(self) -> Settings:
        """What the driver is told."""
        filters = Filters(
            disparity=self.disparity,
            spatial_magnitude=self.spatial_magnitude,
            spatial_alpha=self.spatial_alpha,
            spatial_delta=self.spatial_delta,
            temporal_frames=self.temporal_frames,
            temporal_alpha=self.temporal_alpha,
            temporal_delta=self.temporal_delta,
            temporal_persistence=self.temporal_persistence,
            hole_filling=self.hole_filling,
        )
        return Settings(filters, self.warm_up, self.max_age, self.stall)


def of_connected(path: Path, serial: str = "") -> RealSenseParameters:
    """heightmap_node's in the file ``path``, of a connected camera: not of a recording it names.

    serial: "" for the file's. Raises PARAMETER_INVALID as the node would.
    """
    serial = serial or real().told({PARAMS: str(path)}).get("camera_serial", "")
    given = {"realsense.serial": serial, "realsense.recording": ""}
    return load(RealSenseParameters, path, "heightmap_node", given)
