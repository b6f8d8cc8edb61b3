"""Primitives: one file each, found by name through the one registry in :mod:`.base`.

Importing this package imports every module in it, and so registers what these define. Which of
them a system uses is its repertoire (:mod:`.repertoire`).
"""

import importlib
import pkgutil

from vpg_ros.primitives.base import Primitive, get, names, register
from vpg_ros.primitives.repertoire import (
    DEFAULT_REPERTOIRE,
    first_primitives,
    parse_repertoire,
    repertoire,
)

__all__ = [
    "DEFAULT_REPERTOIRE",
    "Primitive",
    "first_primitives",
    "get",
    "names",
    "parse_repertoire",
    "register",
    "repertoire",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
