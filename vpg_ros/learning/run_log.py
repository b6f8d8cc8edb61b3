"""Runs of an evaluation as they come, one JSON line each; what a kill leaves is continued."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vpg_ros.atomic import unwritable
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.learning.differences import differences
from vpg_ros.learning.figures import Run
from vpg_ros.learning.lock import claim

_START = b'{"settings": '


class RunLog:
    """An append-only file, one process's at a time: a line of settings, then a line for each run.

    settings: everything but case and seed that a run depends on. done: runs on file, by
    (case, seed). Raises STORE_MISMATCH when the file holds runs with other settings, or another
    process writes it, STORE_UNREADABLE when it is no such file, PARAMETER_INVALID when it cannot be
    written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._path = path
        self.done: dict[tuple[str, int], Run] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._held = path.open("a+b")
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            claim(self._held.fileno(), path)
            self._held.seek(0)
            self._continue(self._held.read(), settings)
        except BaseException:
            self.close()
            raise

    def _continue(self, data: bytes, settings: Mapping[str, Any]) -> None:
        """Take up what is on file, less a line that a kill cut off."""
        lines = data.split(b"\n")[:-1]  # a line that a kill cut off has no end
        if lines or data[: len(_START)] != _START[: len(data)]:  # not merely cut off at the start
            self._read(lines or [data], dict(settings))
        self._truncate(sum(len(line) + 1 for line in lines))
        if not lines:
            self._append({"settings": dict(settings)})

    def add(self, run: Run) -> None:
        """Append a run."""
        self.done[run.case, run.seed] = run
        self._append(asdict(run))

    def close(self) -> None:
        """Let others write it."""
        self._held.close()

    def _read(self, lines: list[bytes], settings: dict[str, Any]) -> None:
        try:
            found = dict(json.loads(lines[0])["settings"])
            runs = [Run(**json.loads(line)) for line in lines[1:]]
        except (ValueError, KeyError, TypeError) as error:
            sentence = f"{self._path} is no log of evaluation runs: {error!r}"
            raise VpgError(ErrorCode.STORE_UNREADABLE, sentence) from error
        require(
            found == settings,
            f"{self._path} holds runs with other settings: {differences(found, settings)}; "
            "continue with those, or write to another file",
            ErrorCode.STORE_MISMATCH,
        )
        self.done = {(run.case, run.seed): run for run in runs}

    def _truncate(self, size: int) -> None:
        try:
            with self._path.open("ab") as file:
                file.truncate(size)
        except OSError as error:
            raise unwritable(self._path, error) from error

    def _append(self, content: Mapping[str, Any]) -> None:
        try:
            with self._path.open("ab") as file:
                file.write(json.dumps(content).encode() + b"\n")
        except OSError as error:
            raise unwritable(self._path, error) from error
