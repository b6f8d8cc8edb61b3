"""The task's state machine: every transition it knows, as one table."""

from enum import Enum


class State(Enum):
    """What the task is doing."""

    HOME = "home"  # wait for the other nodes, move the arm out of the camera's view
    CAPTURE = "capture"  # the scene before the first action
    SELECT = "select"
    EXECUTE = "execute"
    CAPTURE_AFTER = "capture after"  # the scene after an action, which is the next one's before
    RECORD = "record"  # reward, publish, store, and decide whether to go on
    RESET = "reset"  # another scene instead of an end
    PARK = "park"  # the arm goes home, whatever happened
    DONE = "done"
    FAILED = "failed"


class Event(Enum):
    """How a state ended."""

    OK = "ok"
    CLEAR = "clear"  # nothing is left on the table
    NEXT = "next"  # nothing is left, or to be done, and another scene is wanted
    AGAIN = "again"  # stuck, and what was tried may be tried again
    GIVE_UP = "give up"  # stuck, or as many actions as allowed
    ERROR = "error"
    STOP = "stop"  # Ctrl-C or the stop service


# Reached only through PARK: DONE when the task did what it was asked for, FAILED otherwise.
FINAL = frozenset({State.DONE, State.FAILED})

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.HOME, Event.OK): State.CAPTURE,
    (State.CAPTURE, Event.OK): State.SELECT,
    (State.CAPTURE, Event.CLEAR): State.PARK,
    (State.CAPTURE, Event.GIVE_UP): State.PARK,
    (State.SELECT, Event.OK): State.EXECUTE,
    (State.SELECT, Event.GIVE_UP): State.PARK,
    (State.EXECUTE, Event.OK): State.CAPTURE_AFTER,
    (State.CAPTURE_AFTER, Event.OK): State.RECORD,
    (State.RECORD, Event.OK): State.SELECT,
    (State.RECORD, Event.CLEAR): State.PARK,
    (State.RECORD, Event.GIVE_UP): State.PARK,
    (State.CAPTURE, Event.NEXT): State.RESET,
    (State.SELECT, Event.NEXT): State.RESET,
    (State.RECORD, Event.NEXT): State.RESET,
    (State.SELECT, Event.AGAIN): State.SELECT,
    (State.RECORD, Event.AGAIN): State.SELECT,
    (State.RESET, Event.OK): State.CAPTURE,
    (State.PARK, Event.OK): State.DONE,
    (State.PARK, Event.ERROR): State.FAILED,
    (State.PARK, Event.STOP): State.FAILED,
    # Errors and requests to stop end every working state in the same way: park the arm.
    **{
        (state, event): State.PARK
        for state in State
        if state is not State.PARK and state not in FINAL
        for event in (Event.ERROR, Event.STOP)
    },
}
