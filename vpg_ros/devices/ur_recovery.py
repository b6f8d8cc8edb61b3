"""Ending a protective stop, and a held program, of a UR controller without a hand on its pendant.

The controller refuses that for five seconds, for whoever asks is to look at the cause first (UR
dashboard server, "unlock protective stop"). An emergency stop is never ended from here.
"""

import threading
import time

from vpg_ros.devices.dashboard import Dashboard
from vpg_ros.errors import ErrorCode, VpgError, require

UNLOCK_WAIT = 5.0  # s from the stop on for which the controller refuses
_SPARE = 5.0  # s beyond that for it to have been unlocked
_PERIOD = 0.5  # s between two attempts
SAFEGUARD_ADVICE = "close its guard and reset it"
_NORMAL = ("NORMAL", "REDUCED")


def unlock(robot_ip: str, interrupt: threading.Event) -> None:
    """Unlock the controller at ``robot_ip``; returns when the arm may move.

    Nothing is done where there is no stop. Raises EMERGENCY_STOP, PROTECTIVE_STOP when the
    controller does not let go within 10 s or a guard is open, ARM_UNREACHABLE, and CANCELLED on
    ``interrupt``.
    """
    deadline = time.monotonic() + UNLOCK_WAIT + _SPARE
    with Dashboard(robot_ip) as board:
        while (mode := board.value("safetymode")) not in _NORMAL:
            answer = _release(board, robot_ip, mode)
            if time.monotonic() > deadline:
                sentence = f"the robot at {robot_ip} stays in {mode}: {answer}"
                raise VpgError(ErrorCode.PROTECTIVE_STOP, sentence)
            interrupt.wait(_PERIOD)
            check_wanted(interrupt)


def check_wanted(interrupt: threading.Event) -> None:
    """Raise CANCELLED once a recovery was interrupted."""
    require(not interrupt.is_set(), "the recovery was interrupted", ErrorCode.CANCELLED)


def end_program(robot_ip: str) -> str:
    """End the program on the controller; "" or, in words, why that is left to a person.

    Through the dashboard, because a program that is held takes no commands.
    """
    try:
        with Dashboard(robot_ip) as board:
            answer = board.ask("stop")
    except VpgError as error:
        answer = error.message
    if answer.startswith("Stopped"):
        return ""
    return f"; stop the program on the pendant, or it goes on with its motion ({answer})"


def _release(board: Dashboard, robot_ip: str, mode: str) -> str:
    """Ask for the end of the stop; the controller's answer. Raises what only a person can end."""
    if "EMERGENCY" in mode:
        raise VpgError(
            ErrorCode.EMERGENCY_STOP,
            f"the robot at {robot_ip} is in emergency stop: release the button, power the arm on "
            "and release its brakes, then ask again",
        )
    if "SAFEGUARD" in mode:
        sentence = (
            f"the robot at {robot_ip} is in safeguard stop: {SAFEGUARD_ADVICE}, then ask again"
        )
        raise VpgError(ErrorCode.PROTECTIVE_STOP, sentence)
    board.ask("close safety popup")
    return board.ask("unlock protective stop")
