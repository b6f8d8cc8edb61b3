"""ros2 launch vpg_ros real.launch.py: see vpg_ros/system.py for what it starts."""

from launch import LaunchDescription

from vpg_ros.launching import describe
from vpg_ros.system import real


def generate_launch_description() -> LaunchDescription:
    """The real system as its description has it."""
    return describe(real())
