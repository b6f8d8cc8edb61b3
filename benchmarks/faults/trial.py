"""One fault and what must come of it."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.faults.rig import Rig, TaskRun, until
from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Outcome

END = 90.0  # s within which the task has ended after a fault
# s after a fault within which the arm has moved for the last time: where it must stop at once, and
# where the task ends its action first and parks the arm.
AT_ONCE, IN_ORDER = 2.0, 30.0
STILL, MOVED = 0.3, 1e-3  # s for which no joint moves by so many rad: the arm stands
# rad that an arm that holds its targets may be bent by what it is pressed on, which may tip over or
# slide away after the arm has stopped.
GIVES = 0.02
RECONNECT = 10.0  # s within which what was lost is there again
QUIET = 1.0  # s for which nothing may move by itself once a fault is gone


class Failed(Exception):
    """The system did not do what it must."""


def check(condition: bool, sentence: str) -> None:
    """Raise Failed unless ``condition`` holds."""
    if not condition:
        raise Failed(sentence)


@dataclass(frozen=True)
class Result:
    """One line of the table; stop_s and recover_s in s of wall time."""

    fault: str
    passed: bool
    code: int
    stop_s: float
    recover_s: float
    reason: str = ""


@dataclass
class Trial:
    """What a fault function works with; it raises Failed, Late or VpgError where one is not due.

    task_run: a task that is under way already, for the fault to be made in.
    """

    rig: Rig
    code: ErrorCode
    running: TaskRun | None = None
    stop_s: float = 0.0
    recover_s: float = 0.0
    restarted: set[str] = field(default_factory=set)
    tasks: list[TaskRun] = field(default_factory=list)
    _injected: float = 0.0
    _cleared: float = 0.0

    def task(self, **settings: Any) -> TaskRun:
        """A running task."""
        task = self.running or self.rig.task(**settings)
        if self.running is not None:
            task.look_ahead()
            self.running = None
        self.tasks.append(task)
        return task

    def inject(self, fault: Callable[[], object]) -> None:
        """Make the fault; the clock of stop_s runs from here."""
        self._injected = time.monotonic()
        fault()

    def stands(self, over: Callable[[], bool] = lambda: True, within: float = IN_ORDER) -> None:
        """The arm stands still for good once ``over()``; stop_s is when it last moved.

        within: s, times the rig's patience, that stop_s may come to.
        """
        channel, joints = self.rig.channel, self.rig.channel.joints()
        last, deadline = self._injected, time.monotonic() + END * self.rig.patience
        while not (over() and time.monotonic() - last > STILL):
            check(
                time.monotonic() < deadline, "the arm does not come to rest, or the task to its end"
            )
            time.sleep(0.03)
            now = channel.joints()
            if float(np.abs(now - joints).max()) > MOVED:
                last, joints = time.monotonic(), now
        self.stop_s = last - self._injected
        allowed = within * self.rig.patience
        check(
            self.stop_s <= allowed,
            f"the arm moved for {self.stop_s:.1f} s after the fault; allowed: {allowed:g} s",
        )

    def expect(self, error: VpgError | None) -> None:
        """``error`` is of the code that the fault must be told by."""
        found = error.code if error else ErrorCode.OK
        sentence = f"{found.name} instead of {self.code.name}: {error}"
        check(found is self.code, sentence)

    def task_ends(self, task: TaskRun, parked: bool = True) -> None:
        """The task ends for the right reason, with the arm parked or not, and nothing moves on.

        An arm that is not parked has stopped at once.
        """
        self.stands(lambda: task.ended, IN_ORDER if parked else AT_ONCE)
        self.expect(task.end())
        check(task.parked == parked, f"the task says parked: {task.parked}, not {parked}")
        self.stands_still()

    def stands_still(self, seconds: float = QUIET) -> None:
        """Nothing moves by itself: no target changes, and the arm gives way but a little to what it
        is pressed on."""
        moved, asked = self.rig.channel.strays(seconds)
        check(asked < MOVED, f"the arm is told to move though nobody asked it to: {asked:.4f} rad")
        check(moved < GIVES, f"the arm moves though nobody asked it to: {moved:.2f} rad")

    def clear(self, remedy: Callable[[], object] = lambda: None) -> None:
        """Take the fault back; nothing moves because of it, at once or a while later.

        The clock of recover_s runs, while the arm is watched for QUIET s too.
        """
        before = self.rig.channel.joints()
        self._cleared = time.monotonic()
        remedy()
        self.stands_still()
        moved = float(np.abs(self.rig.channel.joints() - before).max())
        check(
            moved < GIVES,
            f"the arm moved when the fault was gone, though nobody asked it to: {moved:.2f} rad",
        )

    def heals(self) -> None:
        """The fault is gone by itself; the clock of recover_s runs since it was made."""
        self.clear()
        self._cleared = self._injected

    def recovers(self, within: float = RECONNECT) -> None:
        """Parking, seeing and choosing work again, soon, with the nodes there were."""
        operator = self.rig.operator
        deadline = time.monotonic() + within * self.rig.patience
        while True:
            try:
                operator.trigger("motion_node/park")
                operator.decide()
                break
            except VpgError as error:
                if time.monotonic() > deadline:
                    raise Failed(f"not recovered within {within:g} s: {error.sentence}") from None
                time.sleep(0.1)
        self.recover_s = time.monotonic() - self._cleared

    def restart(self, name: str, **changes: Any) -> None:
        """Start one node anew; it need not keep its process id."""
        self.restarted.add(name)
        self.rig.start(name, changes)

    def goal(self, action: Action, heightmap: Heightmap) -> "Goal":
        """A goal of the operator's, under way."""
        return Goal(self.rig, action, heightmap)


