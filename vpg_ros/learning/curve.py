"""The learning curve as a CSV file, one line an action, readable while training goes on."""

from collections.abc import Iterable
from pathlib import Path

from vpg_ros.atomic import unwritable, write_atomically
from vpg_ros.learning.progress import Step


class Curve:
    """Appends steps to a file that begins with the ``steps`` given, whatever was in it before.

    Beginning anew makes the curve of a resumed training that of one never stopped: what follows
    the last save in the old file belongs to actions that are done again. Raises DISK_FULL.
    """

    def __init__(self, path: Path, steps: Iterable[Step]) -> None:
        self._path = path
        header = ",".join(Step._fields) + "\n"
        write_atomically(path, (header + "".join(map(_line, steps))).encode())

    def add(self, step: Step) -> None:
        """Append a step; a kill leaves at worst its line incomplete."""
        try:
            with self._path.open("a") as file:
                file.write(_line(step))
        except OSError as error:
            raise unwritable(self._path, error) from error


def _line(step: Step) -> str:
    return ",".join(str(int(v) if isinstance(v, bool) else v) for v in step) + "\n"
