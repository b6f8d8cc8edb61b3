"""How a training goes: a record of every action, and the figures made of them."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from vpg_ros import primitives

WINDOW = 100  # grasps over which success is reported


class Step(NamedTuple):
    """One action of a training.

    action: its number, from 1. changed: whether it changed the scene. loss: mean of its updates.
    grasp_success_last_100: share of the last WINDOW picking actions, this one included, that
    picked; 0 before the first. seconds: since the training began, without pauses between runs.
    """

    action: int
    primitive: str
    success: bool
    changed: bool
    loss: float
    grasp_success_last_100: float
    seconds: float


@dataclass
class Progress:
    """What was done so far.

    seconds: wall time of all runs together. episodes: ended. clear: whether the table was at the
    end of each. following: the first number beyond those of all episodes learned from; workers play
    them in another order, and leave some out.
    """

    steps: list[Step] = field(default_factory=list)
    clear: list[bool] = field(default_factory=list)
    seconds: float = 0.0
    episodes: int = 0
    following: int = 0

    def __post_init__(self) -> None:
        self._picks: deque[bool] = deque(maxlen=WINDOW)
        for step in self.steps:
            self._count(step.primitive, step.success)

    def add(self, primitive: str, success: bool, changed: bool, loss: float) -> None:
        """Record an action."""
        self._count(primitive, success)
        now = (self.grasp_success, round(self.seconds, 3))
        self.steps.append(Step(self.actions + 1, primitive, success, changed, loss, *now))

    def end_episode(self, clear: bool) -> None:
        """Record that an episode ended, with nothing left on the table or not."""
        self.clear.append(clear)
        self.episodes += 1

    def _count(self, primitive: str, success: bool) -> None:
        if primitives.get(primitive).picks:
            self._picks.append(success)

    @property
    def actions(self) -> int:
        """Actions done."""
        return len(self.steps)

    @property
    def outcomes(self) -> list[tuple[str, bool, bool]]:
        """(primitive, whether it succeeded, whether the scene changed) of every action."""
        return [(step.primitive, step.success, step.changed) for step in self.steps]

    @property
    def grasp_success(self) -> float:
        """Success rate of the last WINDOW picking actions, 0 before the first."""
        return sum(self._picks) / len(self._picks) if self._picks else 0.0

    @property
    def completion(self) -> float:
        """Share of the last WINDOW episodes that ended with a clear table, 0 before the first."""
        last = self.clear[-WINDOW:]
        return sum(last) / len(last) if last else 0.0

    @property
    def actions_per_minute(self) -> float:
        """Over the whole training."""
        return 60 * self.actions / max(self.seconds, 1e-9)

    def state(self) -> dict[str, Any]:
        """Plain types; inverse of ``of``."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return plain | {"steps": [tuple(step) for step in self.steps]}

    @staticmethod
    def of(state: dict[str, Any]) -> "Progress":
        """Inverse of ``state``."""
        return Progress(**state | {"steps": [Step(*step) for step in state["steps"]]})


def figures(progress: Progress) -> dict[str, Any]:
    """What a training came to, as plain JSON types; None for what it never reached.

    actions_to_90, actions_to_95: actions after which WINDOW grasps in a row first had that success
    rate. held_min: the lowest such rate from the moment it was first 95 % on.
    """
    windows = list(_full_windows(progress.steps))
    to_95 = _first(windows, 0.95)
    after = [rate for action, rate in windows if to_95 is not None and action >= to_95]
    return {
        "actions": progress.actions,
        "actions_to_90": _first(windows, 0.90),
        "actions_to_95": to_95,
        "grasp_success_last_100": progress.grasp_success,
        "held_min": min(after, default=None),
        "seconds": progress.seconds,
        "actions_per_minute": progress.actions_per_minute,
    }


def _full_windows(steps: Iterable[Step]) -> Iterator[tuple[int, float]]:
    """(action, success rate of the WINDOW grasps that end with it), from the first full one on."""
    grasps = 0
    for step in steps:
        grasps += primitives.get(step.primitive).picks
        if grasps >= WINDOW:
            yield step.action, step.grasp_success_last_100


def _first(windows: Iterable[tuple[int, float]], level: float) -> int | None:
    return next((action for action, rate in windows if rate >= level), None)
