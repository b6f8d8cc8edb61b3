"""Ctrl-C and SIGTERM while a node is still being built."""

import signal
import subprocess
import sys
import textwrap

import pytest

NODE = """
    from vpg_ros.errors import ErrorCode, VpgError
    from vpg_ros.nodes.base import VpgNode
    from vpg_ros.nodes.spin import run_node

    class Slow(VpgNode):
        def __init__(self):
            super().__init__("slow_node")
            print("building", flush=True)
            if not self.stop.wait(30.0):
                raise VpgError(ErrorCode.ARM_UNREACHABLE, "nobody asked for a stop")
            {then}

    run_node("slow_node", Slow)
"""
WAIT_FOR_A_SECOND = "import time; time.sleep(40.0)"
GIVE_UP = "raise VpgError(ErrorCode.ARM_UNREACHABLE, 'no answer')"


@pytest.mark.parametrize(
    ("then", "numbers", "code"),
    [
        (GIVE_UP, [signal.SIGINT], 0),
        ("pass", [signal.SIGTERM], 0),
        ("raise ValueError('defect')", [signal.SIGINT], 1),
        (WAIT_FOR_A_SECOND, [signal.SIGINT, signal.SIGTERM], 1),
    ],
)
def test_a_node_that_is_being_built_hears_a_stop(then, numbers, code):
    program = textwrap.dedent(NODE).format(then=then)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "building\n"
        for number in numbers:
            process.send_signal(number)
        _, errors = process.communicate(timeout=30.0)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == code, errors
    assert "KeyboardInterrupt" not in errors
    assert errors.endswith("[error 902]\n") == (code == 1)
