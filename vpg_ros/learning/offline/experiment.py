"""The offline experiment: data set × size × algorithm × variant × seeds, resumable, in one folder.

    data/KIND/                               the data set, of the largest size
    online/                                  the evaluations of the shipped weights
    KIND/SIZE/ALGORITHM/VARIANT/seed-N/      training/, the runs of its evaluations, and cell.json

What is there is not done again, so that several processes can share a folder by their seeds.
"""

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from vpg_ros.errors import ErrorCode, require
from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.kept import keep, read_kept
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.datasets import DatasetSpec, episodes, make_dataset, stored
from vpg_ros.learning.offline.estimates import estimates
from vpg_ros.learning.offline.log import Log, read_log
from vpg_ros.learning.offline.matrix import Cell, Matrix
from vpg_ros.learning.offline.measure import measured
from vpg_ros.learning.offline.synergy import credits, mean_credit
from vpg_ros.learning.offline.train import OfflineTrainer
from vpg_ros.learning.offline.variants import VARIANTS
from vpg_ros.learning.offline.watch import Watch
from vpg_ros.learning.store import read_transitions
from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS, load_policy
from vpg_ros.resources import resource

CELL = "cell.json"
ONLINE = "online"  # folder of the policy that learned by acting, and what the results call it
CREDITED = 200  # transitions of a data set in which pushes before a pick are looked for
ESTIMATED = 300  # transitions that off-policy evaluation looks at


def run(matrix: Matrix, out: Path, watch: Watch | None = None) -> list[dict[str, Any]]:
    """Everything of the matrix that is not there yet, one by one; returns ``collect``.

    Begins with the shipped weights, which learned online, for comparison.
    """
    watch = watch or Watch()
    complete_online(matrix, out, watch)
    logs = Logs(matrix, out, watch)
    for cell in pending(matrix, out):
        complete(cell, matrix, out, logs)
    return collect(matrix, out)


def pending(matrix: Matrix, out: Path) -> list[Cell]:
    """The cells that are not there yet, those of one data set and size in a row.

    Raises STORE_MISMATCH for one that is there with other settings.
    """
    return [cell for cell in matrix.cells() if not _is_kept(cell.folder(out), matrix)]


def complete_online(matrix: Matrix, out: Path, watch: Watch) -> None:
    """Measure the shipped weights, and keep what came of it, unless it is there.

    Raises STORE_MISMATCH where it is there with other settings.
    """
    folder = out / ONLINE
    if _is_kept(folder, matrix):
        return
    player = Player("network", resource(SHIPPED_WEIGHTS))
    found = measured(player, folder, matrix, "the shipped weights", watch)
    keep(folder / CELL, matrix.settings(), {"algorithm": ONLINE, **found})


def _is_kept(folder: Path, matrix: Matrix) -> bool:
    """Whether a piece is there; raises STORE_MISMATCH for one with other settings."""
    if not (folder / CELL).is_file():
        return False
    read_kept(folder / CELL, matrix.settings())
    return True


def complete(cell: Cell, matrix: Matrix, out: Path, logs: "Logs") -> None:
    """Train and measure one cell, and keep what came of it."""
    content = _train_and_measure(cell, matrix, out, logs)
    keep(cell.folder(out) / CELL, matrix.settings(), content)


def collect(matrix: Matrix, out: Path) -> list[dict[str, Any]]:
    """The contents of all cells, and first of the shipped weights' one.

    Raises STORE_MISMATCH for one that has other settings.
    """
    folders = [out / ONLINE, *(cell.folder(out) for cell in matrix.cells())]
    return [read_kept(folder / CELL, matrix.settings()) for folder in folders]


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


def _train_and_measure(cell: Cell, matrix: Matrix, out: Path, logs: Logs) -> dict[str, Any]:
    folder, watch, variant = cell.folder(out), logs.watch, VARIANTS[cell.variant]
    log = logs.read(cell.dataset, cell.size)
    config = variant.config(matrix.updates, cell.seed)
    watch.begin(f"{cell}: training", config.updates)
    trainer = OfflineTrainer(cell.algorithm, log, config, folder / "training")
    weights = trainer.run(lambda trainer: watch.advance(trainer.updates))
    player = Player("network", weights, risk=variant.risk, alpha=variant.alpha)
    return {
        **asdict(cell),
        "behaviour_grasp_success": log.grasp_success(),
        "training_seconds": trainer.seconds,
        **measured(player, folder, matrix, str(cell), watch),
        "credit": _credited(weights, logs.folder(cell.dataset)),
        "estimates": _estimated(weights, log, cell, matrix, watch),
    }


def _estimated(
    weights: Path, log: Log, cell: Cell, matrix: Matrix, watch: Watch
) -> dict[str, Any] | None:
    """What off-policy evaluation makes of the policy, beside the truth."""
    if matrix.estimating == 0:
        return None
    watch.begin(f"{cell}: off-policy evaluation", matrix.estimating)
    config = OfflineConfig(updates=matrix.estimating, seed=cell.seed)
    known = log.first(ESTIMATED)
    return estimates(known, weights, config, matrix.camera, matrix.random_runs, watch.advance)


def _credited(weights: Path, dataset: Path) -> dict[str, Any]:
    """What the policy thinks of the pushes of the data set that a pick followed."""
    transitions = islice(read_transitions(dataset), CREDITED)
    return mean_credit(credits(list(episodes(transitions)), load_policy(weights, "cpu")))
