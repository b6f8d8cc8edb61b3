"""Transitions on disk: MCAP files of vpg_msgs/Transition, readable without ROS.

Each transition is one compressed chunk, on the disk before ``write`` returns: whatever kills the
writer, everything before stays readable, by this package and by any tool that reads MCAP.
"""

from vpg_ros.learning.store.reader import StoreInfo, info, read_transitions, store_files
from vpg_ros.learning.store.segments import SegmentWriter, require_empty, set_aside
from vpg_ros.learning.store.writer import TransitionWriter

__all__ = [
    "SegmentWriter",
    "StoreInfo",
    "TransitionWriter",
    "info",
    "read_transitions",
    "require_empty",
    "set_aside",
    "store_files",
]
