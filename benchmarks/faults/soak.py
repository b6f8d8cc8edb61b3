"""``python -m benchmarks.faults.soak``: many actions through the whole graph, and random faults.

One system, as fast as the machine simulates. Every so many actions a fault is drawn that ends the
running task, but no node; a further task goes on with what is on the table.

Memory counts from the 25th action on, when all that is made at its first use is there. A shorter
soak has no figures of memory. A task's own memory is compared between its first and its last run,
at their ends.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.faults.__main__ import chosen
from benchmarks.faults.memory import growth, resident
from benchmarks.faults.rig import TASK, Late, Rig, TaskRun
from benchmarks.faults.table import write
from benchmarks.faults.trial import Result, carry_out
from vpg_ros.errors import VpgError

FLAT = 0.05  # share by which a node's memory may grow
_WARM_UP = 25  # actions after which memory counts


@dataclass
class Soak:
    """What a soak comes to. memory_growth: node → share; the others: how many."""

    actions: int = 0
    faults: int = 0
    crashes: int = 0
    transitions_lost: int = 0
    memory_growth: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Some actions, no crash, no leak, nothing lost, every fault survived."""
        flat = all(share <= FLAT for share in self.memory_growth.values())
        whole = bool(self.actions) and not (self.crashes or self.transitions_lost or self.failures)
        return whole and flat


class Runner:
    """Runs tasks and faults until enough actions are done."""

    def __init__(self, rig: Rig, options: argparse.Namespace, console: Console) -> None:
        self._rig, self._options, self._console = rig, options, console
        self._faults = [fault for fault in chosen(()) if fault.soak]
        self._rng = np.random.default_rng(options.seed)
        self._early: dict[str, int] = {}
        self._start = time.monotonic()
        self.soak = Soak()

    def run(self) -> Soak:
        """The whole soak; what has come of it so far is on disk after each part."""
        while self.soak.actions < self._options.actions and not self._rig.dead:
            self._part()
            self._write()
        if self._rig.dead:
            self._fail(f"{', '.join(self._rig.dead)} has ended by itself")
            self._write()
        return self.soak

    def _part(self) -> None:
        """One task until its fault."""
        task = self._rig.task()
        wanted = min(self._options.every, self._options.actions - self.soak.actions)
        try:
            task.until(lambda: self._watch(task) >= wanted, "actions", 120.0 * wanted)
            task_memory = resident(task.process.pid)
            fault = self._faults[int(self._rng.integers(len(self._faults)))]
            self._judge(carry_out(fault, self._rig, task))
        except (Late, VpgError) as error:
            task_memory = 0
            self._fail(str(error))
        task.process.kill()
        self.soak.actions += task.actions
        self.soak.transitions_lost += task.lost
        self._remember(task_memory)

    def _judge(self, result: Result) -> None:
        self.soak.faults += 1
        if not result.passed:
            self._fail(f"{result.fault}: {result.reason}")
        mark = "✓" if result.passed else "✗"
        self._console.print(f"{mark} {result.fault} {result.reason}", highlight=False, markup=False)

    def _fail(self, reason: str) -> None:
        """Count the dead, and go on with others in their places."""
        self.soak.failures.append(reason)
        self.soak.crashes += len(self._rig.dead)
        self._rig.heal()

    def _watch(self, task: TaskRun) -> int:
        """Actions of the task; memory is first noted once the system is warm."""
        time.sleep(0.2)
        actions = task.actions
        noted = "motion_node" in self._early
        if not noted and self.soak.actions + actions >= _WARM_UP:
            self._early |= self._memory()
        return actions

    def _memory(self) -> dict[str, int]:
        return {name: resident(pid) for name, pid in self._rig.pids.items()}

    def _remember(self, task_memory: int) -> None:
        """By how much every node has grown."""
        late = self._memory()
        if task_memory:
            self._early.setdefault(TASK, task_memory)
            late[TASK] = task_memory
        self.soak.memory_growth = growth(self._early, late)

    def _write(self) -> None:
        self.soak.seconds = round(time.monotonic() - self._start, 1)
        write(Path(self._options.out), asdict(self.soak) | {"passed": self.soak.passed})
        soak, wanted = self.soak, self._options.actions
        self._console.print(f"{soak.actions} of {wanted} actions, {soak.seconds:.0f} s")


def table(soak: Soak) -> Table:
    """The figures of a soak."""
    result = Table("figure", "value", title="Soak")
    for name in ("actions", "faults", "crashes", "transitions_lost", "seconds"):
        result.add_row(name.replace("_", " "), str(getattr(soak, name)))
    for name, share in soak.memory_growth.items():
        result.add_row(f"memory of {name}", f"{share:+.1%}")
    for failure in soak.failures:
        result.add_row("failed", failure.replace("[", r"\["))
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing crashed, leaked, got lost or failed to recover."""
    options = _parser().parse_args(arguments)
    console = Console()
    folder = Path(options.out).parent / time.strftime("soak-%Y%m%d-%H%M%S")
    with Rig(folder, options.patience, policy=options.policy, objects="10", scene="random") as rig:
        soak = Runner(rig, options, console).run()
    console.print(table(soak))
    return 0 if soak.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults.soak", description=__doc__)
    add = parser.add_argument
    add("--actions", type=int, default=500, help="actions in all")
    add("--every", type=int, default=20, help="actions between two faults")
    add("--seed", type=int, default=0, help="of the order of faults")
    add("--out", default="runs/soak.json", help="the figures, rewritten after each fault")
    add("--policy", default="network", help="who chooses the actions")
    add("--patience", type=float, default=1.0, help="factor of all deadlines, for a busy machine")
    return parser


if __name__ == "__main__":
    sys.exit(main())
