"""The process that holds ``ur_rtde``'s control interface; started and killed by ``UrLink``.

The interface reconnects by itself when its connection is cut, without a lock between its threads,
and then crashes its process more often than not; and its calls may poll a dead state for 300 s. In
a process of its own it can do neither harm. Requests and answers are lines of JSON on a socket:
``[method, arguments]`` → ``{"result": …}`` or ``{"error": sentence}``; the first answer tells
whether the connection was made. An empty line is the driver's sign of life, which is passed on to
the controller's watchdog: a driver that lives but is frozen guards nothing, and must not look well.
"""

import json
import os
import queue
import signal
import socket
import sys
import threading
from typing import Any, TextIO

CONNECT_TIMEOUT = 15  # s after which a constructor that still hangs ends the process
_KICK = 0.1  # s between signs of life to the controller's watchdog
_Requests = queue.SimpleQueue[tuple[str, list[Any]]]


def main(robot_ip: str, descriptor: int) -> None:
    """Serve the socket ``descriptor`` until the other end closes it."""
    stream = socket.socket(fileno=descriptor).makefile("rw")
    # A signal, because the constructor lets no other thread of this process run.
    signal.alarm(CONNECT_TIMEOUT)
    try:
        from rtde_control import RTDEControlInterface

        control = RTDEControlInterface(robot_ip)
    except Exception as error:
        _answer(stream, {"error": str(error)})
        os._exit(1)
    signal.alarm(0)
    _answer(stream, {"result": True})
    requests, beaten = _Requests(), threading.Event()
    threading.Thread(target=_read, args=(stream, requests, beaten), daemon=True).start()
    try:
        while True:
            _serve(control, stream, requests, beaten)
    finally:
        os._exit(1)


def _read(stream: TextIO, requests: _Requests, beaten: threading.Event) -> None:
    """Pass requests and signs of life on; end the process when there can be no more.

    Whatever it is doing, and however the other end went: killed before it has read an answer, that
    leaves no end of file but an error. A process left over would clear the registers that its
    successor writes commands to.
    """
    try:
        for line in stream:
            if line == "\n":
                beaten.set()
            else:
                requests.put(tuple(json.loads(line)))
    finally:
        os._exit(0)


def _serve(control: Any, stream: TextIO, requests: _Requests, beaten: threading.Event) -> None:
    """Carry out the next request, or pass on a sign of life since the last.

    There is no age at which a sign is too old: the controller's own patience is the only one, so
    that a driver held up by a busy machine has all of it.
    """
    try:
        method, arguments = requests.get(timeout=_KICK)
    except queue.Empty:
        if beaten.is_set() and control.isProgramRunning():
            beaten.clear()
            control.kickWatchdog()
        return
    try:
        answer = {"result": getattr(control, method)(*arguments)}
    except Exception as error:
        answer = {"error": str(error)}
    _answer(stream, answer)


def _answer(stream: TextIO, answer: dict[str, Any]) -> None:
    stream.write(json.dumps(answer) + "\n")
    stream.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
