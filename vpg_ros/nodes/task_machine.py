"""The task itself: what is done in each state of :mod:`.task_table`."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from vpg_ros.action import Action, Transition
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.rewards import is_clear, reward, scene_changed
from vpg_ros.motion import Outcome
from vpg_ros.nodes.calls import Interrupted
from vpg_ros.nodes.task_parameters import Parameters
from vpg_ros.nodes.task_table import FINAL, TRANSITIONS, Event, State

# An action refused for one of these is a bad choice, not a broken cell: another one is tried.
RETRIED = frozenset(
    {
        ErrorCode.OK,
        ErrorCode.POSE_UNREACHABLE,
        ErrorCode.OUTSIDE_WORKSPACE,
        ErrorCode.BELOW_TABLE,
        ErrorCode.JOINT_LIMIT,
        ErrorCode.MOTION_REJECTED,
    }
)


class Choice(Protocol):
    """A chosen action and how long the choice took."""

    @property
    def action(self) -> Action:
        """What to do."""
        ...

    @property
    def decision_ms(self) -> float:
        """From heightmap to action, ms."""
        ...


class Cell(Protocol):
    """What the task needs of the other nodes (see :class:`.task_clients.Clients`)."""

    def wait_ready(self) -> None:
        """Wait until all of them answer."""
        ...

    def capture(self) -> Heightmap:
        """The scene now."""
        ...

    def select(self, heightmap: Heightmap, tried: Sequence[Action]) -> Choice:
        """What to do next."""
        ...

    def execute(self, action: Action, heightmap: Heightmap) -> Outcome:
        """What came of doing it; its error code is in the outcome."""
        ...

    def park(self) -> None:
        """Take the arm home."""
        ...

    @property
    def lost(self) -> int:
        """Objects known to have left the table, but not into the bin."""
        ...


class Task:
    """Clears a table.

    on_state hears every state as it begins; on_step every finished transition, with the decision's
    ms and the wall time of the whole step in s; a VpgError of either ends the task. error is what
    ended it, None when cleared; park_error, why the arm could not be parked after that.
    """

    def __init__(
        self,
        cell: Cell,
        parameters: Parameters,
        episode: str,
        on_state: Callable[[State], None],
        on_step: Callable[[Transition, float, float], None],
    ) -> None:
        self._cell = cell
        self._parameters = parameters
        self._episode = episode
        self._on_state = on_state
        self._on_step = on_step
        self._handlers = {
            State.HOME: self._home,
            State.CAPTURE: self._capture,
            State.SELECT: self._select,
            State.EXECUTE: self._execute,
            State.CAPTURE_AFTER: self._capture_after,
            State.RECORD: self._record,
            State.PARK: self._park,
        }
        self.error: VpgError | None = None
        self.park_error: VpgError | None = None
        self.cleared = False
        self.parked = False
        self._before: Any = None
        self._after: Any = None
        self._choice: Any = None
        self._outcome = Outcome(False)
        self._tried: list[Action] = []
        self._unchanged = 0
        self._steps = 0
        self._start = time.monotonic()

    def run(self) -> None:
        """Go from state to state until a final one."""
        state = State.HOME
        while state not in FINAL:
            told = self._tell(state)
            # Whatever cannot be told of, the arm is parked.
            event = self._event(state) if told or state is State.PARK else Event.ERROR
            state = TRANSITIONS[state, event]
        self._tell(state)

    def _tell(self, state: State) -> bool:
        """Whether ``state`` could be told of; the first error is the reason of the end."""
        try:
            self._on_state(state)
        except VpgError as error:
            self.error = self.error or error
            return False
        return True

    def _event(self, state: State) -> Event:
        """Do what ``state`` is for; errors and interruptions become events."""
        try:
            return self._handlers[state]()
        except Interrupted:
            sentence = "stopped on request before the table was clear"
            return self._end(Event.STOP, VpgError(ErrorCode.STOPPED, sentence))
        except VpgError as error:
            return self._end(Event.ERROR, error)

    def _end(self, event: Event, error: VpgError) -> Event:
        """Keep the first error as the reason; a later one can only be of parking."""
        if self.error is None:
            self.error = error
        else:
            self.park_error = error
        return event

    def _home(self) -> Event:
        self._cell.wait_ready()
        self._cell.park()
        return Event.OK

    def _capture(self) -> Event:
        self._before = self._cell.capture()
        return self._clear() if is_clear(self._before) else Event.OK

    def _select(self) -> Event:
        self._start = time.monotonic()
        try:
            self._choice = self._cell.select(self._before, self._tried)
        except VpgError as error:
            if error.code is not ErrorCode.NO_ADMISSIBLE_ACTION:
                raise
            stuck = VpgError(ErrorCode.STUCK, f"stuck: {error.message}")
            return self._end(Event.GIVE_UP, stuck)
        return Event.OK

    def _execute(self) -> Event:
        self._outcome = self._cell.execute(self._choice.action, self._before)
        if self._outcome.error_code not in RETRIED:
            raise VpgError(self._outcome.error_code, self._outcome.error_msg)
        return Event.OK

    def _capture_after(self) -> Event:
        self._after = self._cell.capture()
        return Event.OK

    def _record(self) -> Event:
        """Reward, hand on, and decide whether to go on."""
        action, before, after = self._choice.action, self._before, self._after
        changed = scene_changed(before, after)
        self._tried = [] if changed else [*self._tried, action]
        self._unchanged = 0 if changed else self._unchanged + 1
        clear = is_clear(after)
        gain = reward(action, self._outcome, before, after)
        done = clear or self._gives_up() is not None
        step = Transition(
            self._episode, self._steps, before, action, self._outcome, gain, after, done
        )
        self._steps += 1
        self._on_step(step, self._choice.decision_ms, time.monotonic() - self._start)
        self._before = after
        error = self._gives_up()
        if clear:
            return self._clear()
        return Event.OK if error is None else self._end(Event.GIVE_UP, error)

    def _park(self) -> Event:
        self._cell.park()
        self.parked = True
        return Event.OK if self.cleared and self.error is None else Event.ERROR

    def _clear(self) -> Event:
        """Nothing is left; what fell off the table was not cleared from it."""
        lost = self._cell.lost
        self.cleared = lost == 0
        if lost:
            sentence = f"the table is empty, but {lost} objects left it without being picked"
            self.error = VpgError(ErrorCode.OBJECTS_LOST, sentence)
        return Event.CLEAR

    def _gives_up(self) -> VpgError | None:
        """Why there should be no further action."""
        if self._unchanged >= self._parameters.max_unchanged:
            reason = f"; the last one: {self._outcome.error_msg}" if self._outcome.error_msg else ""
            sentence = f"stuck: {self._unchanged} actions in a row changed nothing{reason}"
            return VpgError(ErrorCode.STUCK, sentence)
        if self._steps >= self._parameters.max_actions:
            sentence = f"the table is not clear after {self._steps} actions (max_actions)"
            return VpgError(ErrorCode.ACTION_LIMIT, sentence)
        return None
