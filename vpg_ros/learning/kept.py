"""Pieces of a long study, each kept in a file as it is done, and not done again."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vpg_ros.atomic import make_folder, write_json
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.learning.differences import differences
from vpg_ros.learning.earlier import in_full

Content = dict[str, Any]
_SEED = "seed-"  # before the number, in the name of a folder


def seed_folder(folder: Path, seed: int) -> Path:
    """Where in a folder what has a seed is kept."""
    return folder / f"{_SEED}{seed}"


def seeds_in(folder: Path) -> list[int]:
    """The seeds of which a folder keeps anything, passing over what somebody has put aside."""
    names = (path.name.removeprefix(_SEED) for path in folder.glob(f"{_SEED}*"))
    return sorted(int(name) for name in names if name.isdecimal())


def kept(path: Path, settings: Mapping[str, Any], make: Callable[[], Content]) -> Content:
    """What ``make`` returned, now or when it was kept; plain JSON types.

    settings: everything that the content depends on besides its path. Raises as ``read_kept``.
    """
    if not path.is_file():
        keep(path, settings, make())
    return read_kept(path, settings)


def keep(path: Path, settings: Mapping[str, Any], content: Content) -> None:
    """Write a piece, its folder too if need be; raises as ``write_atomically``."""
    make_folder(path.parent, "folder")
    write_json(path, {"settings": settings, **content}, indent=None)


def read_kept(path: Path, settings: Mapping[str, Any]) -> Content:
    """A piece that was kept.

    Raises STORE_MISMATCH where the file was made with other settings, what its version did not name
    taken into account, and STORE_UNREADABLE where it is damaged.
    """
    wanted = json.loads(json.dumps(settings))
    try:
        found: Content = json.loads(path.read_text())
        before = in_full(dict(found["settings"]))
    except OSError as error:
        raise VpgError(ErrorCode.STORE_UNREADABLE, f"{path} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        sentence = f"{path} is damaged: {error!r}; delete it, and it is made again"
        raise VpgError(ErrorCode.STORE_UNREADABLE, sentence) from error
    require(
        before == wanted,
        f"{path} was made with other settings: {differences(before, wanted)}; "
        "choose another folder",
        ErrorCode.STORE_MISMATCH,
    )
    return found
