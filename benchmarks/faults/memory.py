"""Resident memory of processes (Linux)."""

from collections.abc import Mapping
from pathlib import Path

_PAGE = 4096


def resident(pid: int) -> int:
    """Bytes of a process and of its children; 0 for one that is gone."""
    try:
        pages = _pages(pid)[1]
        threads = Path(f"/proc/{pid}/task").glob("*/children")
        children = [int(child) for thread in threads for child in thread.read_text().split()]
    except (OSError, IndexError):
        return 0
    return pages * _PAGE + sum(resident(child) for child in children)


def address_space(pid: int) -> int:
    """Bytes of address space of a process, what is not resident included."""
    return _pages(pid)[0] * _PAGE


def _pages(pid: int) -> list[int]:
    """Pages of address space, of resident memory, and more; see proc(5)."""
    return [int(count) for count in Path(f"/proc/{pid}/statm").read_text().split()]


def growth(early: Mapping[str, int], late: Mapping[str, int]) -> dict[str, float]:
    """Name → by which share it has grown; of those that were there at both times."""
    both = [name for name in early if early[name] and late.get(name)]
    return {name: round(late[name] / early[name] - 1.0, 4) for name in both}
