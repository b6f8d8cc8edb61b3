"""Scene families: one function each, found by name.

Importing this package registers the built-in families.
"""

from vpg_ros.sim.scenes import packed, random, row  # noqa: F401  (imported to register)
from vpg_ros.sim.scenes.base import build, names, scene

__all__ = ["build", "names", "scene"]
