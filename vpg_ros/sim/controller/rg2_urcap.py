"""The RG2 gripper's URCap: the XML-RPC calls it answers on port 41414."""

import asyncio
from xml.parsers.expat import ExpatError
from xmlrpc.client import Fault, dumps, loads

from vpg_ros.devices.gripper_data import RG2
from vpg_ros.sim.controller.gripper import GripperDevice, GripperModel

_SUCCESS, _REFUSED = 0, 1


class GripperCalls:
    """The URCap's procedures, with its units: mm and N; ``tool`` is the gripper's number."""

    def __init__(self, model: GripperModel) -> None:
        self._model = model

    def rg_grip(self, tool: int, width: float, force: float) -> int:
        """Start a movement to ``width`` mm, unless one is under way; 0 when it was accepted."""
        if not (isinstance(width, float) and isinstance(force, float)):
            raise TypeError("rg_grip takes doubles for width and force")
        if not (0.0 <= width <= RG2.stroke * 1000 and RG2.min_force <= force <= RG2.max_force):
            return _REFUSED
        if not self._model.busy:
            self._model.grip(width / 1000, force)
        return _SUCCESS

    def rg_stop(self, tool: int) -> int:
        """Stop the movement."""
        self._model.stop()
        return _SUCCESS

    def rg_get_width(self, tool: int) -> float:
        """Width between the fingertips, mm."""
        return self._model.width * 1000

    def rg_get_busy(self, tool: int) -> bool:
        """Whether a movement is under way."""
        return self._model.busy

    def rg_get_grip_detected(self, tool: int) -> bool:
        """Whether the fingers hold something."""
        return self._model.holding

    def rg_get_status(self, tool: int) -> int:
        """Bit 0 busy, bit 1 grip detected."""
        return int(self.rg_get_busy(tool)) | int(self.rg_get_grip_detected(tool)) << 1


class UrCap(GripperDevice):
    """XML-RPC over HTTP on the controller's event loop, where no call can meet another."""

    PORT = 41414

    def __init__(self, model: GripperModel) -> None:
        super().__init__(model)
        self._calls = GripperCalls(model)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until the client closes it."""
        while (body := await _read_request(reader)) is not None:
            if self.muted:
                continue
            answer = self._answer(body).encode()
            head = (
                "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
                f"Content-Length: {len(answer)}\r\n\r\n"
            )
            writer.write(head.encode() + answer)

    def _answer(self, body: bytes) -> str:
        try:
            arguments, name = loads(body)
            if name is None or not name.startswith("rg_") or not hasattr(self._calls, name):
                return dumps(Fault(1, f"no procedure {name}"))
            return dumps((getattr(self._calls, name)(*arguments),), methodresponse=True)
        except (ExpatError, TypeError, Fault) as error:
            return dumps(Fault(1, str(error)))


async def _read_request(reader: asyncio.StreamReader) -> bytes | None:
    """The body of the next HTTP request; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [
            line.split(b":")[1]
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ]
        return await reader.readexactly(int(lengths[0]))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError):
        return None
