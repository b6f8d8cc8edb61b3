"""The RTDE port (30004): wire protocol version 2, and one session a client.

A frame is uint16 size (its three header bytes included), uint8 type, payload; big-endian. See
Universal Robots' "Real-Time Data Exchange (RTDE) guide".
"""

import asyncio
import logging
import struct
import time
from collections.abc import Callable

from vpg_ros.sim.controller.outputs import Outputs
from vpg_ros.sim.controller.recipes import INPUT_TYPES, OUTPUT_TYPES, Recipe

_log = logging.getLogger(__name__)
PORT = 30004
_HEADER = struct.Struct(">HB")
_NEGOTIATE, _VERSION = ord("V"), ord("v")
_OUTPUT_SETUP, _INPUT_SETUP = ord("O"), ord("I")
_START, _PAUSE, _DATA = ord("S"), ord("P"), ord("U")
_ACCEPTED = b"\x01"
# Simulated faster than real time, clients cannot use more samples than this lets through.
_LEAST_INTERVAL = 0.003  # s of wall time
# A client that reads nothing for this long loses frames instead of filling memory.
_MOST_UNSENT = 64 * 1024

# Takes (variable, values) that a client has written.
Write = Callable[[str, tuple[float, ...]], None]


class Session:
    """One connection: its recipes, and whether and when it is sent data.

    written: names of the inputs that are its own, one client's each.
    """

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        version: tuple[int, ...],
        outputs: Outputs,
        write: Write,
        used: Callable[[], set[str]],
    ) -> None:
        self._writer, self._version, self._write = writer, version, write
        self.written, self._used = set[str](), used
        self._outputs = outputs
        self._inputs: list[Recipe] = []
        self._recipe: Recipe | None = None
        self._packer = struct.Struct("")
        self._period = 0.0
        self._started = False
        self._next_time, self._next_wall = 0.0, 0.0
        self._handshake: tuple[int, ...] = ()

    def handle(self, kind: int, payload: bytes) -> None:
        """Answer one frame of the client."""
        if kind == _NEGOTIATE:
            self._send(kind, _ACCEPTED)
        elif kind == _VERSION:
            self._send(kind, struct.pack(">4I", *self._version))
        elif kind == _OUTPUT_SETUP:
            self._set_up_outputs(payload)
        elif kind == _INPUT_SETUP:
            self._set_up_inputs(payload)
        elif kind in (_START, _PAUSE):
            self._started = kind == _START and self._recipe is not None
            self._send(kind, _ACCEPTED)
        elif kind == _DATA:
            self._take(payload)
        else:
            _log.warning("RTDE frame of unknown type %d ignored", kind)

    def publish(self, at_once: bool = False) -> None:
        """Send a sample, at the rate asked for, or at once when the handshake has changed."""
        if self._recipe is None or not self._started or not (self._is_due() or at_once):
            return
        transport = self._writer.transport
        if not transport.is_closing() and transport.get_write_buffer_size() < _MOST_UNSENT:
            values = self._recipe.flatten(self._outputs)
            self._send(_DATA, b"\x01" + self._packer.pack(*values))

    def abort(self) -> None:
        """Cut the connection."""
        self._writer.transport.abort()

    def _is_due(self) -> bool:
        """By simulated time, but no oftener than asked for by wall time either."""
        outputs = self._outputs
        now, wall = float(outputs["timestamp"]), time.monotonic()  # type: ignore[arg-type]
        changed = outputs.handshake != self._handshake
        if not changed and (now < self._next_time or wall < self._next_wall):
            return False
        self._handshake = outputs.handshake
        self._next_time = now + 0.9 * self._period
        self._next_wall = wall + max(0.5 * self._period, _LEAST_INTERVAL)
        return True

    def _set_up_outputs(self, payload: bytes) -> None:
        (frequency,) = struct.unpack(">d", payload[:8])
        recipe = Recipe.parse(payload[8:].decode(), OUTPUT_TYPES)
        self._period = 1.0 / max(frequency, 1.0)
        if recipe.valid:
            self._recipe, self._packer = recipe, recipe.packer()
        self._send(_OUTPUT_SETUP, b"\x01" + ",".join(recipe.types).encode())

    def _set_up_inputs(self, payload: bytes) -> None:
        recipe = Recipe.parse(payload.decode(), INPUT_TYPES, self._used() - self.written)
        if recipe.valid:
            self._inputs.append(recipe)
            self.written.update(recipe.names)
        number = len(self._inputs) if recipe.valid else 0
        self._send(_INPUT_SETUP, bytes([number]) + ",".join(recipe.types).encode())

    def _take(self, payload: bytes) -> None:
        number = payload[0] if payload else 0
        if not 1 <= number <= len(self._inputs):
            _log.warning("RTDE data for recipe %d, which was never set up, ignored", number)
            return
        for name, values in self._inputs[number - 1].unpack(payload[1:]).items():
            self._write(name, values)

    def _send(self, kind: int, payload: bytes) -> None:
        self._writer.write(_HEADER.pack(_HEADER.size + len(payload), kind) + payload)


class RtdeServer:
    """All sessions.

    held: keep connections open but send nothing, as a controller whose network has gone silent.
    """

    def __init__(self, version: tuple[int, ...], outputs: Outputs, write: Write) -> None:
        self._version, self._outputs, self._write = version, outputs, write
        self._sessions: set[Session] = set()
        self.held = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it goes."""
        session = Session(writer, self._version, self._outputs, self._write, self._used)
        self._sessions.add(session)
        try:
            while True:
                size, kind = _HEADER.unpack(await reader.readexactly(_HEADER.size))
                payload = await reader.readexactly(size - _HEADER.size)
                session.handle(kind, payload)
                if kind == _START and not self.held:
                    # The client waits for its first sample with its whole process, and the world
                    # may rest.
                    session.publish(at_once=True)
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, struct.error):
            pass  # the client has gone, or does not speak RTDE
        finally:
            self._sessions.discard(session)
            session.abort()

    def _used(self) -> set[str]:
        """Names of the inputs that clients write."""
        return {name for session in self._sessions for name in session.written}

    def publish(self, at_once: bool = False) -> None:
        """Send every client its sample of the present cycle."""
        self._outputs.next_cycle()
        if not self.held:
            for session in self._sessions:
                session.publish(at_once)
