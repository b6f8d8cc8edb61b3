"""The heightmap: what the policy sees of the table."""

from vpg_ros.heightmap.heightmap import Heightmap

__all__ = ["Heightmap"]
