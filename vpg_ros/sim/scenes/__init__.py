"""Scene families: one function each, found by name.

Importing this package imports every module in it, and so registers what these define.
"""

import importlib
import pkgutil

from vpg_ros.sim.scenes.base import asks_for_picks, build, is_solved, is_spoilt, names, scene

__all__ = ["asks_for_picks", "build", "is_solved", "is_spoilt", "names", "scene"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
