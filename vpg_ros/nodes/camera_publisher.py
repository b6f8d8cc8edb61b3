"""The simulated camera on the topics of a RealSense driver."""

import time
from dataclasses import replace

import numpy as np
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from vpg_ros.frame import Frame
from vpg_ros.geometry import Pose
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.convert import image_to_msg, intrinsics_to_msg
from vpg_ros.nodes.frames import COLOUR_TOPIC, DEPTH_TOPIC, INFO_TOPIC, OPTICAL_FRAME
from vpg_ros.sim.camera import SimCamera
from vpg_ros.sim.noise import DepthNoise
from vpg_ros.sim.world import World

# What can be wrong with the camera: no pictures, the last one again and again, no depth at any
# pixel, and another camera in its place.
UNPLUGGED, FROZEN, BLIND, EXCHANGED = "unplugged", "frozen", "blind", "exchanged"
FAULTS = ("", UNPLUGGED, FROZEN, BLIND, EXCHANGED)
LOOK_PERIOD = 0.01  # s of wall time between two looks at whether somebody listens
DUTY = 0.5  # share of the wall time that may go into pictures


class CameraPublisher:
    """Renders only while somebody listens, ``rate`` times a simulated second at most.

    fault: one of FAULTS, "" for none.
    """

    def __init__(self, node: VpgNode, world: World, rate: float, noise: bool) -> None:
        self._world = world
        self._period = 1.0 / rate
        self._camera = SimCamera(world, noise=DepthNoise() if noise else None)
        self._colour = node.create_publisher(Image, COLOUR_TOPIC, qos_profile_sensor_data)
        self._depth = node.create_publisher(Image, DEPTH_TOPIC, qos_profile_sensor_data)
        self._info = node.create_publisher(CameraInfo, INFO_TOPIC, qos_profile_sensor_data)
        self._next_look = self._next_picture = 0.0
        self._last_time = -1.0
        self._newest: Frame | None = None
        self.fault = ""

    @property
    def pose(self) -> Pose:
        """Of the optical frame in the base frame."""
        return self._camera.pose

    def due(self) -> bool:
        """Whether it is time for the next picture."""
        now = time.monotonic()
        if now < self._next_look:
            return False
        self._next_look = now + LOOK_PERIOD
        if self.fault == UNPLUGGED or now < self._next_picture:
            return False
        if self._world.time - self._last_time < self._period:
            return False
        publishers = (self._colour, self._depth)
        return all(publisher.get_subscription_count() for publisher in publishers)

    def publish(self) -> None:
        """Take a picture of this instant and publish it."""
        start = time.monotonic()
        frame = self._faulty(self._camera.read())
        stamp = frame.stamp
        self._info.publish(intrinsics_to_msg(frame.intrinsics, stamp, OPTICAL_FRAME))
        self._colour.publish(image_to_msg(frame.colour, stamp, OPTICAL_FRAME))
        self._depth.publish(image_to_msg(frame.depth, stamp, OPTICAL_FRAME))
        self._last_time = self._world.time
        end = time.monotonic()
        self._next_picture = end + (end - start) * (1 / DUTY - 1)

    def _faulty(self, frame: Frame) -> Frame:
        """``frame`` as the camera delivers it."""
        if self.fault == FROZEN and self._newest is not None:
            return self._newest
        self._newest = frame
        if self.fault == BLIND:
            return replace(frame, depth=np.zeros_like(frame.depth))
        if self.fault == EXCHANGED:
            intrinsics = replace(frame.intrinsics, fx=1.1 * frame.intrinsics.fx)
            return replace(frame, intrinsics=intrinsics)
        return frame
