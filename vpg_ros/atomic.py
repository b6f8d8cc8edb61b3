"""Files that appear whole or not at all, whenever the process is killed or the disk is full."""

import errno
import json
import os
from pathlib import Path
from typing import Any

from vpg_ros.errors import ErrorCode, VpgError, require

# A disk, a quota or a file-size limit that is reached.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path``, or make it; until this returns, an earlier file stays as it was.

    Both the content and the new name are on the disk by then: a power cut leaves either file whole.
    Of several processes that write the same file the last one's stays. Raises DISK_FULL when there
    is no room, PARAMETER_INVALID when it cannot be written otherwise.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave the new name without its content
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        if temporary.is_file():
            temporary.unlink()
        raise unwritable(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where its file system knows how to."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # of file systems that sync files alone
            raise
    finally:
        os.close(descriptor)


def require_writable(path: Path) -> None:
    """Raise now what :func:`write_atomically` would raise after long work; changes nothing."""
    try:
        require(not path.is_dir(), f"{path} cannot be written: it is a folder")
        probe = path.with_name(f".{path.name}.{os.getpid()}.probe")
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise unwritable(path, error) from None


def write_json(path: Path, content: Any, indent: int | None = 2) -> None:
    """Replace a JSON file whole, so that it is readable at any moment; raises DISK_FULL.

    indent: spaces a level; None for one line.
    """
    write_atomically(path, (json.dumps(content, indent=indent) + "\n").encode())


def make_folder(folder: Path, name: str) -> None:
    """Make a folder, and those above it, unless it is there; ``name``: the parameter that names it.

    Raises as :func:`write_atomically`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sentence = f"{name} is {str(folder)!r} and cannot be made: {error.strerror}"
        raise VpgError(code_of(error), sentence) from None


def make_out(out: Path) -> None:
    """Make the folder that ``--out`` names; raises as :func:`make_folder`."""
    make_folder(out, "--out")


def unwritable(path: Path, error: OSError) -> VpgError:
    """What to raise for an error in writing to ``path``."""
    return VpgError(code_of(error), f"{path} cannot be written: {error.strerror or error}")


def code_of(error: OSError) -> ErrorCode:
    """DISK_FULL where there is no room, PARAMETER_INVALID where something else is the matter."""
    return ErrorCode.DISK_FULL if error.errno in FULL else ErrorCode.PARAMETER_INVALID
