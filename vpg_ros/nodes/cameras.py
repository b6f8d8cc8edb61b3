"""The cameras that heightmap_node can look through: any driver's topics, or a RealSense itself."""

import threading
import time
from pathlib import Path
from typing import Protocol

from geometry_msgs.msg import PoseStamped
from rclpy.subscription import Subscription

from vpg_ros.devices.calibration import load_camera_pose
from vpg_ros.devices.realsense import RealSense
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.frame import Frame
from vpg_ros.geometry import Pose
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.convert import pose_from_msg
from vpg_ros.nodes.frames import FrameSource
from vpg_ros.nodes.qos import LATCHED
from vpg_ros.nodes.realsense_parameters import RealSenseParameters

POSE_TOPIC = "camera/pose"


class NodeCamera(Protocol):
    """What heightmap_node needs of a camera."""

    def read(self, timeout: float) -> Frame:
        """A frame taken after this call, waiting at most ``timeout`` s for it."""
        ...

    def state(self) -> tuple[VpgError | None, str]:
        """What is known to be wrong with it now, and what it is."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class TopicCamera:
    """The image topics of any driver.

    calibration: file with the camera's pose; "" takes the one that is published on POSE_TOPIC.
    """

    def __init__(self, node: VpgNode, calibration: str, sync_tolerance: float) -> None:
        self._node = node
        self._pose: Pose | None = None
        self._pose_known = threading.Event()
        self._subscription: Subscription | None = None
        if calibration:
            self._set_pose(load_camera_pose(Path(calibration)))
        else:
            self._subscription = node.create_subscription(
                PoseStamped, POSE_TOPIC, self._receive_pose, LATCHED
            )
        self._source = FrameSource(node, sync_tolerance)

    def read(self, timeout: float) -> Frame:
        """See :class:`NodeCamera`; raises what :meth:`FrameSource.read` does.

        Raises CALIBRATION_MISSING when no pose comes.
        """
        deadline = time.monotonic() + timeout
        newer_than = self._node.now()
        if not self._node.wait(self._pose_known, timeout) or self._pose is None:
            sentence = f"camera: no pose received on {POSE_TOPIC} within {timeout:g} s"
            raise VpgError(ErrorCode.CALIBRATION_MISSING, sentence)
        return self._source.read(self._pose, newer_than, max(0.0, deadline - time.monotonic()))

    def state(self) -> tuple[VpgError | None, str]:
        """See :class:`NodeCamera`; nothing is heard from it between two pictures."""
        return None, "topics"

    def close(self) -> None:
        """See :class:`NodeCamera`."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)

    def _receive_pose(self, message: PoseStamped) -> None:
        self._set_pose(pose_from_msg(message.pose))

    def _set_pose(self, pose: Pose) -> None:
        self._pose = pose
        self._pose_known.set()


class RealSenseCamera:
    """The driver of :mod:`vpg_ros.devices.realsense`, with its first frame seen.

    Raises CALIBRATION_MISSING without a calibration file, and why there is no first frame.
    """

    def __init__(self, node: VpgNode, calibration: str, parameters: RealSenseParameters) -> None:
        require(
            calibration != "",
            "parameter calibration of heightmap_node is ''; with camera realsense it must name the "
            "YAML file with the camera's pose",
            ErrorCode.CALIBRATION_MISSING,
        )
        pose = load_camera_pose(Path(calibration))
        self._camera = RealSense(parameters.source, parameters.driver_settings, pose, node.stop)
        try:
            self._camera.read(parameters.connect_timeout)
        except VpgError:
            self._camera.close()
            raise
        node.get_logger().info(self._camera.status.description)

    def read(self, timeout: float) -> Frame:
        """See :class:`NodeCamera`; raises what :meth:`RealSense.read` does."""
        return self._camera.read(timeout)

    def state(self) -> tuple[VpgError | None, str]:
        """See :class:`NodeCamera`."""
        status = self._camera.status
        return status.error, status.description

    def close(self) -> None:
        """See :class:`NodeCamera`."""
        self._camera.close()
