"""Questions to a UR controller's dashboard server: one line each, answered with one line.

Asking moves nothing and takes no control of the robot.
"""

import socket
import time
from types import TracebackType

from vpg_ros.errors import ErrorCode, VpgError

PORT = 29999
NOT_UNDERSTOOD = "could not understand"  # how the answer to an unknown question begins


class Dashboard:
    """A connection to the dashboard at ``robot_ip``; use it in a ``with`` statement.

    Raises ARM_UNREACHABLE when nothing answers within ``timeout`` s.
    """

    def __init__(self, robot_ip: str, timeout: float = 2.0, port: int = PORT) -> None:
        self._address, self._timeout = (robot_ip, port), timeout
        try:
            self._socket = socket.create_connection(self._address, timeout)
        except OSError as error:
            raise self._error(error) from None
        self._rest = b""
        self._line()  # its greeting

    def ask(self, question: str) -> str:
        """The answer to one question."""
        try:
            self._socket.sendall(question.encode() + b"\n")
        except OSError as error:
            raise self._error(error) from None
        return self._line()

    def value(self, question: str) -> str:
        """What follows the colon of the answer, such as RUNNING of ``Robotmode: RUNNING``."""
        return self.ask(question).partition(":")[2].strip()

    def __enter__(self) -> "Dashboard":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def _line(self) -> str:
        deadline = time.monotonic() + self._timeout
        while b"\n" not in self._rest:
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                part = self._socket.recv(4096)
            except OSError as error:
                raise self._error(error) from None
            if not part:
                raise self._error(ConnectionError("it closed the connection"))
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace").strip()

    def _error(self, error: OSError) -> VpgError:
        robot_ip, port = self._address
        return VpgError(
            ErrorCode.ARM_UNREACHABLE,
            f"the dashboard at {robot_ip}:{port} does not answer: {error.strerror or error}",
        )
