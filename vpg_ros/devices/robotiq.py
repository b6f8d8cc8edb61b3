"""Robotiq 2F-85 and Hand-E grippers through their URCap: text on port 63352 of the controller.

Variables and their meaning are those of Robotiq's instruction manuals ("Control": ACT, GTO, ATR,
POS, SPE, FOR, STA, OBJ, FLT). One request at a time: ``GET VAR`` is answered by ``VAR value``, and
``SET VAR value …`` by ``ack``.
"""

import contextlib
import socket
import threading
import time
from dataclasses import dataclass
from typing import NoReturn

from vpg_ros.devices.gripper_data import ROBOTIQ_2F85, ROBOTIQ_HANDE, GripperData
from vpg_ros.devices.gripper_move import no_answer, reason_of, wait_for_fingers
from vpg_ros.errors import ErrorCode, require

PORT = 63352
FULL = 255  # of positions, speeds and forces
ACTIVE = 3  # STA
MOVING, STOPPED_OPENING, STOPPED_CLOSING, ARRIVED = range(4)  # OBJ
_TOUCHING = 0.0015  # m that may be read between fingertips that touch each other
_MINOR_FAULT = 5  # FLT from which on the gripper does not move
_ACTIVATION_TIMEOUT = 20.0  # s: it opens and closes once
_CHECK = "the robot's address, the gripper's power, and that Robotiq's URCap is installed"
_FAULTS = {
    5: "the activation must be completed first",
    7: "it is not activated",
    8: "it is too hot",
    9: "it has lost its connection to the controller",
    10: "its supply is below 21.6 V",
    11: "its emergency release is under way",
    12: "it has an internal fault",
    13: "its activation failed: something is between the fingers",
    14: "its current is too high",
    15: "its emergency release is over; it must be activated again",
}


@dataclass(frozen=True)
class RobotiqModel:
    """One of Robotiq's parallel grippers.

    open_count, closed_count: position that is read with the fingers fully open, and touching each
    other; in between, the width is taken as linear.
    """

    name: str
    data: GripperData
    open_count: int
    closed_count: int

    def count(self, width: float) -> int:
        """The position to ask for; the ends ask for the whole way."""
        if width <= 0.0:
            return FULL
        if width >= self.data.stroke:
            return 0
        span = self.closed_count - self.open_count
        return round(self.closed_count - span * width / self.data.stroke)

    def width(self, count: int) -> float:
        """The width (m) at a position that was read."""
        open_share = (self.closed_count - count) / (self.closed_count - self.open_count)
        return self.data.stroke * min(max(open_share, 0.0), 1.0)

    def force(self, force: float) -> int:
        """The force setting that gives at most ``force`` N."""
        data = self.data
        return int(FULL * (force - data.min_force) / (data.max_force - data.min_force))


TWO_FINGER_85 = RobotiqModel("Robotiq 2F-85", ROBOTIQ_2F85, open_count=3, closed_count=228)
HAND_E = RobotiqModel("Robotiq Hand-E", ROBOTIQ_HANDE, open_count=0, closed_count=255)


