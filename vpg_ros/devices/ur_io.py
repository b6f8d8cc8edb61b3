"""The process that holds ``ur_rtde``'s interfaces to a controller's digital inputs and outputs.

Started and killed by :class:`vpg_ros.devices.child.ChildProcess`. Methods: ``set`` (bank, output,
level) → whether it was sent; ``read`` (s to wait at most) → [controller time, input bits, output
bits], newer than the request.
"""

import json
import os
import signal
import socket
import sys
import time
from typing import Any, TextIO

CONNECT_TIMEOUT = 5  # s after which a constructor that still hangs ends the process
_VARIABLES = ["timestamp", "actual_digital_input_bits", "actual_digital_output_bits"]
_SETTERS = {
    "standard": "setStandardDigitalOut",
    "configurable": "setConfigurableDigitalOut",
    "tool": "setToolDigitalOut",
}


def main(robot_ip: str, descriptor: int) -> None:
    """Serve the socket ``descriptor`` until the other end closes it."""
    stream = socket.socket(fileno=descriptor).makefile("rw")
    # A signal, because the constructors let no other thread of this process run.
    signal.alarm(CONNECT_TIMEOUT)
    try:
        from rtde_io import RTDEIOInterface
        from rtde_receive import RTDEReceiveInterface

        outputs, receive = RTDEIOInterface(robot_ip), RTDEReceiveInterface(robot_ip, -1, _VARIABLES)
    except Exception as error:
        _answer(stream, {"error": str(error).strip()})
        os._exit(1)
    signal.alarm(0)
    _answer(stream, {"result": True})
    try:
        for line in stream:
            _serve(outputs, receive, stream, line)
    finally:
        os._exit(0)  # however the other end went; the library's own threads would hold it back


def _serve(outputs: Any, receive: Any, stream: TextIO, line: str) -> None:
    method, arguments = json.loads(line)
    try:
        call = _set if method == "set" else _read
        _answer(stream, {"result": call(outputs, receive, *arguments)})
    except Exception as error:
        _answer(stream, {"error": str(error).strip()})


def _set(outputs: Any, receive: Any, bank: str, output: int, level: bool) -> bool:
    if not receive.isConnected():
        raise ConnectionError("the controller closed the connection")
    return bool(getattr(outputs, _SETTERS[bank])(output, level))


def _read(outputs: Any, receive: Any, timeout: float) -> list[float]:
    """A sample newer than this call: the library goes on giving the last one for ever."""
    before, deadline = receive.getTimestamp(), time.monotonic() + timeout
    while receive.getTimestamp() == before:
        if not receive.isConnected():
            raise ConnectionError("the controller closed the connection")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the controller's clock has stood still for {timeout:g} s")
        time.sleep(0.002)
    return [
        receive.getTimestamp(),
        receive.getActualDigitalInputBits(),
        receive.getActualDigitalOutputBits(),
    ]


def _answer(stream: TextIO, answer: dict[str, Any]) -> None:
    stream.write(json.dumps(answer) + "\n")
    stream.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
