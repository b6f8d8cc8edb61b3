"""The data sets of the offline experiment, and what is read of them."""

from itertools import islice
from pathlib import Path

from vpg_ros.action import Transition
from vpg_ros.errors import ErrorCode, require
from vpg_ros.learning.lock import alone
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.datasets import REPLAY, DatasetSpec, episodes, make_dataset, stored
from vpg_ros.learning.offline.log import Log, read_log
from vpg_ros.learning.offline.matrix import Matrix
from vpg_ros.learning.store import read_transitions
from vpg_ros.learning.watch import Watch


class Logs:
    """Data sets, made when they are first needed; the last one read is kept in memory."""

    def __init__(self, matrix: Matrix, out: Path, watch: Watch) -> None:
        self._matrix, self._out, self.watch = matrix, out, watch
        self._last: tuple[str, int, Log] | None = None

    def folder(self, kind: str, size: int) -> Path:
        """Where a data set is: a replay of each size has its own, as none begins as another."""
        data = self._out / "data" / kind
        return data / str(size) if kind == REPLAY else data

    def make(self, kind: str, size: int) -> None:
        """Make the data set in that folder, of the largest size that is in it, or what is missing.

        Waits for another process that makes it.
        """
        folder = self.folder(kind, size)
        actions = size if kind == REPLAY else max(self._matrix.sizes)
        spec = DatasetSpec(kind, actions, camera=self._matrix.camera)
        if stored(folder) < spec.actions:
            self.watch.begin(f"data set {kind}", spec.actions)
            make_dataset(spec, folder, self.watch.advance)

    def read(self, kind: str, size: int) -> Log:
        """The first ``size`` transitions of a data set; raises STORE_UNREADABLE for fewer."""
        if self._last is None or self._last[:2] != (kind, size):
            self.make(kind, size)
            folder = self.folder(kind, size)
            with alone(folder, reading=True):
                log = read_log(folder, OfflineConfig().network, size)
            sentence = f"{folder} holds {len(log)} transitions; {size} are asked for"
            require(len(log) == size, sentence, ErrorCode.STORE_UNREADABLE)
            self._last = (kind, size, log)
        return self._last[2]

    def first(self, kind: str, size: int, count: int) -> list[list[Transition]]:
        """The first ``count`` transitions of a data set that was made, episode by episode."""
        folder = self.folder(kind, size)
        with alone(folder, reading=True):
            return list(episodes(islice(read_transitions(folder), count)))
