"""The UR controller emulator as a process, for the tests of everything that talks to a robot."""

import itertools
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

FAULT_PORT = 30999
START_TIMEOUT = 30.0
_numbers = itertools.count(64)


def free_host() -> str:
    """A loopback address that no other test process uses."""
    number = os.getpid() % 65_000 + 256
    return f"127.{next(_numbers) % 190 + 64}.{number // 256}.{number % 254 + 1}"


def eventually(condition: Callable[[], bool], timeout: float = 10.0) -> None:
    """Wait until ``condition()`` holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.002)


class Emulator:
    """A running emulator: its address and its side channel for faults."""

    def __init__(self, process: "subprocess.Popen[str]", host: str) -> None:
        self.process, self.host = process, host
        self._channel = socket.create_connection((host, FAULT_PORT), 5.0)
        self._lines = self._channel.makefile("rw")

    def ask(self, line: str) -> str:
        """One line to the side channel; its answer."""
        self._lines.write(line + "\n")
        self._lines.flush()
        return self._lines.readline().strip()

    def fault(self, name: str) -> None:
        """Make a fault, or take one back."""
        assert self.ask(name) == "ok"

    def state(self) -> dict[str, Any]:
        """What the emulator knows of itself."""
        result: dict[str, Any] = json.loads(self.ask("state"))
        return result

    def recover(self) -> None:
        """Take back every fault."""
        for name in (
            "resume",
            "remote",
            "gripper-answer",
            "release",
            "unlock",
            "safeguard-reset",
            "power",
            "slider 1",
        ):
            self.fault(name)

    def until(self, field: str, value: Any) -> None:
        """Wait until ``state()[field]`` is ``value``."""
        eventually(lambda: self.state()[field] == value)


@contextmanager
def emulator(*options: str, script: str | None = None, host: str = "") -> Iterator[Emulator]:
    """An emulator at ``host``, or one of its own; ``script`` starts one by another program."""
    host = host or free_host()
    program = [script] if script else ["-m", "vpg_ros.sim.controller"]
    command = [sys.executable, *program, "--host", host, "--fault-port", str(FAULT_PORT), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        wait_until_ready(process)
        running = Emulator(process, host)
        yield running
    finally:
        process.kill()
        process.wait()


def wait_until_ready(process: "subprocess.Popen[str]") -> None:
    """Wait for the line with which the emulator says that it listens."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], START_TIMEOUT)
    assert readable and process.stdout.readline().strip() == "READY"
