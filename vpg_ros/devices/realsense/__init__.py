"""Intel RealSense cameras through the unmodified SDK, which runs in a process of its own."""

from vpg_ros.devices.realsense.camera import RealSense, probe
from vpg_ros.devices.realsense.settings import Filters, LiveCamera, Recording, Settings

__all__ = ["Filters", "LiveCamera", "RealSense", "Recording", "Settings", "probe"]
