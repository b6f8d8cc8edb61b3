"""OnRobot's Compute Box with an RG2: Modbus TCP.

A real one answers on port 502, which is not for everybody to open; this one on 1502.
"""

import asyncio

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteMultipleRegistersResponse,
)

from vpg_ros.sim.controller.gripper import GripperDevice, GripperModel

_UNIT = 65
_FORCE, _WIDTH, _ORDER = range(3)  # registers to write
_FINGERTIP_OFFSET, _STATUS = 258, 268  # registers to read
_WIDTH_BETWEEN_FINGERS, _WIDTH_BETWEEN_TIPS = 267, 275
_GRIP, _STOP, _GRIP_BETWEEN_TIPS = 1, 8, 16


class ComputeBox(GripperDevice):
    """Reads and writes of the holding registers of unit 65."""

    PORT = 1502

    def __init__(self, model: GripperModel) -> None:
        super().__init__(model)
        self._written = {_FORCE: 0, _WIDTH: 0, _ORDER: 0}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See the base class."""
        framer, data = FramerSocket(DecodePDU(True)), b""
        while part := await reader.read(1024):
            data += part
            try:
                used, request = framer.handleFrame(data, 0, 0)
            except ModbusException:
                return
            data = data[used:]
            if request is not None and not self.muted:
                answer = self._answer(request)
                answer.dev_id, answer.transaction_id = request.dev_id, request.transaction_id
                writer.write(framer.buildFrame(answer))

    def _answer(self, request: ModbusPDU) -> ModbusPDU:
        if request.dev_id != _UNIT:
            return ExceptionResponse(request.function_code, ExcCodes.GATEWAY_NO_RESPONSE)
        if isinstance(request, ReadHoldingRegistersRequest):
            return self._read(request)
        if isinstance(request, WriteMultipleRegistersRequest):
            return self._write(request)
        return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_FUNCTION)

    def _read(self, request: ReadHoldingRegistersRequest) -> ModbusPDU:
        known = self._registers()
        wanted = range(request.address, request.address + request.count)
        if not all(register in known for register in wanted):
            return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_ADDRESS)
        return ReadHoldingRegistersResponse(registers=[known[register] for register in wanted])

    def _registers(self) -> dict[int, int]:
        model = self._model
        width = round(model.width * 10_000)
        status = int(model.busy) | int(model.holding) << 1
        return {
            _FINGERTIP_OFFSET: 0,
            _WIDTH_BETWEEN_FINGERS: width,
            _STATUS: status,
            _WIDTH_BETWEEN_TIPS: width,
        }

    def _write(self, request: WriteMultipleRegistersRequest) -> ModbusPDU:
        registers = dict(enumerate(request.registers, request.address))
        if not registers.keys() <= self._written.keys():
            return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_ADDRESS)
        self._written |= registers
        if _ORDER in registers and not self._obey(registers[_ORDER]):
            return ExceptionResponse(request.function_code, ExcCodes.ILLEGAL_VALUE)
        return WriteMultipleRegistersResponse(address=request.address, count=len(registers))

    def _obey(self, order: int) -> bool:
        """Carry out an order, which a gripper that is busy ignores; whether it is one."""
        model = self._model
        width, force = self._written[_WIDTH] / 10_000, self._written[_FORCE] / 10
        if order == _STOP:
            model.stop()
        elif order not in (_GRIP, _GRIP_BETWEEN_TIPS):
            return False
        elif width <= model.data.stroke and force <= model.data.max_force:
            if not model.busy:
                model.grip(width, force)
        else:
            return False
        return True
