"""rclpy adapters: parse parameters, subscribe, call the core, publish."""

from vpg_ros.nodes._require import require_ros, require_vpg_msgs

require_ros()
require_vpg_msgs()
