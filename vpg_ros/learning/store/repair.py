"""What can be read of a damaged store, as a new one."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import Workspace
from vpg_ros.learning.store.misfit import misfit
from vpg_ros.learning.store.reader import Scan, store_files
from vpg_ros.learning.store.segments import SegmentWriter


@dataclass(frozen=True)
class Repair:
    """What a repair came to. kept, dropped: transitions. losses: a sentence for each loss."""

    kept: int
    dropped: int
    losses: tuple[str, ...]


def repair(store: Path, out: Path) -> Repair:
    """Write the readable transitions of a store to a new one in the folder ``out``.

    A file is read up to its first damage. Transitions that lack a field, that are of another
    workspace than the first one, and from which nothing can be learned (``misfit``), are left out:
    what is written can be trained on with a repertoire of its primitives. Raises STORE_UNREADABLE
    when there is no store or nothing in it is readable, and PARAMETER_INVALID when ``out`` exists.
    """
    require(not out.exists(), f"--out is {str(out)!r}, which exists; choose another folder")
    files = store_files(store)
    reading = _Reading()
    first = next(reading.transitions(files), None)
    if first is None:
        sentence = f"nothing in {store} is readable: {'; '.join(reading.losses)}"
        raise VpgError(ErrorCode.STORE_UNREADABLE, sentence)
    reading = _Reading(first.before.workspace)
    with closing(SegmentWriter(out, 0, {"repaired": str(store.name)})) as writer:
        for transition in reading.transitions(files):
            writer.write(transition)
        return Repair(writer.count, reading.dropped, tuple(reading.losses))


class _Reading:
    """Reads files one after the other, and remembers what is lost."""

    def __init__(self, workspace: Workspace | None = None) -> None:
        self._workspace = workspace
        self.dropped = 0
        self.losses: list[str] = []

    def transitions(self, files: tuple[Path, ...]) -> Iterator[Transition]:
        """What is readable and fits."""
        for path in files:
            yield from self._file(path)

    def _file(self, path: Path) -> Iterator[Transition]:
        scan = Scan(path)
        try:
            for transition in scan.stored(self._drop):
                reason = self._misfit(transition)
                if reason is None:
                    yield transition
                else:
                    self._drop(f"{path}, transition {scan.count}: it {reason}")
            if scan.unreadable:
                self.losses.append(scan.lost)
        except VpgError as error:
            self.losses.append(error.message)

    def _drop(self, sentence: str) -> None:
        self.dropped += 1
        self.losses.append(sentence)

    def _misfit(self, transition: Transition) -> str | None:
        for heightmap in (transition.before, transition.after):
            if self._workspace not in (None, heightmap.workspace):
                return f"is of {heightmap.workspace}, another workspace than {self._workspace}"
        return misfit(transition, {n: primitives.get(n).rotations for n in primitives.names()})
