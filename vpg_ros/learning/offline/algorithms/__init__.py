"""Offline algorithms: one file each, found by name through the one registry.

Importing this package imports every module in it, and so registers what these define.
"""

import importlib
import pkgutil

from vpg_ros.learning.offline.algorithm import (
    Algorithm,
    check_config,
    check_values,
    get,
    names,
    register,
)

__all__ = ["Algorithm", "check_config", "check_values", "get", "names", "register"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
