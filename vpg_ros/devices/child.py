"""A process of its own for one of ``ur_rtde``'s interfaces, which can hang or crash theirs.

Requests and answers are lines of JSON on a socket: ``[method, arguments]`` → ``{"result": …}`` or
``{"error": sentence}``; the first answer tells whether the connection was made. An empty line is a
sign of life.
"""

import contextlib
import json
import select
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any


class ChildProcess:
    """Runs the file ``script`` with ``robot_ip`` and the socket: one request, then one answer."""

    def __init__(self, script: str, robot_ip: str) -> None:
        self._socket, other = socket.socketpair()
        command = [sys.executable, script, robot_ip, str(other.fileno())]
        with other:
            self._process = subprocess.Popen(
                command,
                pass_fds=(other.fileno(),),
                stdout=subprocess.DEVNULL,
                # Ctrl-C is for its parent, which may still want to park the arm.
                start_new_session=True,
            )
        self._buffer = b""

    def request(self, method: str, arguments: Sequence[Any]) -> None:
        """Ask for a call; a process that is gone shows in the answer."""
        self._send(json.dumps([method, arguments]).encode() + b"\n")

    def beat(self) -> None:
        """Tell it that this process lives."""
        self._send(b"\n")

    def answer(self, timeout: float) -> dict[str, Any] | None:
        """The next answer; None when there is none yet; {"broken": …} when there can be none."""
        readable, _, _ = select.select([self._socket], [], [], timeout)
        if not readable:
            return None
        try:
            part = self._socket.recv(65536)
        except ConnectionResetError:  # it ended before it had read everything
            part = b""
        self._buffer += part
        if not part:
            return {"broken": True}
        if not self._buffer.endswith(b"\n"):
            return None
        line, self._buffer = self._buffer, b""
        result: dict[str, Any] = json.loads(line)
        return result

    def kill(self) -> None:
        """End it wherever it is."""
        self._process.kill()
        self._process.wait()

    def _send(self, line: bytes) -> None:
        # A child that is stopped lets the socket fill up; it must not hold its parent up as well.
        with contextlib.suppress(OSError):
            self._socket.sendall(line, socket.MSG_DONTWAIT)
