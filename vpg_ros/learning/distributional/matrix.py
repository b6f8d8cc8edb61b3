"""What the study of value distributions trains, and how it is measured."""

from dataclasses import dataclass

from vpg_ros.choices import HEADS, SCALAR
from vpg_ros.errors import require, require_seed
from vpg_ros.policy.risk import MEAN, make_risk

STANDARD, RISK, DECISION = PARTS = ("standard", "risk", "decision")
CLUTTER = "random"  # beside the challenging cases, what is played after learning on STANDARD
# What is evaluated with how many objects; in the last one no action can help it.
FAMILIES = {"tangled": 4, "sticky": 4, "glazed": 4, "stuck": 4, "ledge": 4, "cracked": 4}
CONTROL = "cracked"
CVAR = "cvar"
MEASURES = (MEAN.name, CVAR)
# An accident costs a quarter of a pick. A push that makes a pick safe is worth half of one: less
# than a pick that goes wrong 35 times in a hundred, 0.56, and more than the worse half of such
# picks, 0.125, which in turn beats doing nothing, 0. Values of all of these are atoms.
ACCIDENT_COST, GAMMA = 0.25, 0.5


@dataclass(frozen=True)
class Matrix:
    """What is trained and how it is measured.

    parts: of the study, of PARTS. heads, actions: of the trainings on the standard scenes.
    challenging, random_runs: tables that their weights then play, of each challenging case, 0 for
    none, and of random clutter. risk_heads, families, risk_actions: of the trainings on FAMILIES,
    each by itself. runs: tables of each under each of MEASURES. alpha: of the CVaR. held_out:
    transitions that calibration is measured on. repeats: rounds of timed decisions. camera: of
    trainings and evaluations. jobs: processes of an evaluation.
    """

    parts: tuple[str, ...] = PARTS
    heads: tuple[str, ...] = HEADS
    risk_heads: tuple[str, ...] = tuple(head for head in HEADS if head != SCALAR)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    actions: int = 1000
    challenging: int = 10
    random_runs: int = 30
    families: tuple[str, ...] = tuple(FAMILIES)
    risk_actions: int = 1200
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
        require(SCALAR not in self.risk_heads, "risk_heads has 'scalar', which knows no risk")
        counts = ("actions", "random_runs", "risk_actions", "runs", "held_out", "repeats", "jobs")
        for name in counts:
            value = getattr(self, name)
            require(value > 0, f"{name} is {value}; it must be > 0")
        require(self.challenging >= 0, f"challenging is {self.challenging}; it must be >= 0")
        for seed in self.seeds:
            require_seed(seed)
        make_risk(CVAR, self.alpha)  # raises where it is none


# Minutes on two cores; too little to learn from, enough to see all of it work.
QUICK = Matrix(
    risk_heads=("categorical",),
    seeds=(0,),
    actions=30,
    challenging=0,
    random_runs=1,
    risk_actions=30,
    runs=1,
    held_out=10,
    repeats=1,
)
