"""Whether a UR controller sends data on its RTDE port, found out without the client library.

The constructors of ``ur_rtde`` hold Python's global lock until the first sample comes, and wait for
ever where an answer before it does not. This asks as they do, but with a deadline: protocol
version, one variable, start. A connection that only reads takes nothing that another one could
need. See Universal Robots'
"Real-Time Data Exchange (RTDE) guide": a frame is uint16 size (its three header bytes included),
uint8 type, payload; big-endian.
"""

import socket
import struct
import time

PORT = 30004
_HEADER = struct.Struct(">HB")
_FREQUENCY = 125.0  # Hz, which controllers of both series can
_VERSION, _OUTPUTS, _START, _DATA = b"VOSU"
_TEXT = ord("M")  # a controller may send messages at any time
_REQUESTS = (
    (_VERSION, struct.pack(">H", 2), _VERSION),
    (_OUTPUTS, struct.pack(">d", _FREQUENCY) + b"timestamp", _OUTPUTS),
    (_START, b"", _START),
)


def probe(robot_ip: str, timeout: float) -> None:
    """Raise OSError, with the reason, unless a sample comes within ``timeout`` s."""
    deadline = time.monotonic() + timeout
    with socket.create_connection((robot_ip, PORT), timeout) as connection:
        for kind, payload, answer in _REQUESTS:
            connection.sendall(_HEADER.pack(_HEADER.size + len(payload), kind) + payload)
            _await(connection, answer, deadline)
        _await(connection, _DATA, deadline)


def _await(connection: socket.socket, wanted: int, deadline: float) -> None:
    """Read the next frame, which must be of type ``wanted``, past messages."""
    kind = _TEXT
    while kind == _TEXT:
        size, kind = _HEADER.unpack(_read(connection, _HEADER.size, deadline))
        if kind not in (wanted, _TEXT) or size < _HEADER.size:
            raise OSError("it does not speak RTDE")
        _read(connection, size - _HEADER.size, deadline)


def _read(connection: socket.socket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            part = connection.recv(size - len(data))
        except TimeoutError:
            raise OSError("it sends no data") from None
        if not part:
            raise OSError("it closed the connection")
        data += part
    return data
