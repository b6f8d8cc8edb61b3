"""Primitives: one file each, found by name through the one registry in :mod:`.base`.

Importing this package imports every module in it, and whatever installed packages name under the
entry point group ``vpg_ros.primitives``, and so registers what these define. Which of them a system
uses is its repertoire (:mod:`.repertoire`).
"""

import importlib
import pkgutil
from importlib.metadata import entry_points

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
for _entry in entry_points(group=__name__):
    _entry.load()
