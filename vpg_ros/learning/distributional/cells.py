"""A cell of the study: one training, and what is measured of its weights."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from vpg_ros.choices import HEADS, SCALAR
from vpg_ros.learning.cases import CHALLENGING
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.distributional.held_out import calibrated
from vpg_ros.learning.distributional.matrix import (
    ACCIDENT_COST,
    CLUTTER,
    CVAR,
    FAMILIES,
    GAMMA,
    MEASURES,
    RISK,
    STANDARD,
    Matrix,
)
from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.evaluation import Evaluation, evaluate_all, first_table
from vpg_ros.learning.kept import Content, kept, seed_folder, seeds_in
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.progress import figures
from vpg_ros.learning.train import Trainer
from vpg_ros.learning.watch import Watch


@dataclass(frozen=True)
class Cell:
    """One training. family: of FAMILIES, "" on the standard scenes."""

    head: str
    seed: int
    family: str = ""

    def __str__(self) -> str:
        return f"{self.family or 'standard scenes'}, {self.head}, seed {self.seed}"

    def folder(self, out: Path) -> Path:
        """Where it is kept."""
        part = RISK if self.family else STANDARD
        return seed_folder(out / part / self.head, self.seed) / self.family

    def training(self, matrix: Matrix) -> TrainingConfig:
        """What is learned from."""
        if self.family:
            return _risk_training(self, matrix)
        return TrainingConfig(matrix.actions, self.seed, camera=matrix.camera, head=self.head)

    def learner(self, matrix: Matrix) -> LearnerConfig:
        """How it is learned."""
        training = self.training(matrix)
        if self.family:
            return _risk_learner(training)
        return LearnerConfig(decay_updates=training.half_updates)

    def settings(self, matrix: Matrix) -> dict[str, Any]:
        """All that its content depends on."""
        played = ("runs", "alpha") if self.family else ("challenging", "random_runs")
        return {
            "training": asdict(self.training(matrix)),
            "learner": asdict(self.learner(matrix)),
            **{name: getattr(matrix, name) for name in ("held_out", *played)},
        }

    def evaluations(self, matrix: Matrix, weights: Path) -> dict[str, Evaluation]:
        """What the weights play: under each measure, or each of the standard scenes."""
        if self.family:
            return {risk: self._careful(risk, matrix, weights) for risk in MEASURES}
        counts = {CHALLENGING: matrix.challenging, CLUTTER: matrix.random_runs}
        play = partial(Evaluation, Player("network", weights), camera=matrix.camera)
        return {
            scenes: play(scenes, runs=count, seed=first_table(self.seed, count))
            for scenes, count in counts.items()
            if count
        }

    def _careful(self, risk: str, matrix: Matrix, weights: Path) -> Evaluation:
        player, runs = Player("network", weights, risk=risk, alpha=matrix.alpha), matrix.runs
        objects, first = FAMILIES[self.family], first_table(self.seed, runs)
        return Evaluation(player, self.family, objects, runs, first, matrix.camera)


def complete(cell: Cell, matrix: Matrix, out: Path, watch: Watch) -> None:
    """Train and measure a cell, and keep what came of it, unless it is there.

    Raises STORE_MISMATCH for one that is there with other settings.
    """
    folder, training, learner = cell.folder(out), cell.training(matrix), cell.learner(matrix)

    def make() -> Content:
        trainer = Trainer(training, folder / "training", learner)
        watch.begin(f"{cell}: training", training.actions)
        weights = trainer.run(lambda progress: watch.advance(progress.actions))
        evaluations, prefix = cell.evaluations(matrix, weights), cell.family and f"{cell.family}-"
        return {
            **asdict(cell),
            "figures": figures(trainer.progress),
            "calibration": _calibrated(cell, matrix, weights, folder, watch),
            "runs": evaluate_all(evaluations, folder, str(cell), watch, matrix.jobs, prefix),
        }

    kept(path_of(cell, out), cell.settings(matrix), make)


def path_of(cell: Cell, out: Path) -> Path:
    """The file that keeps what came of a cell."""
    return cell.folder(out) / "cell.json"


def begun(out: Path) -> Iterator[Cell]:
    """Every cell that may lie in a folder, by head, seed and family."""
    for head, (part, families) in product(HEADS, ((STANDARD, ("",)), (RISK, tuple(FAMILIES)))):
        seeds = seeds_in(out / part / head)
        yield from (Cell(head, *each) for each in product(seeds, families))


def _calibrated(
    cell: Cell, matrix: Matrix, weights: Path, folder: Path, watch: Watch
) -> Content | None:
    """None of a scalar head, which expects no distribution, and where nothing was picked."""
    if cell.head == SCALAR:
        return None
    count, cost = matrix.held_out, cell.learner(matrix).accident_cost
    report = watch.each(f"{cell}: calibration", count)
    return calibrated(weights, cell.training(matrix), count, cost, folder, report)


def _risk_training(cell: Cell, matrix: Matrix) -> TrainingConfig:
    """Random actions enough that pushes before picks are tried, most of them where they may help.

    A quarter of all actions is random, and half of the others, of which four in five are random in
    their primitive alone: a push that begins anywhere hardly ever makes a pick safe. Every other
    table is played with care: what it leads to, such as objects at a wall, the mean hardly sees.
    """
    objects = FAMILIES[cell.family]
    return TrainingConfig(
        matrix.risk_actions,
        cell.seed,
        warm_up=matrix.risk_actions // 4,
        exploration=0.5,
        guided_share=0.8,
        updates=2,
        late_updates=2,
        camera=matrix.camera,
        head=cell.head,
        risk=CVAR,
        alpha=matrix.alpha,
        scenes=(SceneMix(cell.family, 1.0, objects, objects),),
    )


def _risk_learner(training: TrainingConfig) -> LearnerConfig:
    """The default learner but for what accidents and waiting cost, and uniform replay.

    Replay by error shows what surprises more often than it comes: rare accidents would be learned
    to be less rare than they are (Schaul et al. 2016, section 3.4); what came last has them by
    chance.
    """
    return LearnerConfig(
        decay_updates=training.all_updates,
        gamma=GAMMA,
        newest_share=0.0,
        priority=0.0,
        accident_cost=ACCIDENT_COST,
    )
