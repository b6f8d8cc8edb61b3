"""rclpy adapters: parse parameters, subscribe, call the core, publish."""

from vpg_ros.installation import require_ros, require_vpg_msgs
from vpg_ros.nodes.memory import keep_freed_memory

keep_freed_memory()
require_ros()
require_vpg_msgs()
