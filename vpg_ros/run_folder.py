"""The folder of one run: its name and its files."""

import contextlib
import errno
import time
from pathlib import Path

from vpg_ros.errors import ErrorCode, VpgError

EVENTS_FILE = "events.jsonl"
SUMMARY_FILE = "summary.json"
TRANSITIONS_FILE = "transitions.mcap"
REPORT_FILE = "report.html"
LOG_FOLDER = "logs"


def new_run_folder(chosen: str = "") -> Path:
    """``chosen``, or a folder under runs/ named after the time; made if need be.

    Raises PARAMETER_INVALID when it cannot be made or holds the records of another run.
    """
    path = Path(chosen) if chosen else Path("runs") / time.strftime("%Y%m%d-%H%M%S")
    if chosen and ((path / SUMMARY_FILE).exists() or (path / TRANSITIONS_FILE).exists()):
        sentence = f"run_dir is {str(path)!r}, which holds the records of another run"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence)
    try:
        if not chosen:
            return _make_unused(path).resolve()
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sentence = f"run_dir is {str(path)!r} and cannot be made: {error.strerror}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from None
    return path.resolve()


def _make_unused(path: Path) -> Path:
    """Make ``path``, with a number behind it where another run began in the same second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        candidate = path if number == 1 else path.with_name(f"{path.name}-{number}")
        # Only whoever makes it has it: another run may be looking for a name right now.
        with contextlib.suppress(FileExistsError):
            candidate.mkdir()
            return candidate
    raise FileExistsError(errno.EEXIST, "too many runs began in this second")
