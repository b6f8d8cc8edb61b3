"""From image topics to a Frame: the newest colour and depth images that belong together."""

import threading
import time
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import qos_profile_sensor_data
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, Image

from vpg_ros.devices.lens import straighten
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.frame import Frame
from vpg_ros.geometry import Pose
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.convert import image_from_msg, intrinsics_from_msg, lens_from_msg, stamp_from_msg

COLOUR_TOPIC = "camera/color/image_raw"
DEPTH_TOPIC = "camera/aligned_depth_to_color/image_raw"
INFO_TOPIC = "camera/color/camera_info"
OPTICAL_FRAME = "camera_color_optical_frame"
_TYPES: dict[str, Any] = {COLOUR_TOPIC: Image, DEPTH_TOPIC: Image, INFO_TOPIC: CameraInfo}
_KEPT = 8  # newest messages of each topic that may still find their counterpart


@dataclass(frozen=True)
class _Images:
    """A colour and a depth image of one moment, and the camera that took them."""

    colour: Image
    depth: Image
    info: CameraInfo


class FrameSource:
    """Listens to the camera only while a frame is wanted, so that an idle camera costs nothing."""

    def __init__(self, node: VpgNode, tolerance: float) -> None:
        """tolerance: largest difference of colour and depth stamps, s."""
        self._node = node
        self._tolerance = tolerance
        self._group = ReentrantCallbackGroup()
        self._changed = threading.Condition()
        self._received: dict[str, list[Any]] = {}

    def read(self, pose: Pose, newer_than: float, timeout: float) -> Frame:
        """The first frame with a stamp after ``newer_than`` s, waiting at most ``timeout`` s.

        Raises CAMERA_TIMEOUT naming the silent topics; FRAME_STALE when frames came but all were
        older; STOPPED when the node is ending.
        """
        self._received = {topic: [] for topic in _TYPES}
        deadline = time.monotonic() + timeout
        subscriptions = [self._subscribe(topic) for topic in _TYPES]
        try:
            images = self._wait(newer_than, deadline)
        finally:
            for subscription in subscriptions:
                self._node.destroy_subscription(subscription)
        if images is None:
            raise self._failure(newer_than, timeout)
        return _frame(images, pose)

    def _subscribe(self, topic: str) -> "Subscription":
        return self._node.create_subscription(
            _TYPES[topic],
            topic,
            lambda message: self._receive(topic, message),
            qos_profile_sensor_data,
            callback_group=self._group,
            # The executor does not expect event handlers to go away while it spins.
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
        )

    def _receive(self, topic: str, message: Any) -> None:
        with self._changed:
            self._received[topic] = [*self._received[topic][1 - _KEPT :], message]
            self._changed.notify_all()

    def _wait(self, newer_than: float, deadline: float) -> _Images | None:
        """A matching set of images, or None at the deadline."""
        with self._changed:
            while time.monotonic() < deadline and not self._node.stop.is_set():
                images = self._matching(newer_than)
                if images is not None:
                    return images
                self._changed.wait(min(0.1, max(0.0, deadline - time.monotonic())))
        return None

    def _matching(self, newer_than: float) -> _Images | None:
        """The newest colour and depth images of one moment after ``newer_than``."""
        infos = self._received[INFO_TOPIC]
        for depth in reversed(self._received[DEPTH_TOPIC]):
            stamp = stamp_from_msg(depth.header.stamp)
            for colour in reversed(self._received[COLOUR_TOPIC]):
                close = abs(stamp_from_msg(colour.header.stamp) - stamp) <= self._tolerance
                if close and stamp > newer_than and infos:
                    return _Images(colour, depth, infos[-1])
        return None

    def _failure(self, newer_than: float, timeout: float) -> VpgError:
        """Why there is no frame."""
        if self._node.stop.is_set():
            return VpgError(ErrorCode.STOPPED, f"{self._node.get_name()} is shutting down")
        silent = [topic for topic, messages in self._received.items() if not messages]
        if silent:
            sentence = f"camera: nothing received on {' and '.join(silent)} within {timeout:.1f} s"
            publishers = self._node.count_publishers(silent[0])
            return VpgError(ErrorCode.CAMERA_TIMEOUT, f"{sentence} (publishers: {publishers})")
        newest = stamp_from_msg(self._received[DEPTH_TOPIC][-1].header.stamp)
        sentence = (
            f"camera: no colour and depth image of one moment after {newer_than:.3f} s on "
            f"{DEPTH_TOPIC} within {timeout:.1f} s; the newest is of {newest:.3f} s"
        )
        return VpgError(ErrorCode.FRAME_STALE, sentence)


def _frame(images: _Images, pose: Pose) -> Frame:
    """The messages as a Frame; raises INTRINSICS_CHANGED for a lens of an unknown kind."""
    camera, lens = intrinsics_from_msg(images.info), lens_from_msg(images.info)
    colour, depth = image_from_msg(images.colour), image_from_msg(images.depth)
    colour, depth = straighten(colour, depth, camera, lens)
    return Frame(colour, depth, camera, pose, stamp_from_msg(images.depth.header.stamp))
