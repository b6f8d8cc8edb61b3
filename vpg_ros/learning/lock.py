"""Folders and files that several processes share."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vpg_ros.atomic import make_out, unwritable
from vpg_ros.errors import ErrorCode, VpgError

_FILE = ".lock"


@contextmanager
def alone(folder: Path, reading: bool = False, wait: bool = True) -> Iterator[None]:
    """Have a folder to oneself, made if need be; waits for the process that has it.

    reading: share it with others that read. The lock is the kernel's, on a file in the folder, so
    that it ends with this process however that ends. Raises as ``unwritable`` where the folder
    cannot be written, and without ``wait`` STORE_MISMATCH where a process has it.
    """
    make_out(folder)
    path = folder / _FILE
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        claim(descriptor, folder, reading, wait)
        yield
    finally:
        os.close(descriptor)


def claim(descriptor: int, path: Path, reading: bool = False, wait: bool = False) -> None:
    """Lock an open file, until it is closed or this process ends.

    path: what is locked with it. wait: for whoever has it; raises STORE_MISMATCH otherwise.
    """
    kind = fcntl.LOCK_SH if reading else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        sentence = f"{path} is in use by another process; let that one end, or choose another"
        raise VpgError(ErrorCode.STORE_MISMATCH, sentence) from None
