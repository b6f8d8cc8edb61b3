"""rclpy adapters: parse parameters, subscribe, call the core, publish."""

from vpg_ros.installation import require_ros, require_vpg_msgs

require_ros()
require_vpg_msgs()