class Robotiq:
    """A parallel gripper; see :class:`vpg_ros.devices.interfaces.Gripper`.

    robot_ip: address of the controller the URCap runs on. call_timeout: s of wall time for one
    answer. move_timeout: s of wall time for one movement.

    Raises GRIPPER_NO_ANSWER when nothing answers at ``robot_ip``; every call makes a new connection
    where the last has broken. A gripper that has lost its power is activated by the next movement:
    it then opens and closes once. Not for two threads at once, but for ``stop``.
    """

    def __init__(
        self,
        robot_ip: str,
        model: RobotiqModel = TWO_FINGER_85,
        call_timeout: float = 2.0,
        move_timeout: float = 10.0,
        port: int = PORT,
    ) -> None:
        self._model, self._address = model, (robot_ip, port)
        self._name = f"{model.name} gripper at {robot_ip}:{port}"
        self._call_timeout, self._move_timeout = call_timeout, move_timeout
        self._stop = threading.Event()
        self._socket: socket.socket | None = None
        self._activate()

    def move(self, width: float, force: float) -> float:
        """Open or close to ``width`` m with at most ``force`` N; returns the width reached, m."""
        self._model.data.check(width, force)
        self._stop.clear()
        self._activate()
        count = self._model.count(width)
        self._set(POS=count, SPE=FULL, FOR=self._model.force(force), GTO=1)

        def moving() -> bool:
            return self._get("PRE") != count or self._get("OBJ") == MOVING

        wait_for_fingers(self._name, moving, self._halt, self._stop, self._move_timeout)
        self._check_faults()
        return self.width()

    def width(self) -> float:
        """Distance between the fingertips, m."""
        return self._model.width(self._get("POS"))

    def is_holding(self) -> bool:
        """Whether the fingers were stopped by an object rather than by their target."""
        stopped = self._get("OBJ") in (STOPPED_OPENING, STOPPED_CLOSING)
        return stopped and self.width() > _TOUCHING

    def stop(self) -> None:
        """End a move in progress where the fingers are; it raises CANCELLED."""
        self._stop.set()

    def close(self) -> None:
        """Disconnect; the gripper stays as it is."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _halt(self) -> None:
        self._set(GTO=0)

    def _activate(self) -> None:
        """Have the gripper active; one that is not opens and closes once."""
        if self._get("STA") == ACTIVE:
            self._check_faults()
            return
        self._set(ACT=0)
        self._set(ATR=0)
        self._until("STA", 0)
        self._set(ACT=1)
        self._until("STA", ACTIVE)
        self._check_faults()

    def _until(self, variable: str, value: int) -> None:
        """Wait for a step of the activation."""
        wait_for_fingers(
            self._name,
            lambda: self._get(variable) != value,
            lambda: None,
            self._stop,
            _ACTIVATION_TIMEOUT,
            "activation",
        )

    def _check_faults(self) -> None:
        fault = self._get("FLT")
        require(
            fault < _MINOR_FAULT,
            f"the {self._name} reports fault {fault}: {_FAULTS.get(fault, 'see its manual')}",
            ErrorCode.MOTION_REJECTED,
        )

    def _get(self, variable: str) -> int:
        """The value of a variable."""
        words = self._ask(f"GET {variable}\n", "\n").split()
        if len(words) != 2 or words[0] != variable:
            self._fail(f"it answers {' '.join(words)!r} to GET {variable}")
        if not words[1].isdigit():
            self._fail(f"{variable} is unknown to the controller, as in an emergency stop")
        return int(words[1])

    def _set(self, **values: int) -> None:
        """Set variables, all at once."""
        text = " ".join(f"{name} {value}" for name, value in values.items())
        answer = self._ask(f"SET {text}\n", "ack")
        if answer.strip() != "ack":
            self._fail(f"it answers {answer.strip()!r} to SET {text}")

    def _ask(self, request: str, end: str) -> str:
        """One request; its answer, which stops with ``end``."""
        deadline = time.monotonic() + self._call_timeout
        try:
            connection = self._connection()
            connection.sendall(request.encode())
            answer = b""
            while not answer.endswith(end.encode()):
                connection.settimeout(max(deadline - time.monotonic(), 1e-3))
                part = connection.recv(1024)
                if not part:
                    raise ConnectionResetError("it closed the connection")
                answer += part
        except OSError as error:
            self._fail(reason_of(error))
        return answer.decode(errors="replace")

    def _connection(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, self._call_timeout)
        self._socket.settimeout(self._call_timeout)
        return self._socket

    def _fail(self, reason: str) -> NoReturn:
        """Drop the connection, so that no late answer is taken for the next one's; raise."""
        self.close()
        no_answer(self._name, reason, _CHECK)
