"""The offline experiment: data set × size × algorithm × seeds, resumable, in one folder.

    data/KIND/                       the data set, of the largest size
    KIND/SIZE/ALGORITHM/seed-N/      training/, the runs of its evaluations, and cell.json

What is there is not done again, so that several processes can share a folder by their seeds.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

from vpg_ros.atomic import write_atomically
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.learning.cases import CHALLENGING
from vpg_ros.learning.evaluation import Evaluation, evaluate
from vpg_ros.learning.figures import Run
from vpg_ros.learning.offline import algorithms
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.datasets import CARD, KINDS, DatasetSpec, episodes, make_dataset
from vpg_ros.learning.offline.estimates import estimates
from vpg_ros.learning.offline.log import Log, read_log
from vpg_ros.learning.offline.synergy import credits, mean_credit, measure, player, synergy
from vpg_ros.learning.offline.train import OfflineTrainer
from vpg_ros.learning.store import read_transitions
from vpg_ros.policy.checkpoint import load_policy
from vpg_ros.policy.config import NetworkConfig

CELL = "cell.json"
CREDITED = 400  # transitions of a data set in which pushes that opened a grasp are looked for
ESTIMATED = 1000  # transitions that off-policy evaluation looks at

Report = Callable[[str], None]


@dataclass(frozen=True)
class Matrix:
    """What is trained and how it is measured.

    updates: gradient steps of each training. scenes: the cases on which synergy is measured, as of
    ``find_cases``. runs: tables of each of them. random_runs: tables of random clutter. estimating:
    gradient steps of off-policy evaluation, 0 for none. camera: of data and evaluation. jobs:
    processes of an evaluation.
    """

    datasets: tuple[str, ...] = ("random", "scripted", "mixed")
    sizes: tuple[int, ...] = (1000, 5000, 20000)
    algorithms: tuple[str, ...] = ("bc", "filtered-bc", "dqn", "double-dqn", "cql", "iql", "awac")
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    updates: int = 2000
    scenes: str = CHALLENGING
    runs: int = 3
    random_runs: int = 20
    estimating: int = 300
    camera: str = "ortho"
    jobs: int = 1

    def __post_init__(self) -> None:
        for name in self.datasets:
            require(name in KINDS, f"dataset is {name!r}; it must be one of {', '.join(KINDS)}")
        for name in self.algorithms:
            algorithms.get(name)
        require(all(size > 0 for size in self.sizes), f"sizes is {self.sizes}; each must be > 0")
        require(self.estimating >= 0, f"estimating is {self.estimating}; it must be >= 0")
        for name in ("updates", "runs", "random_runs", "jobs"):
            value = getattr(self, name)
            require(value > 0, f"{name} is {value}; it must be > 0")

    def cells(self) -> Iterator["Cell"]:
        """Every training; those of one data set and size in a row, which is then read once."""
        axes = (self.datasets, self.sizes, self.algorithms, self.seeds)
        return (Cell(*each) for each in product(*axes))


@dataclass(frozen=True)
class Cell:
    """One training."""

    dataset: str
    size: int
    algorithm: str
    seed: int

    def folder(self, out: Path) -> Path:
        """Where it is kept."""
        return out / self.dataset / str(self.size) / self.algorithm / f"seed-{self.seed}"

    def __str__(self) -> str:
        return f"{self.dataset}, {self.size}, {self.algorithm}, seed {self.seed}"


# Minutes on two cores; too little to learn from, enough to see all of it work.
QUICK = Matrix(
    datasets=("mixed",),
    sizes=(300,),
    algorithms=("filtered-bc", "dqn"),
    seeds=(0,),
    updates=60,
    runs=1,
    random_runs=3,
    estimating=10,
)


def run(matrix: Matrix, out: Path, report: Report = lambda text: None) -> list[dict[str, Any]]:
    """Everything of the matrix that is not there yet, one by one; returns ``collect``.

    report: hears in a sentence of what begins.
    """
    logs = Logs(matrix, out, report)
    for cell in pending(matrix, out):
        report(str(cell))
        complete(cell, matrix, out, logs)
    return collect(matrix, out)


def pending(matrix: Matrix, out: Path) -> list[Cell]:
    """The cells that are not there yet, those of one data set and size in a row."""
    return [cell for cell in matrix.cells() if not (cell.folder(out) / CELL).is_file()]


def complete(cell: Cell, matrix: Matrix, out: Path, logs: "Logs") -> None:
    """Train and measure one cell, and keep what came of it."""
    content = _train_and_measure(cell, matrix, out, logs)
    path = cell.folder(out) / CELL
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


def collect(matrix: Matrix, out: Path) -> list[dict[str, Any]]:
    """The contents of all cells; raises STORE_MISMATCH for one that has other settings."""
    return [_read(cell.folder(out) / CELL, matrix) for cell in matrix.cells()]


def _read(path: Path, matrix: Matrix) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        settings = content["settings"]
    except (OSError, ValueError, KeyError) as error:
        raise VpgError(ErrorCode.STORE_UNREADABLE, f"{path} is damaged: {error!r}") from error
    require(
        settings == _settings(matrix),
        f"{path} was made with {settings}, not {_settings(matrix)}; choose another folder",
        ErrorCode.STORE_MISMATCH,
    )
    return content


def _settings(matrix: Matrix) -> dict[str, Any]:
    """What a cell depends on besides itself."""
    names = ("updates", "scenes", "runs", "random_runs", "estimating", "camera")
    return {name: getattr(matrix, name) for name in names}


class Logs:
    """Data sets, made when they are first needed; the last one read is kept in memory."""

    def __init__(self, matrix: Matrix, out: Path, report: Report) -> None:
        self._matrix, self._out, self._report = matrix, out, report
        self._last: tuple[str, int, Log] | None = None

    def folder(self, kind: str) -> Path:
        """Where a data set is."""
        return self._out / "data" / kind

    def make(self, kind: str) -> None:
        """Make a data set of the largest size, unless it is there."""
        spec = DatasetSpec(kind, max(self._matrix.sizes), camera=self._matrix.camera)
        if not (self.folder(kind) / CARD).is_file():
            self._report(f"data set {kind}, {spec.actions} actions")
            make_dataset(spec, self.folder(kind))

    def read(self, kind: str, size: int) -> Log:
        """The first ``size`` transitions of a data set."""
        if self._last is None or self._last[:2] != (kind, size):
            self.make(kind)
            config = NetworkConfig.of_repertoire()
            self._last = (kind, size, read_log(self.folder(kind), config, size))
        return self._last[2]


def _train_and_measure(cell: Cell, matrix: Matrix, out: Path, logs: Logs) -> dict[str, Any]:
    folder = cell.folder(out)
    log = logs.read(cell.dataset, cell.size)
    config = OfflineConfig(updates=matrix.updates, seed=cell.seed)
    trainer = OfflineTrainer(cell.algorithm, log, config, folder / "training")
    weights = trainer.run()
    return {
        "settings": _settings(matrix),
        **asdict(cell),
        "behaviour_grasp_success": log.grasp_success(),
        "training_seconds": trainer.seconds,
        **_measured(weights, folder, matrix),
        "credit": _credited(weights, logs.folder(cell.dataset)),
        "estimates": _estimated(weights, log, cell.seed, matrix),
    }


def _estimated(weights: Path, log: Log, seed: int, matrix: Matrix) -> dict[str, Any] | None:
    """What off-policy evaluation makes of the policy, beside the truth."""
    if matrix.estimating == 0:
        return None
    config = OfflineConfig(updates=matrix.estimating, seed=seed)
    known = log.first(ESTIMATED)
    return estimates(known, weights, config, matrix.camera, matrix.random_runs)


def _measured(weights: Path, folder: Path, matrix: Matrix) -> dict[str, Any]:
    """Figures on random clutter, and on the matrix's scenes with and without pushes."""
    clutter = Evaluation(player(weights), "random", runs=matrix.random_runs, camera=matrix.camera)
    cases = Evaluation(player(weights), matrix.scenes, runs=matrix.runs, camera=matrix.camera)
    random = evaluate(clutter, folder / "random.jsonl", matrix.jobs)
    figures, free, without = measure(cases, folder, matrix.jobs)
    return {
        "random": _shares(random),
        "challenging": _shares(figures),
        "synergy": asdict(synergy(free, without)),
        "runs": {"all": _plain(free), "picks": _plain(without)},
    }


def _shares(figures: dict[str, Any]) -> dict[str, Any]:
    """The three figures over all runs, failed ones included."""
    return {name: each["value"] for name, each in figures["all_runs"].items()}


def _plain(runs: list[Run]) -> list[dict[str, Any]]:
    return [asdict(each) for each in runs]


def _credited(weights: Path, dataset: Path) -> dict[str, Any]:
    """What the policy thinks of the pushes of the data set that opened a grasp."""
    transitions = islice(read_transitions(dataset), CREDITED)
    return mean_credit(credits(list(episodes(transitions)), load_policy(weights, "cpu")))