class Goal:
    """A goal that is carried out while the fault is made."""

    def __init__(self, rig: Rig, action: Action, heightmap: Heightmap) -> None:
        """Raises GOAL_REJECTED."""
        rig.operator.phases.clear()
        self._rig = rig
        self._handle = rig.operator.send(action, heightmap)
        self._pool = ThreadPoolExecutor(1)
        self._outcome = self._pool.submit(rig.operator.outcome, self._handle)

    def cancel(self) -> None:
        """Ask for its end."""
        self._handle.cancel_goal_async()

    def reaches(self, phase: str) -> bool:
        """Whether it begins a step of that name before it ends."""
        phases = self._rig.operator.phases
        until(lambda: phase in phases or self.ended, 120.0 * self._rig.patience, f"phase {phase}")
        return phase in phases

    @property
    def ended(self) -> bool:
        """Whether its result is there."""
        return self._outcome.done()

    def end(self) -> Outcome:
        """Its outcome; raises why there is none."""
        self._pool.shutdown(wait=False)
        return self._outcome.result()


@dataclass(frozen=True)
class Fault:
    """A fault that can be made. soak: it ends a running task and no node."""

    part: str
    name: str
    code: ErrorCode
    run: Callable[[Trial], None]
    soak: bool = False

    @property
    def title(self) -> str:
        """As the table has it."""
        return f"{self.part}: {self.name}"


FAULTS: list[Fault] = []


def fault(
    part: str, name: str, code: ErrorCode, soak: bool = False
) -> Callable[[Callable[[Trial], None]], Callable[[Trial], None]]:
    """Decorator: register a function as a fault, told by ``code``."""

    def register(run: Callable[[Trial], None]) -> Callable[[Trial], None]:
        FAULTS.append(Fault(part, name, code, run, soak))
        return run

    return register


def failed(chosen: Fault, error: Exception) -> Result:
    """The result of a fault that there was no system to make in."""
    return Result(chosen.title, False, int(chosen.code), 0.0, 0.0, f"no system: {error}")


def carry_out(chosen: Fault, rig: Rig, running: TaskRun | None = None) -> Result:
    """Make one fault and judge what comes of it; a failure is in the result, never raised."""
    trial, before, reason = Trial(rig, chosen.code, running), rig.pids, ""
    try:
        chosen.run(trial)
        after = rig.pids
        changed = {name for name in before if after[name] != before[name]} - trial.restarted
        check(not changed, f"other nodes were restarted: {', '.join(changed)}")
        for task in trial.tasks:
            check(task.ended, "a task goes on")
            check(task.lost == 0, f"{task.lost} transitions lost in {task.folder}")
        check(not rig.dead, f"nodes died: {rig.dead}")
    except Exception as error:  # a defect of the fault's own must not hide the other results
        reason = f"{type(error).__name__}: {error}"
        if error.__context__ is not None and not error.__suppress_context__:
            reason += f"; after {error.__context__}"  # what cleaning up came to hides no cause
    stop_s, recover_s = round(trial.stop_s, 2), round(trial.recover_s, 2)
    return Result(chosen.title, not reason, int(chosen.code), stop_s, recover_s, reason)
