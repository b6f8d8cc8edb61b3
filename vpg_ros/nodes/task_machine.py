"""The task itself: what is done in each state of :mod:`.task_table`."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from vpg_ros.action import Action, Transition
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.rewards import failures, is_clear, reward, scene_changed
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
        ErrorCode.COLLISION,
        ErrorCode.MOTION_BLOCKED,
    }
)

# So many times max_unchanged actions may change nothing where objects are put back, before what was
# tried is tried again: there is no other scene, and what is chosen at random often fails.
PATIENCE = 5


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

    def reset(self) -> None:
        """Put another scene on the table."""
        ...

    @property
    def lost(self) -> int:
        """Objects known to have left the table, but not into the bin."""
        ...


class Task:
    """Clears a table; or goes on for max_actions, with objects put back or new scenes.

    on_state hears every state as it begins; on_step every finished transition, with the decision's
    ms and the wall time of the whole step in s; a VpgError of either ends the task. error is what
    ended it, None when it did what it was asked for: cleared, or finished all actions of an endless
    task. park_error: why the arm could not be parked after that.
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
            State.RESET: self._reset,
            State.PARK: self._park,
        }
        self.error: VpgError | None = None
        self.park_error: VpgError | None = None
        self.cleared = False
        self.finished = False
        self.parked = False
        self._before: Any = None
        self._after: Any = None
        self._choice: Any = None
        self._outcome = Outcome(False)
        self._tried: list[Action] = []
        self._unchanged = 0
        self._steps = 0
        self._resets = 0
        self._first_step = 0  # of the scene there is now
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
            return self._give_up(VpgError(ErrorCode.STUCK, f"stuck: {error.message}"))
        return Event.OK

    def _execute(self) -> Event:
        self._outcome = self._cell.execute(self._choice.action, self._before)
        code = self._outcome.error_code
        if code not in RETRIED:
            raise VpgError(code, self._outcome.error_msg)
        if code is not ErrorCode.OK:
            self._cell.park()  # its way home may be what was blocked, and the camera sees the arm
        return Event.OK

    def _capture_after(self) -> Event:
        self._after = self._cell.capture()
        return Event.OK

    def _record(self) -> Event:
        """Reward, hand on, and decide whether to go on."""
        action, before, after = self._choice.action, self._before, self._after
        changed = scene_changed(before, after)
        self._tried = failures(self._tried, action, self._outcome, before, after)
        self._unchanged = 0 if changed else self._unchanged + 1
        clear = is_clear(after)
        gain = reward(action, self._outcome, before, after)
        self._steps += 1
        error = self._reason_to_give_up()
        number = self._steps - 1 - self._first_step
        step = Transition(self._scene, number, before, action, self._outcome, gain, after, clear)
        self._on_step(step, self._choice.decision_ms, time.monotonic() - self._start)
        self._before = after
        if clear:
            return self._clear()
        return Event.OK if error is None else self._give_up(error)

    @property
    def _scene(self) -> str:
        """Name of the episode, which a new scene begins another one of."""
        return f"{self._episode}-{self._resets}" if self._resets else self._episode

    def _reset(self) -> Event:
        self._cell.reset()
        self._resets += 1
        self._first_step = self._steps
        self._tried, self._unchanged = [], 0
        return Event.OK

    def _park(self) -> Event:
        self._cell.park()
        self.parked = True
        good = (self.cleared or self.finished) and self.error is None
        return Event.OK if good else Event.ERROR

    def _clear(self) -> Event:
        """Nothing is left; what fell off the table was not cleared from it."""
        if self._parameters.endless:
            return self._empty()
        lost = self._cell.lost
        self.cleared = lost == 0
        if lost:
            sentence = f"the table is empty, but {lost} objects left it without being picked"
            self.error = VpgError(ErrorCode.OBJECTS_LOST, sentence)
        return Event.CLEAR

    def _empty(self) -> Event:
        """Nothing is left of a table that is not to be cleared."""
        if self._steps >= self._parameters.max_actions:
            return self._finish()
        fresh = self._steps == self._first_step
        if self._parameters.new_scenes and not (fresh and self._resets):
            return Event.NEXT
        reason = "every object left it, though they are put back" if self._steps else "put some on"
        sentence = f"there are no objects on the table: {reason}"
        return self._end(Event.GIVE_UP, VpgError(ErrorCode.OBJECTS_LOST, sentence))

    def _give_up(self, error: VpgError) -> Event:
        """End because of ``error``, or go on all the same; having done all actions may be well.

        Where objects are put back, being stuck is for good only when nothing is left untried.
        """
        if error.code is ErrorCode.ACTION_LIMIT and self._parameters.endless:
            return self._finish()
        if error.code is ErrorCode.STUCK and self._parameters.new_scenes:
            return Event.NEXT
        if error.code is ErrorCode.STUCK and self._parameters.return_objects and self._tried:
            self._tried, self._unchanged = [], 0
            return Event.AGAIN
        return self._end(Event.GIVE_UP, error)

    def _finish(self) -> Event:
        self.finished = True
        return Event.GIVE_UP

    def _reason_to_give_up(self) -> VpgError | None:
        """Why there should be no further action on this scene."""
        if self._steps >= self._parameters.max_actions:
            sentence = f"the table is not clear after {self._steps} actions (max_actions)"
            return VpgError(ErrorCode.ACTION_LIMIT, sentence)
        patience = PATIENCE if self._parameters.return_objects else 1
        if self._unchanged >= patience * self._parameters.max_unchanged:
            reason = f"; the last one: {self._outcome.error_msg}" if self._outcome.error_msg else ""
            sentence = f"stuck: {self._unchanged} actions in a row changed nothing{reason}"
            return VpgError(ErrorCode.STUCK, sentence)
        return None
