"""What can be read of a damaged store, as a new one."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.learning.store.misfit import misfit
from vpg_ros.learning.store.reader import store_files
from vpg_ros.learning.store.salvage import Salvage
from vpg_ros.learning.store.segments import SegmentWriter

_REASONS = 3  # why nothing is readable, in one sentence


@dataclass(frozen=True)
class Repair:
    """What a repair came to. kept, dropped: transitions. losses: a sentence for each loss."""

    kept: int
    dropped: int
    losses: tuple[str, ...]


def repair(store: Path, out: Path) -> Repair:
    """Write the readable transitions of a store to a new one in the folder ``out``.

    After a damage a file is read on from its next whole transition. Those that lack a field, from
    which nothing can be learned (``misfit``), and that are of another workspace than most, are left
    out: what is written can be trained on with a repertoire of its primitives. Raises
    STORE_UNREADABLE when there is no store or nothing in it is readable, and PARAMETER_INVALID when
    ``out`` exists.
    """
    require(not out.exists(), f"--out is {str(out)!r}, which exists; choose another folder")
    reading = _Reading(store_files(store))
    found = Counter(each.before.workspace for each in reading.transitions())
    if not found:
        reasons = "; ".join(reading.losses[:_REASONS]) or "it holds no transitions"
        more = f"; and {left} more" if (left := len(reading.losses) - _REASONS) > 0 else ""
        sentence = f"nothing in {store} is readable: {reasons}{more}"
        raise VpgError(ErrorCode.STORE_UNREADABLE, sentence)
    (workspace, most), *others = found.most_common()
    strays = [f"{n} transitions are of {other}; {most} are of {workspace}" for other, n in others]
    with closing(SegmentWriter(out, 0, {"repaired": str(store.name)})) as writer:
        for transition in _Reading(reading.files).transitions():
            if transition.before.workspace == workspace:
                writer.write(transition)
    dropped = reading.dropped + found.total() - most
    return Repair(most, dropped, (*reading.losses, *strays))


class _Reading:
    """Reads files one after the other, and remembers what is lost."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self.files = files
        self.dropped = 0
        self.losses: list[str] = []
        self._known = {name: primitives.get(name).rotations for name in primitives.names()}

    def transitions(self) -> Iterator[Transition]:
        """What is readable and fits."""
        for path in self.files:
            yield from self._file(path)

    def _file(self, path: Path) -> Iterator[Transition]:
        scan = Salvage(path)
        try:
            for transition in scan.stored(self._drop):
                reason = misfit(transition, self._known)
                if reason is None:
                    yield transition
                else:
                    self._drop(f"{path}, transition {scan.count}: it {reason}")
        except VpgError as error:
            self.losses.append(error.message)
        self.losses += scan.damages

    def _drop(self, sentence: str) -> None:
        self.dropped += 1
        self.losses.append(sentence)
