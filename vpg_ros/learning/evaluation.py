"""A whole evaluation: cases times seeds, over worker processes, continued where it was stopped."""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vpg_ros import __version__
from vpg_ros.errors import require
from vpg_ros.learning.cases import EvaluationCase, find_cases
from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.figures import Run, summary
from vpg_ros.learning.run_log import RunLog
from vpg_ros.learning.watch import Watch
from vpg_ros.learning.workers import Task, play
from vpg_ros.policy.risk import MEAN

Report = Callable[[Run], None]


def first_table(training: int, runs: int) -> int:
    """Seed of the first of ``runs`` tables on which a training, by its seed, is evaluated.

    Each training has tables of its own, so that those of several are independent.
    """
    return training * runs % 2**31


@dataclass(frozen=True)
class Evaluation:
    """What is played: ``runs`` seeds from ``seed`` on, in every case of ``scenes``.

    scenes, objects, jitter: as of ``find_cases``. camera: as of TableEnv. Raises PARAMETER_INVALID.
    """

    player: Player = field(default_factory=Player)
    scenes: str = "random"
    objects: int | None = None
    runs: int = 30
    seed: int = 0
    camera: str = "perspective"
    jitter: bool = True

    def __post_init__(self) -> None:
        require(self.runs > 0, f"runs is {self.runs}; it must be > 0")
        require(self.seed >= 0, f"seed is {self.seed}; it must be >= 0")

    @cached_property
    def cases(self) -> tuple[EvaluationCase, ...]:
        """What ``scenes`` stands for; raises as ``find_cases``."""
        return find_cases(self.scenes, self.objects, self.jitter)

    @property
    def seeds(self) -> range:
        """Of the runs of each case."""
        return range(self.seed, self.seed + self.runs)

    def tasks(self) -> list[Task]:
        """Every case with every seed."""
        return [(case, seed) for case in self.cases for seed in self.seeds]

    def settings(self) -> dict[str, Any]:
        """What a run depends on besides case and seed; plain JSON types."""
        contestant = self.player.load()
        return {
            "version": __version__,
            "scenes": self.scenes,
            "cases_digest": hashlib.sha256(repr(self.cases).encode()).hexdigest()[:12],
            "policy": self.player.kind,
            "checkpoint": contestant.checkpoint,
            "primitives": list(contestant.names),
            "camera": self.camera,
            **self._risk(),
            **({} if self.jitter else {"jitter": False}),
            **({"strategy": self.player.strategy} if self.player.strategy else {}),
        }

    def _risk(self) -> dict[str, Any]:
        """The risk measure, where it is not the mean: logs of the mean alone do not name it."""
        if self.player.risk == MEAN.name:
            return {}
        return {"risk": self.player.risk, "alpha": self.player.alpha}


def evaluate(
    evaluation: Evaluation,
    log: Path | None = None,
    jobs: int = 1,
    report: Report = lambda run: None,
) -> dict[str, Any]:
    """Play what is not on file yet; returns settings and figures (``summary``), plain JSON types.

    log: keeps every run as it ends, and those of an earlier call with the same settings are not
    played again (``RunLog``). jobs: worker processes; the runs are the same for any number.
    report: hears of every run, those on file first.
    """
    require(jobs > 0, f"jobs is {jobs}; it must be > 0")
    tasks, settings = evaluation.tasks(), evaluation.settings()
    with closing(RunLog(log, settings)) if log else nullcontext() as record:
        done = dict(record.done) if record else {}
        for task in tasks:
            if _key(task) in done:
                report(done[_key(task)])
        left = [task for task in tasks if _key(task) not in done]
        for run in play(evaluation.player, evaluation.camera, settings["checkpoint"], left, jobs):
            done[run.case, run.seed] = run
            if record:
                record.add(run)
            report(run)
    runs = [done[_key(task)] for task in tasks]
    return {**settings, "seeds": list(evaluation.seeds), **summary(runs)}


def evaluate_all(
    evaluations: Mapping[str, Evaluation],
    folder: Path,
    title: str,
    watch: Watch,
    jobs: int = 1,
    prefix: str = "",
) -> dict[str, list[dict[str, Any]]]:
    """The runs of every evaluation, as ``evaluate`` has them.

    folder: keeps them, each in the file of its name after ``prefix``. title: of the steps that the
    watch hears of.
    """
    found = {}
    for name, evaluation in evaluations.items():
        report = watch.each(f"{title}: playing {name}", len(evaluation.tasks()))
        log = folder / f"{prefix}{name}.jsonl"
        found[name] = evaluate(evaluation, log, jobs, report)["runs"]
    return found


def _key(task: Task) -> tuple[str, int]:
    case, seed = task
    return case.name, seed
