"""Ctrl-C and SIGTERM while a node is still being built."""

import signal
import subprocess
import sys
import textwrap

import pytest
from ros_fixtures import sentence

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
STOPPED_AS_IT_LOOKS = """
    import signal
    from vpg_ros.nodes.base import VpgNode
    from vpg_ros.nodes.spin import run_node

    class Looking(VpgNode):
        def __init__(self):
            super().__init__("looking_node")

        def work(self):
            with self.stop._cond:  # as Event.wait does
                signal.raise_signal(signal.SIGINT)
            return 0 if self.stop.wait(10.0) else 1

    run_node("looking_node", Looking)
"""
STOPPED_BESIDE_A_WAIT = """
    import signal
    import threading
    from vpg_ros.nodes.base import VpgNode
    from vpg_ros.nodes.spin import run_node

    def interrupt():  # a thread that is not the one that waits
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    class Waiting(VpgNode):
        def __init__(self):
            super().__init__("waiting_node")

        def work(self):
            threading.Timer(0.5, interrupt).start()
            return 0 if self.stop.wait(10.0) else 1

    run_node("waiting_node", Waiting)
"""
HELP = [
    ("heightmap_node", ["autostart", "camera topics: images", "allowed: one of topics, realsense"]),
    ("motion_node", ["limits.table_z", "required", "limits.tool_force", "allowed: 1.0 to 250.0"]),
    ("inference_node", ["exploration share of", "default 0.0", "may be set while it runs"]),
    ("task_node", ["max_actions stop after this many actions", "default 100", "at least 1"]),
    ("learner_node", ["from_nothing", "true or false; default false"]),
    ("pybullet_node", ["scene family on the table", "default 'random'; allowed: one of"]),
]
WAIT_FOR_A_SECOND = "import time; time.sleep(40.0)"
GIVE_UP = "raise VpgError(ErrorCode.ARM_UNREACHABLE, 'no answer')"


def run_executable(name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", f"vpg_ros.nodes.{name}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=False)


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


@pytest.mark.parametrize(("name", "words"), HELP)
def test_help_tells_of_every_parameter_and_starts_nothing(name, words):
    process = run_executable(name, "--help")
    assert process.returncode == 0, process.stderr
    text = " ".join(process.stdout.split())
    assert text.startswith(f"usage: {name}") and "ready" not in text
    assert all(each in text for each in words), text


def test_an_argument_that_there_is_not_is_refused():
    process = run_executable("task_node", "--max-actions", "3")
    assert "--max-actions" in sentence(process) and "-p NAME:=VALUE" in process.stderr
    assert "[error 900]" in process.stderr


@pytest.mark.parametrize("program", [STOPPED_AS_IT_LOOKS, STOPPED_BESIDE_A_WAIT])
def test_a_stop_is_heard_whatever_the_main_thread_does(program):
    """Also one that the main thread does not notice, as when it is just about to wait."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    assert subprocess.run(command, timeout=30.0, check=False).returncode == 0
