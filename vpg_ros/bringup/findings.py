"""Checks that run side by side, each of which ends in one finding by a common deadline."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from vpg_ros.errors import VpgError


@dataclass(frozen=True)
class Finding:
    """One line: what was checked, how it is, what was found, and what to do about it."""

    check: str
    level: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Check:
    """Something to find out. advice: what to do when ``run`` raises a VpgError or is not done."""

    name: str
    run: Callable[[], Finding]
    advice: str


def run_all(checks: Sequence[Check], deadline: float) -> list[Finding]:
    """The findings in the order of ``checks``; one that is late has failed.

    deadline: on the monotonic clock, s. A check that hangs is left behind in its thread.
    """
    found: dict[str, Finding] = {}
    threads = [_start(check, found) for check in checks]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [
        found.get(check.name) or Finding(check.name, "fail", "no answer in time", check.advice)
        for check in checks
    ]


def _start(check: Check, found: dict[str, Finding]) -> threading.Thread:
    def work() -> None:
        try:
            found[check.name] = check.run()
        except VpgError as error:
            found[check.name] = Finding(check.name, "fail", error.message, check.advice)
        except Exception as error:  # a defect in one check leaves the others their say
            sentence = f"the check failed: {type(error).__name__}: {error}"
            found[check.name] = Finding(check.name, "fail", sentence, check.advice)

    thread = threading.Thread(target=work, name=check.name, daemon=True)
    thread.start()
    return thread
