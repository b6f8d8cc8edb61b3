"""Measure how training scales with rollout workers, and where it stops.

    .venv/bin/python benchmarks/workers.py --workers 0 1 2 --seconds 35 --json workers.json

Each row trains anew on the same scenes: acting and learning in turns, one action ahead of the
learner (what `vpg train` does without workers), then with workers. The first actions, which are
random and find everything cold, do not count. Of each action, the time that the learner takes and
the time that it waits for the next transition are measured apart. In turns they add up, and so give
the model: N workers come to min(N × rollout rate, learner rate) actions a minute while each process
has a core of its own, and more than learner rate / rollout rate are of no use.
"""

import argparse
import contextlib
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from vpg_ros.action import Transition
from vpg_ros.atomic import write_json
from vpg_ros.learning.ahead import ActAhead
from vpg_ros.learning.config import TrainingConfig
from vpg_ros.learning.learner import Learner
from vpg_ros.learning.rollout import Rollout, Source
from vpg_ros.learning.rollout_workers import RolloutWorkers
from vpg_ros.learning.threads import one_thread
from vpg_ros.learning.train import Trainer

_MANY = 1_000_000  # actions: more than there is time for
_IN_TURNS = "in turns"


class TimeIsUp(Exception):
    """Ends a training."""


class Stopwatch:
    """A source that measures how long it is waited for, and what happens in between, s.

    The first ``skipped`` actions do not count. Raises TimeIsUp after ``seconds`` of what does.
    """

    def __init__(self, source: Source, skipped: int, seconds: float) -> None:
        self._source, self._skipped, self._seconds = source, skipped, seconds
        self.waiting = self.learning = 0.0
        self.actions = 0
        self._last = time.monotonic()

    def episode(self, number: int, actions: int) -> Iterator[Transition]:
        """See :class:`Source`."""
        for transition in self._source.episode(number, actions):
            waited = self._lap()
            yield transition
            learned = self._lap()
            if self._skipped > 0:
                self._skipped -= 1
                continue
            self.actions += 1
            self.waiting += waited
            self.learning += learned
            if self.waiting + self.learning > self._seconds:
                raise TimeIsUp

    def close(self) -> None:
        """See :class:`Source`."""
        self._source.close()

    def _lap(self) -> float:
        now = time.monotonic()
        lap, self._last = now - self._last, now
        return lap


def make_source(kind: str, config: TrainingConfig, learner: Learner) -> Source:
    """In turns, ahead (of 0 workers), or as many workers."""
    if kind == _IN_TURNS:
        return Rollout(config, learner.policy)
    return RolloutWorkers(config, learner, int(kind)) if int(kind) else ActAhead(config, learner)


def measure(kind: str, config: TrainingConfig, seconds: float) -> dict[str, Any]:
    """Actions a minute, and the ms of an action that the learner works and waits."""
    watches: list[Stopwatch] = []

    def timed(config: TrainingConfig, learner: Learner) -> Source:
        watches.append(Stopwatch(make_source(kind, config, learner), config.warm_up, seconds))
        return watches[0]

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(TimeIsUp):
        Trainer(config, Path(folder), make_source=timed).run()
    (watch,) = watches
    return {
        "source": kind,
        "actions": watch.actions,
        "actions_per_minute": 60 * watch.actions / (watch.learning + watch.waiting),
        "learning_ms": 1000 * watch.learning / watch.actions,
        "waiting_ms": 1000 * watch.waiting / watch.actions,
    }


def fit(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The model's rates, from acting and learning in turns, and its figure in each other row."""
    turns = rows[0]
    learner, rollout = 60_000 / turns["learning_ms"], 60_000 / turns["waiting_ms"]
    for row in rows[1:]:
        row["model"] = min(max(1, int(row["source"])) * rollout, learner)
    return {
        "rollout_per_minute": rollout,
        "learner_per_minute": learner,
        "useful_workers": math.ceil(learner / rollout),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }


def show(console: Console, rows: list[dict[str, Any]], model: dict[str, Any]) -> None:
    """A row a source, and the model in a sentence."""
    columns = ("source", "actions", "actions_per_minute", "model", "learning_ms", "waiting_ms")
    table = Table(*columns, title="rollout workers (0: one actor, ahead of the learner)")
    for row in rows:
        cells = [row.get(name, "") for name in columns]
        table.add_row(*(f"{cell:.0f}" if isinstance(cell, float) else str(cell) for cell in cells))
    console.print(table)
    console.print(
        "model: actions/min = min(N × {rollout_per_minute:.0f}, {learner_per_minute:.0f}), so "
        "{useful_workers} workers keep the learner busy given a core each and one for it; this "
        "machine has {cores} cores and, now, a load of {load:.1f}".format(**model)
    )


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seconds", type=float, default=35.0, help="that count, of each row")
    parser.add_argument("--skipped", type=int, default=16, help="first actions, not to count")
    parser.add_argument("--camera", choices=("perspective", "ortho"), default="perspective")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    one_thread()
    config = TrainingConfig(actions=_MANY, warm_up=options.skipped, camera=options.camera)
    console, rows = Console(), []
    for kind in (_IN_TURNS, *map(str, options.workers)):
        with console.status(f"source: {kind}"):
            rows.append(measure(kind, config, options.seconds))
    model = fit(rows)
    show(console, rows, model)
    if options.json:
        write_json(options.json, {"rows": rows, "model": model})
    return 0


if __name__ == "__main__":
    sys.exit(main())
