"""heightmap_node: RGB-D images and the camera's pose in, heightmap out.

Service ``capture`` (vpg_msgs/Capture) waits for a frame newer than the request and answers with its
heightmap, which is also published, latched, on ``heightmap``.
"""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from vpg_msgs.msg import Heightmap as HeightmapMsg
from vpg_msgs.srv import Capture

from vpg_ros.devices.calibration import load_camera_pose
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import DEFAULT_WORKSPACE, Pose, Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.fusion import DEFAULT_FUSION, FusionConfig, fuse
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.convert import heightmap_to_msg, pose_from_msg
from vpg_ros.nodes.frames import FrameSource
from vpg_ros.nodes.parameters import parameter
from vpg_ros.nodes.qos import LATCHED
from vpg_ros.nodes.spin import run_node

POSE_TOPIC = "camera/pose"


@dataclass(frozen=True)
class Parameters:
    """What heightmap_node can be told."""

    origin_x: float = parameter(
        "x of the corner of pixel (0, 0), m", DEFAULT_WORKSPACE.origin_x, name="workspace.origin_x"
    )
    origin_y: float = parameter(
        "y of the corner of pixel (0, 0), m", DEFAULT_WORKSPACE.origin_y, name="workspace.origin_y"
    )
    table_z: float = parameter(
        "height of the table, m", DEFAULT_WORKSPACE.table_z, name="workspace.table_z"
    )
    resolution: float = parameter(
        "m per pixel", DEFAULT_WORKSPACE.resolution, name="workspace.resolution", low=1e-4, high=0.1
    )
    rows: int = parameter(
        "pixels along y", DEFAULT_WORKSPACE.rows, name="workspace.rows", low=8, high=4096
    )
    columns: int = parameter(
        "pixels along x", DEFAULT_WORKSPACE.columns, name="workspace.columns", low=8, high=4096
    )
    calibration: str = parameter(
        f"YAML file with the camera's pose; '' listens on {POSE_TOPIC}", ""
    )
    timeout: float = parameter("longest wait for a frame, s", 8.0, low=0.01, high=600.0)
    sync_tolerance: float = parameter(
        "largest difference of colour and depth stamps, s", 0.02, low=0.0, high=1.0
    )
    max_height: float = parameter(
        "m above the table; anything higher is not on it",
        DEFAULT_FUSION.max_height,
        name="fusion.max_height",
        low=0.01,
        high=2.0,
    )
    min_seen: float = parameter(
        "smallest share of the workspace that must be seen", 0.3, low=0.0, high=1.0
    )
    fit_table: bool = parameter(
        "measure heights from the plane that is seen instead of from table_z",
        DEFAULT_FUSION.fit_table,
        name="fusion.fit_table",
    )

    @property
    def workspace(self) -> Workspace:
        """The square of table that the heightmap covers."""
        return Workspace(
            self.origin_x, self.origin_y, self.table_z, self.resolution, self.rows, self.columns
        )


class HeightmapNode(VpgNode):
    """See the module's text."""

    def __init__(self) -> None:
        super().__init__("heightmap_node")
        self._settings = self.read_parameters(Parameters)
        self._workspace = self._settings.workspace
        self._fusion = FusionConfig(
            max_height=self._settings.max_height, fit_table=self._settings.fit_table
        )
        self._pose: Pose | None = None
        self._pose_known = threading.Event()
        self._last_error: VpgError | None = None
        self._captures = 0
        if self._settings.calibration:
            self._set_pose(load_camera_pose(Path(self._settings.calibration)))
        else:
            self.create_subscription(PoseStamped, POSE_TOPIC, self._receive_pose, LATCHED)
        self._source = FrameSource(self, self._settings.sync_tolerance)
        self._publisher = self.create_publisher(HeightmapMsg, "heightmap", LATCHED)
        # A group of its own, so that a waiting capture does not hold up the images it waits for.
        group = MutuallyExclusiveCallbackGroup()
        self.create_service(Capture, "capture", self._capture, callback_group=group)
        self.report_diagnostics("camera", self._state)

    def _receive_pose(self, message: PoseStamped) -> None:
        self._set_pose(pose_from_msg(message.pose))

    def _set_pose(self, pose: Pose) -> None:
        self._pose = pose
        self._pose_known.set()

    def _capture(self, request: Capture.Request, response: Capture.Response) -> Capture.Response:
        """Serve ``capture``."""
        try:
            response.heightmap = self._fresh(request.timeout or self._settings.timeout)
            self._last_error = None
            self._captures += 1
        except VpgError as error:
            self._last_error = error
            response.error_code, response.error_msg = int(error.code), error.message
        return response

    def _fresh(self, timeout: float) -> HeightmapMsg:
        """Heightmap of a frame newer than now, published and returned."""
        deadline = time.monotonic() + timeout
        newer_than = self.now()
        pose = self._camera_pose(timeout)
        frame = self._source.read(pose, newer_than, max(0.0, deadline - time.monotonic()))
        heightmap = fuse(frame, self._workspace, self._fusion)
        self._require_seen(heightmap)
        message = heightmap_to_msg(heightmap)
        self._publisher.publish(message)
        return message

    def _require_seen(self, heightmap: Heightmap) -> None:
        """Raise DEPTH_EMPTY where too little is seen: an unseen table must not pass for clear."""
        seen = 1.0 - float(np.isnan(heightmap.height).mean())
        require(
            seen >= self._settings.min_seen,
            f"only {seen:.0%} of the workspace has depth readings; allowed: at least "
            f"{self._settings.min_seen:.0%} (min_seen); is the camera blocked, or its pose wrong?",
            ErrorCode.DEPTH_EMPTY,
        )

    def _camera_pose(self, timeout: float) -> Pose:
        """The pose, waiting for the first one if need be."""
        if not self.wait(self._pose_known, timeout) or self._pose is None:
            sentence = f"camera: no pose received on {POSE_TOPIC} within {timeout:g} s"
            raise VpgError(ErrorCode.CALIBRATION_MISSING, sentence)
        return self._pose

    def _state(self) -> tuple[VpgError | None, dict[str, str]]:
        """For the diagnostics."""
        return self._last_error, {"captures": str(self._captures)}


def main() -> None:
    """Entry point."""
    run_node("heightmap_node", HeightmapNode, threads=3)


if __name__ == "__main__":
    main()
