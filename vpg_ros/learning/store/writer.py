"""Append transitions to an MCAP file, each safe on the disk before the next begins."""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from mcap_ros2.writer import Writer

from vpg_ros import __version__, primitives
from vpg_ros.action import Transition
from vpg_ros.atomic import FULL
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Workspace
from vpg_ros.learning.store import schema
from vpg_ros.learning.store.codec import encode, nanoseconds

METADATA = "vpg_ros"
WORKSPACE = "workspace"
_log = logging.getLogger(__name__)


class TransitionWriter:
    """A new store at ``path``, which must not exist yet.

    metadata: anything JSON can hold, kept with the package's version and the primitives' names. The
    first transition's workspace is kept as well, and all others must have the same. Raises
    PARAMETER_INVALID when the file exists or cannot be made, and DISK_FULL.
    """

    def __init__(self, path: str | Path, metadata: Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        self._file = _StagedFile(self.path)
        self._workspace: Workspace | None = None
        self._failure: VpgError | None = None
        self._count = 0
        # A chunk ends with the first message that makes it larger than this: with every message.
        self._mcap = Writer(self._file, chunk_size=1)  # type: ignore[arg-type]
        self._schema = self._mcap.register_msgdef(schema.NAME, schema.DEFINITION)
        known = {"version": __version__, "primitives": list(primitives.names())}
        self._add_metadata(METADATA, {**known, **(metadata or {})})
        self._commit()

    def write(self, transition: Transition) -> None:
        """Append one transition; it is on the disk when this returns.

        Raises STORE_MISMATCH for another workspace, and DISK_FULL: earlier transitions are kept,
        and the store takes no more.
        """
        if self._failure is not None:
            raise self._failure
        self._check(transition.before.workspace)
        self._check(transition.after.workspace)
        time = nanoseconds(transition.after.stamp)
        message = encode(transition)
        self._mcap.write_message(schema.TOPIC, self._schema, message, time, time, self._count)
        self._commit()
        self._count += 1

    def close(self) -> None:
        """Complete the file with its index. Without one, or without room for it, it is readable."""
        if self._file.closed:
            return
        try:
            if self._failure is None:
                self._mcap.finish()  # type: ignore[no-untyped-call]
                self._commit()
        except VpgError as error:
            _log.warning("%s has all transitions but no index: %s", self.path, error.message)
        finally:
            self._file.close()

    def __enter__(self) -> "TransitionWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _check(self, workspace: Workspace) -> None:
        """Remember the first workspace, refuse any other."""
        if self._workspace is None:
            self._workspace = workspace
            self._add_metadata(WORKSPACE, vars(workspace))
        if workspace != self._workspace:
            sentence = f"transition is of {workspace}; {self.path} holds those of {self._workspace}"
            raise VpgError(ErrorCode.STORE_MISMATCH, sentence)

    def _add_metadata(self, name: str, content: Mapping[str, Any]) -> None:
        self._mcap.add_metadata(name, {key: json.dumps(value) for key, value in content.items()})

    def _commit(self) -> None:
        """Put what was staged on the disk, or nothing of it."""
        try:
            self._file.commit()
        except OSError as error:
            full = error.errno in FULL
            code = ErrorCode.DISK_FULL if full else ErrorCode.STORE_UNREADABLE
            kept = f"its {self._count} earlier transitions are kept"
            sentence = f"{self.path} cannot be written: {error.strerror}; {kept}"
            self._failure = VpgError(code, sentence)
            raise self._failure from None


class _StagedFile:
    """A file that grows by whole commits: what a failed commit left is cut off again."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags, 0o644)
        except OSError as error:
            sentence = f"store is {str(path)!r} and cannot be made: {error.strerror}"
            raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from None
        self._staged = bytearray()
        self._size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        """Stage bytes."""
        self._staged += data
        return len(data)

    def tell(self) -> int:
        """Where the next byte goes."""
        return self._size + len(self._staged)

    def flush(self) -> None:
        """Nothing: only whole commits are written."""

    def commit(self) -> None:
        """Write and sync what is staged; raises OSError with the file as it was before."""
        staged, self._staged = memoryview(self._staged), bytearray()
        try:
            written = 0
            while written < len(staged):
                written += os.write(self._descriptor, staged[written:])
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(staged)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
        self.closed = True
