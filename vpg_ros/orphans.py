"""Processes that do not outlive the one that started them (Linux)."""

import ctypes
import os
import signal
import sys

PARENT_VARIABLE = "VPG_PARENT_PID"  # set by the bring-up for its children
_PR_SET_PDEATHSIG = 1


def die_with_parent(number: signal.Signals, parent: int) -> None:
    """Have the kernel send signal ``number`` when the process ``parent`` is gone.

    Exits at once when it is gone already. Where the kernel is not Linux, does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        sys.exit(f"vpg_ros: process {parent}, which started this one, is gone")


def die_with_bringup() -> None:
    """End in an orderly way when the bring-up is gone, if it is one that started this process."""
    parent = os.environ.get(PARENT_VARIABLE)
    if parent is not None:
        die_with_parent(signal.SIGTERM, int(parent))
