"""What an offline experiment trains, and how it is measured."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from vpg_ros.errors import require, require_seed
from vpg_ros.learning.cases import CHALLENGING
from vpg_ros.learning.kept import seed_folder
from vpg_ros.learning.offline import algorithms
from vpg_ros.learning.offline.behaviour import shipped_digest
from vpg_ros.learning.offline.datasets import KINDS
from vpg_ros.learning.offline.variants import PLAIN, VARIANTS

EDITION = 2  # of what the figures of a cell mean; those of other editions are not read


@dataclass(frozen=True)
class Cell:
    """One training."""

    dataset: str
    size: int
    algorithm: str
    variant: str
    seed: int

    def folder(self, out: Path) -> Path:
        """Where it is kept."""
        data = out / self.dataset / str(self.size)
        return seed_folder(data / self.algorithm / self.variant, self.seed)

    def __str__(self) -> str:
        name = self.algorithm if self.variant == PLAIN else f"{self.algorithm}, {self.variant}"
        return f"{self.dataset}, {self.size}, {name}, seed {self.seed}"


@dataclass(frozen=True)
class Matrix:
    """What is trained and how it is measured.

    variants: of every training that they concern, of VARIANTS. updates: gradient steps of each.
    scenes: the cases on which synergy is measured, as of ``find_cases``. runs: tables of each of
    them. random_runs: tables of random clutter. estimating: gradient steps of off-policy
    evaluation, 0 for none. camera: of data and evaluation. jobs: processes of an evaluation.
    """

    datasets: tuple[str, ...] = ("random", "scripted", "mixed")
    sizes: tuple[int, ...] = (1000, 5000, 20000)
    algorithms: tuple[str, ...] = ("bc", "filtered-bc", "dqn", "double-dqn", "cql", "iql", "awac")
    variants: tuple[str, ...] = (PLAIN,)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    updates: int = 2000
    scenes: str = CHALLENGING
    runs: int = 3
    random_runs: int = 20
    estimating: int = 300
    camera: str = "ortho"
    jobs: int = 1

    def __post_init__(self) -> None:
        for axis, known in (
            ("datasets", KINDS),
            ("algorithms", algorithms.names()),
            ("variants", tuple(VARIANTS)),
        ):
            for name in getattr(self, axis):
                allowed = f"it must be one of {', '.join(known)}"
                require(name in known, f"{axis.removesuffix('s')} is {name!r}; {allowed}")
        require(
            any(self._pairs(True)) or not self.algorithms or not self.variants,
            f"variants is {', '.join(self.variants)}; of {', '.join(self.algorithms)} it must be "
            f"one that changes anything, such as {PLAIN}",
        )
        require(all(size > 0 for size in self.sizes), f"sizes is {self.sizes}; each must be > 0")
        for seed in self.seeds:
            require_seed(seed)
        require(self.estimating >= 0, f"estimating is {self.estimating}; it must be >= 0")
        for name in ("updates", "runs", "random_runs", "jobs"):
            value = getattr(self, name)
            require(value > 0, f"{name} is {value}; it must be > 0")

    def cells(self) -> Iterator[Cell]:
        """Every training; those of one data set and size in a row, which is then read once."""
        axes = (self.datasets, self.sizes, self._pairs(True), self.seeds)
        return (Cell(kind, size, *pair, seed) for kind, size, pair, seed in product(*axes))

    def skipped(self) -> list[tuple[str, str]]:
        """Algorithm and variant of what is not trained: the variant changes nothing for it."""
        return self._pairs(False)

    def _pairs(self, concerned: bool) -> list[tuple[str, str]]:
        """Algorithm and variant, of those that the variant concerns, or of the others."""
        every = product(self.algorithms, self.variants)
        return [pair for pair in every if VARIANTS[pair[1]].concerns(pair[0]) is concerned]

    def settings(self) -> dict[str, Any]:
        """What the content of a cell depends on besides itself."""
        names = ("updates", "scenes", "runs", "random_runs", "estimating", "camera")
        found = {name: getattr(self, name) for name in names}
        return found | {"weights": shipped_digest(), "edition": EDITION}


# Minutes on two cores: little to learn from, but enough to see what comes of it.
QUICK = Matrix(
    datasets=("mixed",),
    sizes=(500,),
    algorithms=("filtered-bc", "dqn"),
    seeds=(0,),
    updates=200,
    runs=1,
    random_runs=5,
    estimating=0,
    jobs=2,
)
