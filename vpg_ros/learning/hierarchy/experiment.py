"""The study of strategies: what a decision costs, and what is solved, with seven primitives.

    decision.json                    the bench of every design and size of repertoire
    VARIANT/seed-N/                  training/, the runs on every family, and cell.json

What is there is not done again.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vpg_ros.choices import DESIGNS
from vpg_ros.errors import VpgError, require
from vpg_ros.learning import bench
from vpg_ros.learning.bench_cost import costs
from vpg_ros.learning.cases import CHALLENGING
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.evaluation import Evaluation, evaluate_all, first_table
from vpg_ros.learning.kept import Content, kept, read_kept, seed_folder, seeds_in
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.progress import figures
from vpg_ros.learning.train import Trainer
from vpg_ros.learning.watch import Watch
from vpg_ros.policy.checkpoint import load_policy
from vpg_ros.primitives import first_primitives, names


@dataclass(frozen=True)
class Family:
    """Scenes of the union. objects: on each table. weight: how often one is drawn."""

    objects: int
    weight: int


# Those that ask for a primitive beyond grasp and push, and those that do not. Tables that are soon
# over are drawn more often, so that each family has a like share of the actions.
FAMILIES = {
    "tall": Family(1, 4),
    "cornered": Family(1, 4),
    "tiles": Family(6, 6),
    "cards": Family(2, 2),
    "tower": Family(3, 3),
    "tight": Family(4, 1),
    "random": Family(5, 1),
}
_CELL = "cell.json"
_WARM_UP, _EXPLORATION = 0.3, 0.2  # shares of all actions
_OTHER_SHARE, _GUIDED_SHARE = 0.8, 0.5  # of random ones
_REFRESH_EVERY = 1  # updates: what follows an action is worth more the more has been learned


@dataclass(frozen=True)
class Variant:
    """What is trained. design: of choices.DESIGNS. targets to realised: as of LearnerConfig."""

    design: str
    primitives: int
    targets: str = "discounted"
    schedule: str = "joint"
    realised: bool = False


VARIANTS = {
    "flat-shared-two": Variant("flat-shared", 2),
    "flat-shared": Variant("flat-shared", 7),
    "flat-separate": Variant("flat-separate", 7),
    # A hierarchy has a rule of its own for its pixels, by which primitives are not compared; what
    # the order alone does is told by the one without.
    "hierarchical": Variant("hierarchical", 7, "option"),
    "hierarchical-discounted": Variant("hierarchical", 7),
    "hierarchical-staged": Variant("hierarchical", 7, "option", "staged"),
    "hierarchical-shared": Variant("hierarchical-shared", 7, "option"),
    # With what the policy really came to next: by this rule the best of a hundred thousand places
    # counts, and on what cannot be grasped that looks graspable for long.
    "hierarchical-worked": Variant("hierarchical-shared", 7, "worked", realised=True),
}


@dataclass(frozen=True)
class Matrix:
    """What is trained and how it is measured.

    seeds: of the trainings. actions, updates: of each, and gradient steps an action. families: of
    FAMILIES. runs: tables of each. challenging: tables of each challenging case, 0 for none.
    counts, tables, repeats: of the bench. camera: as of TableEnv. jobs: processes that play.
    """

    variants: tuple[str, ...] = tuple(VARIANTS)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    actions: int = 3000
    updates: int = 2
    families: tuple[str, ...] = tuple(FAMILIES)
    runs: int = 20
    challenging: int = 3
    counts: tuple[int, ...] = (2, 3, 4, 5, 6, 7)
    tables: int = 5
    repeats: int = 5
    camera: str = "ortho"
    jobs: int = 1

    def __post_init__(self) -> None:
        for name, known in (("variants", VARIANTS), ("families", FAMILIES)):
            for each in getattr(self, name):
                allowed = ", ".join(known)
                require(each in known, f"{name} has {each!r}; they must be of {allowed}")
        for name in ("actions", "updates", "runs", "tables", "repeats", "jobs"):
            require(getattr(self, name) > 0, f"{name} is {getattr(self, name)}; it must be > 0")
        require(self.challenging >= 0, f"challenging is {self.challenging}; it must be >= 0")
        for variant in self.variants:  # raises what is wrong with any training before the first
            for seed in self.seeds:
                settings_of(VARIANTS[variant], seed, self)


def settings_of(
    variant: Variant, seed: int, matrix: Matrix
) -> tuple[TrainingConfig, LearnerConfig]:
    """Of one training: all families alike, each by its own task."""
    trunks, strategy = DESIGNS[variant.design]
    training = TrainingConfig(
        matrix.actions,
        seed,
        warm_up=round(_WARM_UP * matrix.actions),
        exploration=_EXPLORATION,
        other_share=_OTHER_SHARE,
        guided_share=_GUIDED_SHARE,
        primitives=first_primitives(variant.primitives),
        updates=matrix.updates,
        late_updates=matrix.updates,
        camera=matrix.camera,
        trunks=trunks,
        strategy=strategy,
        task="scene",
        scenes=tuple(
            SceneMix(name, family.weight, family.objects, family.objects)
            for name, family in FAMILIES.items()
            if name in matrix.families
        ),
    )
    learner = LearnerConfig(
        decay_updates=training.all_updates,
        targets=variant.targets,
        schedule=variant.schedule,
        refresh_every=_REFRESH_EVERY,
        realised=variant.realised,
    )
    return training, learner


# Minutes on two cores; too little to learn from, and for a meta-policy to have a say (READY_AFTER),
# enough to see all of the rest work.
QUICK = Matrix(
    variants=("flat-shared", "flat-separate", "hierarchical", "hierarchical-staged"),
    seeds=(0,),
    actions=24,
    families=("tall", "cornered", "tower"),
    runs=2,
    challenging=0,
    counts=(2, 7),
    tables=2,
    repeats=2,
)


def run(
    matrix: Matrix,
    out: Path,
    watch: Watch | None = None,
    done: Callable[[], object] = lambda: None,
) -> None:
    """All cells of the matrix, made where they are not there yet; see ``bench_of`` for the rest.

    watch: hears of every training and evaluation. done: called after each that was made. Raises
    STORE_MISMATCH for what has other settings.
    """
    watch = watch or Watch()
    for seed in matrix.seeds:
        for variant in matrix.variants:
            folder = seed_folder(out / variant, seed)
            is_new = not (folder / _CELL).is_file()
            _cell(variant, seed, matrix, folder, watch)
            if is_new:
                done()


def cells(matrix: Matrix, out: Path) -> list[Content]:
    """Every cell in the folder made as the matrix says, those of other seeds and variants too."""
    found = []
    for name in VARIANTS:
        for seed in seeds_in(out / name):
            with suppress(VpgError):  # not there yet, or of other settings
                path = seed_folder(out / name, seed) / _CELL
                found.append(read_kept(path, _settings(name, seed, matrix)))
    return found


def bench_of(matrix: Matrix, out: Path, watch: Watch | None = None) -> list[Content]:
    """Rows of the decision bench, measured or kept."""
    settings = {name: getattr(matrix, name) for name in ("counts", "tables", "repeats")}

    def make() -> Content:
        done = (watch or Watch()).each("decisions", 1)
        tables = bench.tables(10, matrix.tables)
        ways = bench.ways_of_designs(list(DESIGNS), matrix.counts)
        times = bench.compare(ways, tables, matrix.repeats)
        rows = [row | costs(way, tables) for row, way in zip(times, ways, strict=True)]
        done(rows)
        return {"rows": rows}

    rows: list[Content] = kept(out / "decision.json", settings, make)["rows"]
    return rows


def _cell(name: str, seed: int, matrix: Matrix, folder: Path, watch: Watch) -> None:
    """One training and what it solves, done or kept."""
    (training, learner), title = settings_of(VARIANTS[name], seed, matrix), f"{name}, seed {seed}"

    def make() -> Content:
        trainer = Trainer(training, folder / "training", learner)
        watch.begin(f"{title}: training", training.actions)
        weights = trainer.run(lambda progress: watch.advance(progress.actions))
        evaluations = _evaluations(Player("network", weights), seed, matrix)
        return {
            "variant": name,
            "seed": seed,
            "figures": figures(trainer.progress),
            "used": _uses(trainer),
            "strategy": load_policy(weights).strategy,  # flat while its meta-policy has no say
            "runs": evaluate_all(evaluations, folder, title, watch, matrix.jobs),
        }

    kept(folder / _CELL, _settings(name, seed, matrix), make)


def _settings(name: str, seed: int, matrix: Matrix) -> Mapping[str, Any]:
    """All that a cell depends on."""
    training, learner = settings_of(VARIANTS[name], seed, matrix)
    chosen = ("families", "runs", "challenging")
    played = {each: getattr(matrix, each) for each in chosen}
    return {"training": asdict(training), "learner": asdict(learner), **played}


def _evaluations(player: Player, seed: int, matrix: Matrix) -> dict[str, Evaluation]:
    """Of weights on every family, and on the challenging cases. seed: of their training."""
    tables: dict[str, tuple[int | None, int]] = {
        name: (FAMILIES[name].objects, matrix.runs) for name in matrix.families
    }
    if matrix.challenging:
        tables[CHALLENGING] = (None, matrix.challenging)
    return {
        name: Evaluation(player, name, objects, runs, first_table(seed, runs), matrix.camera)
        for name, (objects, runs) in tables.items()
    }


def _uses(trainer: Trainer) -> dict[str, int]:
    """How often each primitive was used in a training."""
    used = [step.primitive for step in trainer.progress.steps]
    return {name: used.count(name) for name in names() if name in used}
