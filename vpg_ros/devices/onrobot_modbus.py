"""OnRobot RG2 gripper through its Compute Box: Modbus TCP, unit 65 of port 502.

Registers as in OnRobot's "Connectivity guide" (Modbus TCP, RG2/RG6). Widths are those between the
fingertips, whose offset is set in the Compute Box.
"""

import logging

from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from vpg_ros.devices.gripper_move import no_answer, reason_of
from vpg_ros.devices.onrobot_move import OnRobotGripper
from vpg_ros.errors import ErrorCode, require

PORT = 502
UNIT = 65
# Holding registers: force in 1/10 N, width in 1/10 mm and the order are written together.
TARGET = 0
STATUS, WIDTH = 268, 275
GRIP, STOP = 16, 8  # orders; 16 counts widths from the fingertips
BUSY, GRIP_DETECTED, SAFETY = 0b1, 0b10, 0b1111100  # bits of the status
_TENTHS = 10.0
_TENTHS_OF_MILLIMETRES = 10_000.0
_CHECK = "the Compute Box's address and power, and its cable to the gripper"

# What it logs as errors are our exceptions.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)


class RG2Modbus(OnRobotGripper):
    """A parallel gripper; see :class:`vpg_ros.devices.interfaces.Gripper`.

    address: of the Compute Box. call_timeout: s of wall time for one answer. move_timeout: s of
    wall time for one movement.

    Raises GRIPPER_NO_ANSWER when nothing answers at ``address``; every call makes a new connection
    where the last has broken. Not for two threads at once, but for ``stop``.
    """

    def __init__(
        self,
        address: str,
        port: int = PORT,
        call_timeout: float = 2.0,
        move_timeout: float = 10.0,
    ) -> None:
        super().__init__(f"RG2 gripper's Compute Box at {address}:{port}", move_timeout)
        self._client = ModbusTcpClient(address, port=port, timeout=call_timeout, retries=0)
        self.width()

    def width(self) -> float:
        """Distance between the fingertips, m."""
        return self._read(WIDTH) / _TENTHS_OF_MILLIMETRES

    def is_holding(self) -> bool:
        """Whether the fingers were stopped by an object rather than by their target."""
        return bool(self._read(STATUS) & GRIP_DETECTED)

    def close(self) -> None:
        """Disconnect; the gripper stays as it is."""
        self._client.close()  # type: ignore[no-untyped-call]

    def _order(self, width: float, force: float) -> None:
        status = self._read(STATUS)
        require(
            not status & SAFETY,
            f"the {self._name} will not move: a safety switch has tripped (status {status}); "
            "free the fingers and switch its power off and on",
            ErrorCode.MOTION_REJECTED,
        )
        self._write([int(force * _TENTHS), round(width * _TENTHS_OF_MILLIMETRES), GRIP])

    def _is_busy(self) -> bool:
        return bool(self._read(STATUS) & BUSY)

    def _halt(self) -> None:
        self._write([STOP], TARGET + 2)

    def _read(self, register: int) -> int:
        return self._exchange(register, None)[0]

    def _write(self, values: list[int], register: int = TARGET) -> None:
        self._exchange(register, values)

    def _exchange(self, register: int, values: list[int] | None) -> list[int]:
        """Write ``values`` from ``register`` on, or read it where there are none."""
        client = self._client
        try:
            if not client.connect():  # type: ignore[no-untyped-call]
                no_answer(self._name, "the connection is refused", _CHECK)
            if values is None:
                answer = client.read_holding_registers(register, device_id=UNIT)
            else:
                answer = client.write_registers(register, values, device_id=UNIT)
        except (ModbusException, OSError) as error:
            self.close()  # a late answer must not be taken for the next request's
            no_answer(self._name, _reason(error), _CHECK)
        if answer.isError():
            code = getattr(answer, "exception_code", "unknown")
            no_answer(self._name, f"it refuses register {register} (exception {code})", _CHECK)
        return list(answer.registers)


def _reason(error: Exception) -> str:
    if isinstance(error, ModbusException):
        return "no answer in time, or the connection was cut"
    return reason_of(error)
