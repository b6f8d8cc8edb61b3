"""A store that several processes write, one after the other: a folder with a file of each."""

import itertools
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vpg_ros.action import Transition
from vpg_ros.atomic import make_folder
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.learning.store.reader import SET_ASIDE, Scan, keep_first
from vpg_ros.learning.store.writer import TransitionWriter

_log = logging.getLogger(__name__)


class SegmentWriter:
    """Goes on with the store in ``folder`` after its first ``count`` transitions, in a new file.

    What follows them is cut off: whoever wrote it was killed before it counted, and does it again.
    metadata: of the new file, as of ``TransitionWriter``. Raises STORE_UNREADABLE, having changed
    nothing, when the folder holds fewer transitions, and what ``TransitionWriter`` raises.

    count: transitions that the store holds.
    """

    def __init__(
        self, folder: Path, count: int = 0, metadata: Mapping[str, Any] | None = None
    ) -> None:
        self.count = count
        segments = _segments(folder)
        _cut(folder, segments, count)
        make_folder(folder, "store")
        number = 1 + max((int(path.stem) for path in _segments(folder)), default=-1)
        self._writer = TransitionWriter(folder / f"{number:05d}.mcap", metadata)

    def write(self, transition: Transition) -> None:
        """Append one; raises as ``TransitionWriter.write``."""
        self._writer.write(transition)
        self.count += 1

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


def require_empty(folder: Path) -> None:
    """Raise STORE_MISMATCH where the store in ``folder`` holds transitions already."""
    count = sum(sum(1 for _ in Scan(path).stored()) for path in _segments(folder))
    sentence = (
        f"{folder} holds {count} transitions already; choose another folder or move them away, "
        "or add --resume, which sets them aside"
    )
    require(count == 0, sentence, ErrorCode.STORE_MISMATCH)


def set_aside(folder: Path) -> None:
    """Rename a store that holds transitions to SET_ASIDE and the next number; a warning says so.

    As a part of its parent it is not read any more (see ``store_files``).
    """
    if not any(keep_first(path, 1)[0] for path in _segments(folder)):
        return
    names = (folder.with_name(f"{SET_ASIDE}{n}") for n in itertools.count(1))
    free = next(path for path in names if not path.exists())
    try:
        folder.rename(free)
    except OSError as error:
        sentence = f"{folder} cannot be renamed to {free.name}: {error.strerror}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from None
    _log.warning("%s held transitions of before; they are now in %s", folder, free)


def _segments(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.mcap") if path.stem.isdecimal())


def _cut(folder: Path, segments: list[Path], count: int) -> None:
    """Leave the first ``count`` transitions of all segments."""
    ends: list[tuple[Path, int]] = []
    left = count
    for path in segments:
        kept, size = keep_first(path, left)
        left -= kept
        ends.append((path, size if kept else 0))
    if left > 0:
        sentence = f"store {folder} holds {count - left} of the {count} transitions recorded so far"
        raise VpgError(ErrorCode.STORE_UNREADABLE, sentence)
    for path, size in reversed(ends):  # from behind: a kill in between leaves no gap
        if size == 0:
            path.unlink()
        elif size < path.stat().st_size:
            os.truncate(path, size)
