"""Pieces of a long study, each kept in a file as it is done, and not done again."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vpg_ros.atomic import write_atomically
from vpg_ros.errors import ErrorCode, VpgError, require

Content = dict[str, Any]


def kept(path: Path, settings: Mapping[str, Any], make: Callable[[], Content]) -> Content:
    """What ``make`` returned, now or when it was kept; plain JSON types.

    settings: everything that the content depends on besides its path. Raises STORE_MISMATCH where
    the file was made with others, STORE_UNREADABLE where it is damaged.
    """
    wanted = json.loads(json.dumps(settings))
    if not path.is_file():
        content = {"settings": wanted, **make()}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
    try:
        found: Content = json.loads(path.read_text())
        before = found["settings"]
    except (OSError, ValueError, KeyError) as error:
        raise VpgError(ErrorCode.STORE_UNREADABLE, f"{path} is damaged: {error!r}") from error
    require(
        before == wanted,
        f"{path} was made with {before}, not {wanted}; choose another folder",
        ErrorCode.STORE_MISMATCH,
    )
    return found
