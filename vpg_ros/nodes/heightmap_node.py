"""heightmap_node: RGB-D images and the camera's pose in, heightmap out.

Service ``capture`` (vpg_msgs/Capture) waits for a frame newer than the request and answers with its
heightmap, which is also published, latched, on ``heightmap``; the colour picture that it was made
of is on ``~/colour`` (sensor_msgs/Image) while somebody looks, whatever the camera. The images are
those of any driver's topics, or of a RealSense camera that this node drives itself. A managed node
(:mod:`.managed`): the camera is connected when it is configured, and looked through while it is
active.
"""

from dataclasses import astuple, dataclass

import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from sensor_msgs.msg import Image
from vpg_msgs.msg import Heightmap as HeightmapMsg
from vpg_msgs.srv import Capture

from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.frame import Frame, Intrinsics
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.fusion import DEFAULT_FUSION, FusionConfig, fuse
from vpg_ros.nodes.cameras import POSE_TOPIC, NodeCamera, RealSenseCamera, TopicCamera
from vpg_ros.nodes.convert import heightmap_to_msg, image_to_msg
from vpg_ros.nodes.frames import OPTICAL_FRAME
from vpg_ros.nodes.managed import ManagedNode
from vpg_ros.nodes.parameters import parameter
from vpg_ros.nodes.qos import LATCHED
from vpg_ros.nodes.realsense_parameters import RealSenseParameters
from vpg_ros.nodes.spin import run_node
from vpg_ros.nodes.workspace_parameters import WorkspaceParameters
from vpg_ros.system import REALSENSE, TOPICS

# Share of the image's width that focal lengths and principal point may drift, as they do when a
# camera compensates for its temperature.
DRIFT = 0.005
LONGEST = 600.0  # s that a capture may be told to wait


@dataclass(frozen=True)
class Parameters(RealSenseParameters, WorkspaceParameters):
    """What heightmap_node can be told."""

    camera: str = parameter(
        f"{TOPICS}: images of any driver; {REALSENSE}: the camera itself, see realsense.*",
        TOPICS,
        choices=(TOPICS, REALSENSE),
    )
    calibration: str = parameter(
        f"YAML file with the camera's pose; '' listens on {POSE_TOPIC} (with topics alone)", ""
    )
    timeout: float = parameter("longest wait for a frame, s", 8.0, low=0.01, high=LONGEST)
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


class HeightmapNode(ManagedNode):
    """See the module's text."""

    PARAMETERS = (*ManagedNode.PARAMETERS, Parameters)

    def __init__(self) -> None:
        super().__init__("heightmap_node")
        self._settings = self.read_parameters(Parameters)
        self._workspace = self._settings.workspace
        self._fusion = FusionConfig(
            max_height=self._settings.max_height, fit_table=self._settings.fit_table
        )
        self._intrinsics: Intrinsics | None = None
        self._last_error: VpgError | None = None
        self._captures = 0
        self._camera: NodeCamera | None = None
        self._publisher = self.create_publisher(HeightmapMsg, "heightmap", LATCHED)
        self._colour = self.create_publisher(Image, "~/colour", LATCHED)
        self.report_diagnostics("camera", self._state)

    def offer(self) -> None:
        """``capture``."""
        # A group of its own, so that a waiting capture does not hold up the images it waits for.
        group = MutuallyExclusiveCallbackGroup()
        self.create_service(Capture, "capture", self._capture, callback_group=group)

    def connect(self) -> None:
        """Open the camera; another than before may be on the same port."""
        settings = self._settings
        self._intrinsics = None
        if settings.camera == REALSENSE:
            self._camera = RealSenseCamera(self, settings.calibration, settings)
        else:
            self._camera = TopicCamera(self, settings.calibration, settings.sync_tolerance)

    def release(self) -> None:
        """Let go of the camera."""
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def _capture(self, request: Capture.Request, response: Capture.Response) -> Capture.Response:
        """Serve ``capture``."""
        try:
            require(
                0.0 <= request.timeout <= LONGEST,
                f"timeout of capture is {request.timeout:g} s; allowed: 0 … {LONGEST:g} s",
            )
            response.heightmap = self._fresh(request.timeout or self._settings.timeout)
            self._last_error = None
            self._captures += 1
        except VpgError as error:
            self._last_error = error
            response.error_code, response.error_msg = int(error.code), error.message
        return response

    def _fresh(self, timeout: float) -> HeightmapMsg:
        """Heightmap of a frame newer than now, published and returned."""
        frame = self.in_use(self._camera).read(timeout)
        self._show(frame)
        self._require_same_camera(frame.intrinsics)
        heightmap = fuse(frame, self._workspace, self._fusion)
        self._require_seen(heightmap)
        self._intrinsics = self._intrinsics or frame.intrinsics
        message = heightmap_to_msg(heightmap)
        self._publisher.publish(message)
        return message

    def _show(self, frame: Frame) -> None:
        """Publish the picture, also one that nothing can be made of, while somebody looks."""
        if self._colour.get_subscription_count():
            self._colour.publish(image_to_msg(frame.colour, frame.stamp, OPTICAL_FRAME))

    def _require_seen(self, heightmap: Heightmap) -> None:
        """Raise DEPTH_EMPTY where too little is seen: an unseen table must not pass for clear."""
        seen = 1.0 - float(np.isnan(heightmap.height).mean())
        require(
            seen >= self._settings.min_seen,
            f"only {seen:.0%} of the workspace has depth readings; allowed: at least "
            f"{self._settings.min_seen:.0%} (min_seen); is the camera blocked, or its pose wrong?",
            ErrorCode.DEPTH_EMPTY,
        )

    def _require_same_camera(self, found: Intrinsics) -> None:
        """Raise INTRINSICS_CHANGED where it is another camera than that of the first heightmap."""
        known = self._intrinsics or found
        same_size = (found.width, found.height) == (known.width, known.height)
        drift = float(np.abs(np.subtract(astuple(found), astuple(known))).max())
        require(
            same_size and drift <= DRIFT * known.width,
            f"the camera's intrinsics have changed from {known} to {found}: it is not the one, or "
            "not set as, at the start; set it back, or restart heightmap_node if its pose still "
            "holds",
            ErrorCode.INTRINSICS_CHANGED,
        )

    def _state(self) -> tuple[VpgError | None, dict[str, str]]:
        """For the diagnostics."""
        camera = self._camera
        error, found = (self.trouble, "none") if camera is None else camera.state()
        values = {"state": self.state, "captures": str(self._captures), "camera": found}
        return error or self._last_error, values


def main() -> None:
    """Entry point."""
    run_node("heightmap_node", HeightmapNode, threads=3)


if __name__ == "__main__":
    main()
