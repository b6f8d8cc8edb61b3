"""OnRobot RG2 gripper through its URCap: XML-RPC on port 41414 of the robot controller."""

import http.client
import threading
import time
import xmlrpc.client
from typing import Any
from xml.parsers.expat import ExpatError

from vpg_ros.errors import ErrorCode, VpgError, require

PORT = 41414
MAX_WIDTH = 0.110  # m
MIN_FORCE, MAX_FORCE = 3.0, 40.0  # N
_POLL = 0.02  # s
_NO_ANSWER = (OSError, http.client.HTTPException, xmlrpc.client.Error, ExpatError)
_WIDTH_SLACK = 1e-6  # m of rounding beyond the stroke that is let pass


class RG2:
    """A parallel gripper; see :class:`vpg_ros.devices.interfaces.Gripper`.

    robot_ip: address of the controller the URCap runs on. tool: the gripper's number there.
    call_timeout: s of wall time for one answer. move_timeout: s of wall time for one movement.

    Raises GRIPPER_NO_ANSWER when nothing answers at ``robot_ip``. Not for two threads at once, but
    for ``stop``.
    """

    def __init__(
        self,
        robot_ip: str,
        tool: int = 0,
        call_timeout: float = 2.0,
        move_timeout: float = 10.0,
        port: int = PORT,
    ) -> None:
        self._address = f"{robot_ip}:{port}"
        self._tool, self._move_timeout = tool, move_timeout
        self._stop = threading.Event()
        self._server = xmlrpc.client.ServerProxy(
            f"http://{self._address}", transport=_Transport(call_timeout)
        )
        self.width()

    def move(self, width: float, force: float) -> float:
        """Open or close to ``width`` m with at most ``force`` N; returns the width reached, m."""
        require(
            0.0 <= width <= MAX_WIDTH + _WIDTH_SLACK,
            f"gripper width is {width:g} m; allowed: 0 … {MAX_WIDTH:g} m",
            ErrorCode.MOTION_REJECTED,
        )
        require(
            MIN_FORCE <= force <= MAX_FORCE,
            f"gripper force is {force:g} N; allowed: {MIN_FORCE:g} … {MAX_FORCE:g} N",
            ErrorCode.MOTION_REJECTED,
        )
        self._stop.clear()
        millimetres = min(float(width) * 1000, MAX_WIDTH * 1000)
        refused = self._call("rg_grip", millimetres, float(force))
        require(
            refused == 0,
            f"the gripper at {self._address} refused to move (status {refused})",
            ErrorCode.MOTION_REJECTED,
        )
        self._wait()
        return self.width()

    def width(self) -> float:
        """Distance between the fingertips, m."""
        return float(self._call("rg_get_width")) / 1000

    def is_holding(self) -> bool:
        """Whether the fingers were stopped by an object rather than by their target."""
        return bool(self._call("rg_get_grip_detected"))

    def stop(self) -> None:
        """End a move in progress where the fingers are; it raises CANCELLED."""
        self._stop.set()

    def _wait(self) -> None:
        """Wait for the end of a movement."""
        deadline = time.monotonic() + self._move_timeout
        while self._call("rg_get_busy"):
            if self._stop.is_set():
                self._call("rg_stop")
                raise VpgError(ErrorCode.CANCELLED, "the gripper was stopped on its way")
            if time.monotonic() > deadline:
                self._call("rg_stop")
                raise VpgError(
                    ErrorCode.MOTION_TIMEOUT,
                    f"the gripper at {self._address} still moved after {self._move_timeout:g} s",
                )
            time.sleep(_POLL)

    def _call(self, name: str, *arguments: float) -> Any:
        try:
            return getattr(self._server, name)(self._tool, *arguments)
        except _NO_ANSWER as error:
            raise VpgError(
                ErrorCode.GRIPPER_NO_ANSWER,
                f"the RG2 gripper does not answer at {self._address}: {_reason(error)}",
            ) from None


class _Transport(xmlrpc.client.Transport):
    """XML-RPC transport whose connections give up after ``timeout`` s."""

    def __init__(self, timeout: float) -> None:
        super().__init__()
        self._timeout = timeout

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        """See the base class."""
        connection = super().make_connection(host)
        connection.timeout = self._timeout
        return connection


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, xmlrpc.client.Fault):
        return str(error.faultString)
    return getattr(error, "strerror", None) or str(error)
