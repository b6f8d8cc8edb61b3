"""Files that are replaced whole: what a full disk leaves, and what it is called."""

import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vpg_ros.atomic import make_out, write_atomically
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.learning.kept import keep
from vpg_ros.learning.online import OnlineConfig, OnlineLearning
from vpg_ros.learning.replay import Experience, Replay
from vpg_ros.learning.store import SegmentWriter

# What writes a file, given its path as `path`.
WRITERS = {
    "state.pt": "from vpg_ros.learning.state import save_state as write\nimport torch\n"
    "content = {'weights': torch.zeros(20_000)}",
    "weights.safetensors": "from vpg_ros.policy.checkpoint import save as write\n"
    "from vpg_ros.policy.network import ValueNetwork\n"
    "from vpg_ros.policy.config import NetworkConfig\n"
    "content = ValueNetwork(NetworkConfig.of_repertoire())",
    "summary.json": "from vpg_ros.atomic import write_json as write\n"
    "content = {'text': 'x' * 20_000}",
    "report.html": "from vpg_ros.viz.report import write_report\n"
    "write = lambda path, content: write_report(path, content, [])\n"
    "content = {'error_msg': 'x' * 20_000, 'error_code': 101}",
}

FILL_THE_DISK = """
import resource
from pathlib import Path
from vpg_ros.errors import VpgError
{writer}
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write(Path({path!r}), content)
except VpgError as error:
    print(error.code.name, error.message)
"""


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_named_and_keeps_the_old_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")
    program = FILL_THE_DISK.format(writer=textwrap.dedent(WRITERS[name]), path=str(path))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    code, sentence = done.stdout.split(maxsplit=1)
    assert code == "DISK_FULL" and str(path) in sentence
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [(name, "old")]


def test_a_path_that_cannot_be_written_is_no_full_disk(tmp_path: Path) -> None:
    with pytest.raises(VpgError, match="nowhere") as error:
        write_atomically(tmp_path / "nowhere" / "file", b"")
    assert error.value.code is ErrorCode.PARAMETER_INVALID


def test_content_and_name_are_on_the_disk_when_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    synced: list[tuple[str, str]] = []

    def note(descriptor: int) -> None:
        at = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append((at.read_text() if at.is_file() else str(at), path.read_text()))

    monkeypatch.setattr(os, "fsync", note)
    write_atomically(path, b"new")
    assert synced == [("new", "old"), (str(tmp_path), "new")]


WRITE_TOO = """
import sys
from pathlib import Path
from vpg_ros.atomic import require_writable, write_atomically
require_writable(Path(sys.argv[1]))
write_atomically(Path(sys.argv[1]), b"theirs")
"""


def test_two_processes_write_the_same_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one begins and ends while this one writes."""
    path, sync, begun = tmp_path / "results.json", os.fsync, list[str]()

    def interrupted(descriptor: int) -> None:
        sync(descriptor)
        if not begun:
            subprocess.run([sys.executable, "-c", WRITE_TOO, str(path)], check=True, timeout=60)
            begun.append(path.read_text())

    monkeypatch.setattr(os, "fsync", interrupted)
    write_atomically(path, b"ours")
    assert begun == ["theirs"] and path.read_text() == "ours"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_is_found_full_only_then_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no room")

    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VpgError, match=f"{path} cannot be written: no room") as error:
        write_atomically(path, b"new")
    assert error.value.code is ErrorCode.DISK_FULL
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("file", "old")]


def a_replay(folder: Path) -> None:
    replay = Replay()
    replay.add(
        Experience(*[np.zeros(0)] * 2, "grasp", 0, 0, 0, 0.0, False, False, *[np.zeros(0)] * 2)
    )
    replay.save(folder)


def a_learning(folder: Path) -> None:
    OnlineLearning(OnlineConfig(), folder, DEFAULT_WORKSPACE).save()


# What makes the folder that it is given.
MAKERS = {
    "--out": make_out,
    "replay": a_replay,
    "out": a_learning,
    "store": SegmentWriter,
    "folder": lambda folder: keep(folder / "piece.json", {}, {}),
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, ErrorCode.DISK_FULL), (errno.EACCES, ErrorCode.PARAMETER_INVALID)],
)
def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int, code: ErrorCode
) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise OSError(number, "refused")

    make: Callable[[Path], object] = MAKERS[name]
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(VpgError, match=f"^{name} is .*new' and cannot be made: refused") as error:
        make(tmp_path / "new")
    assert error.value.code is code
