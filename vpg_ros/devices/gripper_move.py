"""What the drivers of all grippers share: waiting for the fingers, and saying that none answers."""

import threading
import time
from collections.abc import Callable
from typing import NoReturn

from vpg_ros.errors import ErrorCode, VpgError

_POLL = 0.02  # s


def wait_for_fingers(
    name: str,
    moving: Callable[[], bool],
    halt: Callable[[], object],
    stop: threading.Event,
    timeout: float,
    what: str = "movement",
) -> None:
    """Wait until ``moving()`` is false.

    Halts the fingers and raises CANCELLED when ``stop`` is set, MOTION_TIMEOUT after ``timeout`` s
    of wall time. name: of the gripper, with its address. what: is waited for, in words.
    """
    deadline = time.monotonic() + timeout
    while moving():
        if stop.is_set():
            halt()
            raise VpgError(ErrorCode.CANCELLED, "the gripper was stopped on its way")
        if time.monotonic() > deadline:
            halt()
            raise VpgError(
                ErrorCode.MOTION_TIMEOUT, f"the {name} did not end its {what} within {timeout:g} s"
            )
        time.sleep(_POLL)


def no_answer(name: str, reason: str, check: str) -> NoReturn:
    """Raise GRIPPER_NO_ANSWER. name: of the gripper, with its address. check: what to look at."""
    sentence = f"the {name} does not answer: {reason}; check {check}"
    raise VpgError(ErrorCode.GRIPPER_NO_ANSWER, sentence) from None


def reason_of(error: Exception) -> str:
    """Why the network failed, in a few words."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
