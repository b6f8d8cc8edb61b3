"""Working memory of a node's process."""

import subprocess
import sys

_PROGRAM = """
import ctypes, threading
import vpg_ros.nodes.inference_node
worker = threading.Thread(target=lambda: [bytearray(1000) for _ in range(1000)])
worker.start()
worker.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
stdout = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stdout)  # an XML of all arenas, each a "heap"
libc.fflush(stdout)
"""


def test_all_threads_of_a_node_share_one_arena() -> None:
    """Each keeps what was freed, so that several would grow for a long time."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("<heap ") == 1
