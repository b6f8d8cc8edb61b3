"""Where the files that are not Python live: config/, launch/, urdf/, weights/."""

import os
from collections.abc import Iterator
from pathlib import Path

from vpg_ros.errors import ErrorCode, VpgError

_MODULE = Path(__file__).resolve()


def resource(relative: str) -> Path:
    """The file or folder ``relative`` of a source tree or of an installation's share/vpg_ros.

    Raises PARAMETER_INVALID when there is none, with the places that were searched.
    """
    searched = list(dict.fromkeys(_roots()))
    for root in searched:
        if (root / relative).exists():
            return root / relative
    places = ", ".join(str(root) for root in searched)
    sentence = f"file {relative} of vpg_ros was not found in {places}; build the package again"
    raise VpgError(ErrorCode.PARAMETER_INVALID, sentence)


def _roots() -> Iterator[Path]:
    """Folders that may hold the files, the nearest first."""
    yield _MODULE.parents[1]
    # <prefix>/lib/python3.x/site-packages/vpg_ros/resources.py
    yield from (parent / "share" / "vpg_ros" for parent in _MODULE.parents[4:5])
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix:
            yield Path(prefix) / "share" / "vpg_ros"
