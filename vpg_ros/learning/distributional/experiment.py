"""The study of value distributions, resumable, in one folder.

    standard/HEAD/seed-N/       training/ and cell.json: learning on the standard scenes
    risk/HEAD/seed-N/FAMILY/    training/, the runs of its evaluations, and cell.json
    decision-HEADS.json         how long decisions take

What is there is not done again.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from vpg_ros.action import Transition
from vpg_ros.choices import HEADS
from vpg_ros.errors import require
from vpg_ros.learning.bench import compare, tables, ways_of_heads
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.distributional.calibration import of_choices, of_picks
from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.evaluation import Evaluation, evaluate
from vpg_ros.learning.kept import Content, kept
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.progress import figures
from vpg_ros.learning.rollout import Rollout
from vpg_ros.learning.train import Trainer
from vpg_ros.policy.checkpoint import load_policy

PARTS = ("standard", "risk", "decision")
# What is evaluated with how many objects; in the last one no action can help it.
FAMILIES = {"tangled": 4, "sticky": 4, "glazed": 4, "ledge": 4, "cracked": 4}
CONTROL = "cracked"
MEASURES = ("mean", "cvar")
# An accident costs a quarter of a pick. A push that makes a pick safe is worth half of one: less
# than a pick that goes wrong 35 times in a hundred, 0.56, and more than the worse half of such
# picks, 0.125, which in turn beats doing nothing, 0. Values of all of these are atoms.
ACCIDENT_COST, GAMMA = 0.25, 0.5
_HELD_OUT_SEED = 1000  # beyond the seeds of trainings

Report = Callable[[str], None]


@dataclass(frozen=True)
class Matrix:
    """What is trained and how it is measured.

    parts: of the study, of PARTS. heads, actions: of the trainings on the standard scenes.
    risk_heads, families, risk_actions: of those on FAMILIES, each by itself. runs: tables of each
    under each of MEASURES. alpha: of the CVaR. held_out: transitions that calibration is measured
    on. repeats: rounds of timed decisions. camera: of trainings and evaluations. jobs: processes of
    an evaluation.
    """

    parts: tuple[str, ...] = PARTS
    heads: tuple[str, ...] = HEADS
    risk_heads: tuple[str, ...] = tuple(head for head in HEADS if head != "scalar")
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    actions: int = 1000
    families: tuple[str, ...] = tuple(FAMILIES)
    risk_actions: int = 800
    runs: int = 60
    alpha: float = 0.5
    held_out: int = 300
    repeats: int = 10
    camera: str = "ortho"
    jobs: int = 1

    def __post_init__(self) -> None:
        names = {"parts": PARTS, "heads": HEADS, "risk_heads": HEADS, "families": FAMILIES}
        for name, known in names.items():
            for each in getattr(self, name):
                allowed = ", ".join(known)
                require(each in known, f"{name} has {each!r}; each must be one of {allowed}")
        require("scalar" not in self.risk_heads, "risk_heads has 'scalar', which knows no risk")
        for name in ("actions", "risk_actions", "runs", "held_out", "repeats", "jobs"):
            value = getattr(self, name)
            require(value > 0, f"{name} is {value}; it must be > 0")


# Minutes on two cores; too little to learn from, enough to see all of it work.
QUICK = Matrix(
    risk_heads=("categorical",),
    seeds=(0,),
    actions=30,
    risk_actions=30,
    runs=1,
    held_out=10,
    repeats=1,
)


def run(matrix: Matrix, out: Path, report: Report = lambda text: None) -> Content:
    """Everything of the matrix that is not there yet; part → contents of its cells.

    report: hears in a sentence of what begins.
    """
    makers = {"standard": _standard_part, "risk": _risk_part, "decision": _decision_part}
    return {part: makers[part](matrix, out, report) for part in matrix.parts}


def _standard_part(matrix: Matrix, out: Path, report: Report) -> list[Content]:
    cells = []
    for head, seed in product(matrix.heads, matrix.seeds):
        report(f"standard scenes, {head}, seed {seed}")
        cells.append(_standard(head, seed, matrix, out / "standard" / head / f"seed-{seed}"))
    return cells


def _risk_part(matrix: Matrix, out: Path, report: Report) -> list[Content]:
    cells = []
    for head, seed, family in product(matrix.risk_heads, matrix.seeds, matrix.families):
        report(f"{family}, {head}, seed {seed}")
        folder = out / "risk" / head / f"seed-{seed}" / family
        cells.append(_risk(head, seed, family, matrix, folder))
    return cells


def _decision_part(matrix: Matrix, out: Path, report: Report) -> list[Content]:
    report("decisions")

    def make() -> Content:
        ways = ways_of_heads(matrix.heads, (*MEASURES, "mean_std"))
        return {"rows": compare(ways, tables(10, 5), matrix.repeats)}

    settings = {"heads": matrix.heads, "repeats": matrix.repeats}
    name = f"decision-{'-'.join(matrix.heads)}.json"  # ratios are of what was timed together
    rows: list[Content] = kept(out / name, settings, make)["rows"]
    return rows


def _standard(head: str, seed: int, matrix: Matrix, folder: Path) -> Content:
    """A training on the standard scenes, how it went, and how well calibrated its values are."""
    config = TrainingConfig(matrix.actions, seed, camera=matrix.camera, head=head)
    settings = {"training": asdict(config), "held_out": matrix.held_out}

    def make() -> Content:
        learner = LearnerConfig(decay_updates=config.half_updates)
        trained = _train(config, learner, folder)
        calibrated = _calibrated(folder, config, matrix.held_out, cost=0.0)
        return {"head": head, "seed": seed, **trained, "calibration": calibrated}

    return kept(folder / "cell.json", settings, make)


def _risk(head: str, seed: int, family: str, matrix: Matrix, folder: Path) -> Content:
    """A training on a family, played by the mean and with care."""
    config = risk_training(family, matrix.risk_actions, seed, head, matrix.camera)
    learner = risk_learner(config)
    names = ("runs", "alpha", "held_out")
    settings = {
        "training": asdict(config),
        "learner": asdict(learner),
        **{name: getattr(matrix, name) for name in names},
    }

    def make() -> Content:
        trained = _train(config, learner, folder)
        calibrated = _calibrated(folder, config, matrix.held_out, learner.accident_cost)
        played = {risk: _play(family, risk, matrix, folder) for risk in MEASURES}
        content = {"head": head, "seed": seed, "family": family, **trained}
        return {**content, "calibration": calibrated, "runs": played}

    return kept(folder / "cell.json", settings, make)


def risk_training(family: str, actions: int, seed: int, head: str, camera: str) -> TrainingConfig:
    """Random actions enough that pushes before picks are tried: six in ten of all, half of them."""
    objects = FAMILIES[family]
    return TrainingConfig(
        actions,
        seed,
        warm_up=3 * actions // 8,
        exploration=0.4,
        updates=2,
        late_updates=2,
        camera=camera,
        head=head,
        scenes=(SceneMix(family, 1.0, objects, objects),),
    )


def risk_learner(config: TrainingConfig) -> LearnerConfig:
    """The default learner but for what accidents and waiting cost, and uniform replay.

    Replay by error shows what surprises more often than it comes: rare accidents would be learned
    to be less rare than they are (Schaul et al. 2016, section 3.4); what came last has them by
    chance.
    """
    return LearnerConfig(
        decay_updates=config.all_updates,
        gamma=GAMMA,
        newest_share=0.0,
        priority=0.0,
        accident_cost=ACCIDENT_COST,
    )


def _train(config: TrainingConfig, learner: LearnerConfig, folder: Path) -> Content:
    """The figures of a training, done or continued."""
    trainer = Trainer(config, folder / "training", learner)
    trainer.run()
    return {"figures": figures(trainer.progress)}


def _play(family: str, risk: str, matrix: Matrix, folder: Path) -> list[Content]:
    """The runs of a training's weights on a family under a risk measure."""
    player = Player("network", _weights(folder), risk=risk, alpha=matrix.alpha)
    evaluation = Evaluation(player, family, FAMILIES[family], matrix.runs, camera=matrix.camera)
    found: list[Content] = evaluate(evaluation, folder / f"{family}-{risk}.jsonl", matrix.jobs)[
        "runs"
    ]
    return found


