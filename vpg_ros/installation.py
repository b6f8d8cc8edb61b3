"""Says how to get ROS 2 and vpg_msgs where they are missing, before an import fails."""

import os
from importlib.util import find_spec

from vpg_ros.errors import ErrorCode, require

_BUILD_HERE = "run `make setup` in the repository's root"
_BUILD_WITH_ROS = (
    "run `colcon build` in the repository's root, or "
    "`colcon build --base-paths src src/vpg_ros/vpg_msgs` in a workspace, "
    "then `source install/setup.bash`"
)


def require_ros() -> None:
    """Raise INTERFACES_MISSING, with the command that helps, unless rclpy can be imported."""
    require(
        _is_installed("rclpy"),
        f"rclpy of ROS 2 is not installed for this Python; {_BUILD_HERE}, "
        "or source the setup file of a ROS 2 installation",
        ErrorCode.INTERFACES_MISSING,
    )


def require_vpg_msgs() -> None:
    """Raise INTERFACES_MISSING, with the command that builds it, unless vpg_msgs is built."""
    command = _BUILD_WITH_ROS if "ROS_DISTRO" in os.environ else _BUILD_HERE
    require(
        _is_installed("vpg_msgs"),
        f"package vpg_msgs is not built for this Python; {command}",
        ErrorCode.INTERFACES_MISSING,
    )


def _is_installed(package: str) -> bool:
    """A folder of that name beside the sources is found too, as a namespace without an origin."""
    spec = find_spec(package)
    return spec is not None and spec.origin is not None
