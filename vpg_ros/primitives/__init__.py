"""Primitives: one file each, found by name through the one registry in :mod:`.base`.

Importing this package registers the built-in primitives.
"""

from vpg_ros.primitives import grasp, push  # noqa: F401  (imported to register)
from vpg_ros.primitives.base import Primitive, get, names, register

__all__ = ["Primitive", "get", "names", "register"]