def _calibrated(
    folder: Path, config: TrainingConfig, count: int, cost: float
) -> dict[str, Any] | None:
    """On transitions of other tables of the same scenes, half of them random; None of a scalar."""

    def make() -> Content:
        policy = load_policy(_weights(folder), "cpu")
        seed = _HELD_OUT_SEED + config.seed
        others = TrainingConfig(
            count, seed, warm_up=0, exploration=0.5, camera=config.camera, scenes=config.scenes
        )
        transitions = held_out(others, lambda: policy)
        found = of_picks(policy, transitions, cost)
        if found is None:
            return {"found": None}
        own = of_choices(policy, transitions, cost)
        chosen = None if own is None else asdict(own)
        return {"found": {**asdict(found), "worst": found.worst, "chosen": chosen}}

    settings = {"training": asdict(config), "held_out": count, "cost": cost}
    calibrated: dict[str, Any] | None = kept(folder / "calibration.json", settings, make)["found"]
    return calibrated


def _weights(folder: Path) -> Path:
    return folder / "training" / "weights.safetensors"


def held_out(config: TrainingConfig, policy: Callable[[], Any]) -> list[Transition]:
    """The transitions of a training that learns nothing."""
    source = Rollout(config, policy)
    found: list[Transition] = []
    try:
        number = 0
        while len(found) < config.actions:
            found += list(source.episode(number, len(found)))
            number += 1
    finally:
        source.close()
    return found[: config.actions]
