"""Working memory of a node's process."""

import subprocess
import sys

_PROGRAM = """
import re, threading
from pathlib import Path
import vpg_ros.nodes.inference_node
worker = threading.Thread(target=lambda: [bytearray(1000) for _ in range(1000)])
worker.start()
worker.join()
# glibc gives an arena addresses from a multiple of 64 MiB on.
begin = re.compile(r"^([0-9a-f]+)-[0-9a-f]+ \\S+ 0+ 00:00 0 *$", re.M)
maps = begin.findall(Path("/proc/self/maps").read_text())
print(sum(int(address, 16) % (64 << 20) == 0 for address in maps))
"""


def test_all_threads_of_a_node_share_one_arena() -> None:
    """Each keeps what was freed, so that several would grow for a long time."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "0"
