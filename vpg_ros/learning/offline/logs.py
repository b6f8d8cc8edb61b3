"""The data sets of the offline experiment, and what is read of them."""

from pathlib import Path

from vpg_ros.errors import ErrorCode, require
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.datasets import DatasetSpec, make_dataset, stored
from vpg_ros.learning.offline.log import Log, read_log
from vpg_ros.learning.offline.matrix import Matrix
from vpg_ros.learning.offline.watch import Watch


class Logs:
    """Data sets, made when they are first needed; the last one read is kept in memory."""

    def __init__(self, matrix: Matrix, out: Path, watch: Watch) -> None:
        self._matrix, self._out, self.watch = matrix, out, watch
        self._last: tuple[str, int, Log] | None = None

    def folder(self, kind: str) -> Path:
        """Where a data set is."""
        return self._out / "data" / kind

    def make(self, kind: str) -> None:
        """Make a data set of the largest size, or what is missing of it."""
        spec = DatasetSpec(kind, max(self._matrix.sizes), camera=self._matrix.camera)
        if stored(self.folder(kind)) < spec.actions:
            self.watch.begin(f"data set {kind}", spec.actions)
            make_dataset(spec, self.folder(kind), self.watch.advance)

    def read(self, kind: str, size: int) -> Log:
        """The first ``size`` transitions of a data set; raises STORE_UNREADABLE for fewer."""
        if self._last is None or self._last[:2] != (kind, size):
            self.make(kind)
            log = read_log(self.folder(kind), OfflineConfig().network, size)
            sentence = f"{self.folder(kind)} holds {len(log)} transitions; {size} are asked for"
            require(len(log) == size, sentence, ErrorCode.STORE_UNREADABLE)
            self._last = (kind, size, log)
        return self._last[2]
