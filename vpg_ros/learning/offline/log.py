"""A log in memory: experiences, who acted with what probability, and what came of it later."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.errors import ErrorCode, require
from vpg_ros.geometry import Workspace
from vpg_ros.learning.replay import Experience
from vpg_ros.learning.store import read_transitions
from vpg_ros.learning.store.misfit import misfit
from vpg_ros.policy.config import SMOOTHING, NetworkConfig


@dataclass(frozen=True)
class Log:
    """Transitions as learning needs them, in their order.

    experiences: N. episodes: name of each one's episode, N. steps: its index there, N.
    probabilities: of each action under the policy that chose it, 0 where not known, N. successes:
    N. led_to: (actions later, reward) of the pick that each action led to, N, as of the whole
    store: a selection leaves out actions, not what they came to. workspace: of all.
    """

    experiences: tuple[Experience, ...]
    episodes: tuple[str, ...]
    steps: tuple[int, ...]
    probabilities: tuple[float, ...]
    successes: tuple[bool, ...]
    led_to: tuple[tuple[int, float], ...]
    workspace: Workspace

    def __len__(self) -> int:
        return len(self.experiences)

    def first(self, count: int) -> "Log":
        """Its first ``count`` transitions."""
        return self._select(range(min(count, len(self))))

    def _select(self, indices: Sequence[int]) -> "Log":
        return Log(
            tuple(self.experiences[i] for i in indices),
            tuple(self.episodes[i] for i in indices),
            tuple(self.steps[i] for i in indices),
            tuple(self.probabilities[i] for i in indices),
            tuple(self.successes[i] for i in indices),
            tuple(self.led_to[i] for i in indices),
            self.workspace,
        )

    def picks(self, index: int) -> bool:
        """Whether an action is of a primitive that picks."""
        return primitives.get(self.experiences[index].primitive).picks

    def grasp_success(self) -> float:
        """Share of the picking actions that picked; 0 without any."""
        picks = [success for i, success in enumerate(self.successes) if self.picks(i)]
        return sum(picks) / len(picks) if picks else 0.0

    def with_push_share(self, share: float, seed: int) -> "Log":
        """With actions left out at random until a ``share`` of them does not pick, 0 < share < 1.

        Raises STORE_MISMATCH where there are none that pick, or none that do not.
        """
        kinds = [[i for i in range(len(self)) if self.picks(i) is picks] for picks in (False, True)]
        require(
            all(kinds),
            f"push_share is {share}, but of the {len(self)} actions in the data set "
            f"{len(kinds[1])} pick and {len(kinds[0])} do not",
            ErrorCode.STORE_MISMATCH,
        )
        whole = min(len(kinds[0]) / share, len(kinds[1]) / (1 - share))  # as many as there can be
        rng = np.random.default_rng(seed)
        kept = [
            rng.choice(kind, max(1, int(part * whole)), replace=False)
            for kind, part in zip(kinds, (share, 1 - share), strict=True)
        ]
        return self._select(np.sort(np.concatenate(kept)).tolist())

    def returns(self, gamma: float) -> list[float]:
        """What each action came to, by the learner's default rule, N values in [0, 1].

        1 for a pick and 0 for an attempt that failed; gamma times the return of the next action of
        the episode for any other that changed the scene. A Monte-Carlo return of who acted.
        """
        return [gamma**later * reward for later, reward in self.led_to]

    def follows(self, index: int) -> bool:
        """Whether an action is the next one of the same episode as the one before it."""
        if not 0 < index < len(self):
            return False
        same = self.episodes[index] == self.episodes[index - 1]
        return same and self.steps[index] == self.steps[index - 1] + 1

    def by_episode(self) -> list[range]:
        """The indices of each run of actions that follow one another."""
        starts = [i for i in range(len(self)) if not self.follows(i)]
        return [range(a, b) for a, b in zip(starts, [*starts[1:], len(self)], strict=True)]

    def whole_episodes(self) -> list[range]:
        """Those runs that are all of an episode, as far as the log tells.

        The last one may have been cut off, unless it cleared the table.
        """
        runs = self.by_episode()
        parts = Counter(self.episodes[run.start] for run in runs)
        return [
            run
            for run in runs
            if self.steps[run.start] == 0
            and parts[self.episodes[run.start]] == 1
            and (run.stop < len(self) or self.experiences[run.stop - 1].done)
        ]


def read_log(
    path: str | Path,
    config: NetworkConfig,
    limit: int | None = None,
    report: Callable[[int], None] = lambda count: None,
) -> Log:
    """The first ``limit`` transitions of a store, all if None, for a network to learn from.

    report: hears how many were read. Raises STORE_UNREADABLE where the store is missing, empty or
    cut off, STORE_MISMATCH for a missing field, another workspace or resolution, a map of a size, a
    primitive, a rotation or a pixel that the network does not value, and what is a ``misfit``; each
    says what and where.
    """
    reader = _Reader(config)
    for transition in islice(read_transitions(path, whole=True), limit):
        reader.add(transition)
        report(reader.count)
    require(
        reader.count > 0, f"{path} holds no transitions to learn from", ErrorCode.STORE_UNREADABLE
    )
    return reader.log()


class _Reader:
    """Collects transitions; a heightmap that two of them share is kept once."""

    def __init__(self, config: NetworkConfig) -> None:
        self._config = config
        self._last: Transition | None = None
        self._experiences: list[Experience] = []
        self._rows: list[tuple[str, int, float, bool]] = []

    @property
    def count(self) -> int:
        """Transitions collected."""
        return len(self._rows)

    def add(self, transition: Transition) -> None:
        """Append one."""
        _check(transition, self._config, self.count)
        experience = Experience.of(transition, self._config.colour)
        if self._last is not None and _continues(self._last, transition):
            before = self._experiences[-1]
            experience = replace(experience, height=before.next_height, colour=before.next_colour)
        action = transition.action
        row = (transition.episode, transition.step, action.probability, transition.outcome.success)
        self._experiences.append(experience)
        self._rows.append(row)
        self._last = transition

    def log(self) -> Log:
        """What was collected."""
        assert self._last is not None
        episodes, steps, probabilities, successes = zip(*self._rows, strict=True)
        led_to = _led_to(self._experiences, list(zip(episodes, steps, strict=True)))
        workspace = self._last.before.workspace
        known = (tuple(self._experiences), episodes, steps, probabilities, successes)
        return Log(*known, tuple(led_to), workspace)


def _led_to(
    experiences: Sequence[Experience], places: Sequence[tuple[str, int]]
) -> list[tuple[int, float]]:
    """The picks that actions led to, as of Log, N; (0, 0.0) for none.

    places: (episode, step) of each, N. A pick leads to itself.
    """
    found = [(0, 0.0)] * len(experiences)
    for i, each in reversed(list(enumerate(experiences))):
        episode, step = places[i]
        if primitives.get(each.primitive).picks:
            found[i] = (0, each.reward)
        elif each.changed and places[i + 1 : i + 2] == [(episode, step + 1)]:
            later, reward = found[i + 1]
            found[i] = (later + 1, reward)
    return found


def _continues(last: Transition, transition: Transition) -> bool:
    same = np.array_equal(last.after.height, transition.before.height, equal_nan=True)
    return bool(same and np.array_equal(last.after.colour, transition.before.colour))


def _check(transition: Transition, config: NetworkConfig, index: int) -> None:
    """Raise STORE_MISMATCH unless a network of ``config`` values the action."""
    where = f"transition {index} (episode {transition.episode!r}, step {transition.step})"
    reason = misfit(transition, dict(config.primitives))
    require(reason is None, f"{where} {reason}", ErrorCode.STORE_MISMATCH)
    workspace, cell = transition.before.workspace, config.cell
    least = cell * (SMOOTHING // 2 + 1)  # what mirrors beyond its edge when values are averaged
    require(
        all(side >= least and side % cell == 0 for side in workspace.shape),
        f"{where} has a map of {workspace.rows} × {workspace.columns} pixels; both must be "
        f"multiples of {cell}, and {least} at least",
        ErrorCode.STORE_MISMATCH,
    )
    resolution = workspace.resolution
    require(
        abs(resolution - config.resolution) < 1e-9,
        f"{where} has {resolution} m a pixel; the policy is made for {config.resolution}",
        ErrorCode.STORE_MISMATCH,
    )
