"""OnRobot RG2 gripper through its URCap: XML-RPC on port 41414 of the robot controller."""

import http.client
import xmlrpc.client
from typing import Any
from xml.parsers.expat import ExpatError

from vpg_ros.devices.gripper_move import no_answer, reason_of
from vpg_ros.devices.onrobot_move import OnRobotGripper
from vpg_ros.errors import ErrorCode, require

PORT = 41414
_NO_ANSWER = (OSError, http.client.HTTPException, xmlrpc.client.Error, ExpatError)
_CHECK = "the robot's address, the gripper's power, and that OnRobot's URCap is installed"


class RG2(OnRobotGripper):
    """A parallel gripper; see :class:`vpg_ros.devices.interfaces.Gripper`.

    robot_ip: address of the controller the URCap runs on. tool: the gripper's number there.
    call_timeout: s of wall time for one answer. move_timeout: s of wall time for one movement.

    Raises GRIPPER_NO_ANSWER when nothing answers at ``robot_ip``; every call makes a new connection
    where the last has broken. Not for two threads at once, but for ``stop``.
    """

    def __init__(
        self,
        robot_ip: str,
        tool: int = 0,
        call_timeout: float = 2.0,
        move_timeout: float = 10.0,
        port: int = PORT,
    ) -> None:
        address = f"{robot_ip}:{port}"
        super().__init__(f"RG2 gripper at {address}", move_timeout)
        self._tool = tool
        self._server = xmlrpc.client.ServerProxy(
            f"http://{address}", transport=_Transport(call_timeout)
        )
        self.width()

    def width(self) -> float:
        """Distance between the fingertips, m."""
        return float(self._call("rg_get_width")) / 1000

    def is_holding(self) -> bool:
        """Whether the fingers were stopped by an object rather than by their target."""
        return bool(self._call("rg_get_grip_detected"))

    def close(self) -> None:
        """Disconnect; the gripper stays as it is."""
        self._server("close")()

    def _order(self, width: float, force: float) -> None:
        refused = self._call("rg_grip", width * 1000, float(force))
        require(
            refused == 0,
            f"the {self._name} refused to move (status {refused})",
            ErrorCode.MOTION_REJECTED,
        )

    def _is_busy(self) -> bool:
        return bool(self._call("rg_get_busy"))

    def _halt(self) -> None:
        self._call("rg_stop")

    def _call(self, name: str, *arguments: float) -> Any:
        try:
            return getattr(self._server, name)(self._tool, *arguments)
        except _NO_ANSWER as error:
            no_answer(self._name, _reason(error), _CHECK)


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
    if isinstance(error, xmlrpc.client.Fault):
        return str(error.faultString)
    return reason_of(error)
