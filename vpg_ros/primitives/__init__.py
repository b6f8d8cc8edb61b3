"""Primitives: one file each, found by name through the one registry in :mod:`.base`.

Importing this package imports every module in it, and whatever installed packages name under the
entry point group ``vpg_ros.primitives``, and so registers what these define. Which of them a system
uses is its repertoire (:mod:`.repertoire`).
"""

import importlib
import pkgutil
from importlib.metadata import EntryPoint, entry_points

from vpg_ros.errors import ErrorCode, VpgError
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


def _load(entry: EntryPoint) -> None:
    """Import what another package names; raises PARAMETER_INVALID, naming it, where that fails."""
    try:
        entry.load()
    except VpgError:
        raise
    except Exception as error:  # whatever that package's code raises
        package = entry.dist.name if entry.dist else "an unknown package"
        sentence = (
            f"entry point {entry.name} = {entry.value} ({entry.group}) of {package} cannot be "
            f"loaded: {error!r}; mend that package or remove it"
        )
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from error


for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
for _entry in entry_points(group=__name__):
    _load(_entry)
