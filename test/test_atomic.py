"""Files that are replaced whole: what a full disk leaves, and what it is called."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from vpg_ros.atomic import write_atomically
from vpg_ros.errors import ErrorCode, VpgError

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
