"""The task: its table is complete, and every way a run can end ends with a parked arm."""

import subprocess
import sys
import textwrap
from itertools import pairwise

import numpy as np
import pytest

from vpg_ros import primitives
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Outcome
from vpg_ros.nodes.calls import Interrupted
from vpg_ros.nodes.task_clients import Choice
from vpg_ros.nodes.task_machine import Task
from vpg_ros.nodes.task_parameters import Parameters
from vpg_ros.nodes.task_table import FINAL, TRANSITIONS, Event, State

WORKING = [state for state in State if state not in FINAL]
BEFORE_PARK = [state for state in WORKING if state is not State.PARK]


class Table:
    """A cell with ``blocks`` blocks, of which every action that succeeds takes one away.

    returning: they are put back instead. scenes: blocks of every further scene.
    faults: (name of the call, how often it works before) → what is raised or returned instead.
    """

    def __init__(
        self, blocks: int, faults: dict | None = None, returning: bool = False, scenes=()
    ) -> None:
        self.blocks, self.faults = blocks, faults or {}
        self.returning, self.scenes = returning, list(scenes)
        self.calls: list[str] = []
        self.tries: list[int] = []  # how many actions each selection was told of
        self.lost = self.turns = 0

    def _call(self, name: str):
        self.calls.append(name)
        fault = self.faults.get((name, self.calls.count(name) - 1))
        if isinstance(fault, Exception):
            raise fault
        return fault

    def wait_ready(self) -> None:
        self._call("wait_ready")

    def park(self) -> None:
        self._call("park")

    def reset(self) -> None:
        self._call("reset")
        self.blocks = self.scenes.pop(0)

    def capture(self) -> Heightmap:
        self._call("capture")
        height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
        for index in range(self.blocks):
            row = 20 + 40 * (self.turns % 4)
            height[row : row + 20, 20 + 40 * index : 40 + 40 * index] = 0.04
        stamp = float(len(self.calls))
        return Heightmap(np.zeros((*height.shape, 3), np.uint8), height, DEFAULT_WORKSPACE, stamp)

    def select(self, heightmap, tried):
        self.tried = list(tried)
        self.tries.append(len(tried))
        self._call("select")
        row, column = np.argwhere(heightmap.occupied)[0]
        action = primitives.get("grasp").action(int(row), int(column), 0, heightmap)
        return Choice(action, 12.5)

    def execute(self, action, heightmap):
        outcome = self._call("execute") or Outcome(True, duration=4.0)
        if self.returning:
            self.turns += outcome.success
        else:
            self.blocks -= outcome.success
        return outcome


def settings(**changes) -> Parameters:
    values = {entry.name: entry.default for entry in Parameters.__dataclass_fields__.values()}
    return Parameters(**(values | changes))


def run(table: Table, **changes):
    states, steps = [], []
    task = Task(
        table, settings(**changes), "episode", states.append, lambda *step: steps.append(step)
    )
    task.run()
    return task, states, steps


def test_every_state_goes_somewhere_on_every_kind_of_end():
    for state in WORKING:
        assert {(state, Event.ERROR), (state, Event.STOP)} <= set(TRANSITIONS)
    for state in BEFORE_PARK:
        assert TRANSITIONS[state, Event.ERROR] is State.PARK
        assert TRANSITIONS[state, Event.STOP] is State.PARK
        assert (state, Event.OK) in TRANSITIONS


def test_the_run_ends_through_park_alone_and_every_state_is_reached():
    for (state, _), target in TRANSITIONS.items():
        assert state not in FINAL
        assert target not in FINAL or state is State.PARK
    assert set(TRANSITIONS.values()) | {State.HOME} == set(State)


def test_a_table_is_cleared():
    table = Table(3)
    task, states, steps = run(table)
    assert task.cleared and task.error is None and task.parked
    assert states[-2:] == [State.PARK, State.DONE]
    assert [step[0].step for step in steps] == [0, 1, 2]
    assert [step[0].reward for step in steps] == [1.0, 1.0, 1.0]
    assert [step[0].done for step in steps] == [False, False, True]
    assert all(step[1] == 12.5 for step in steps)


def test_a_table_is_not_cleared_by_losing_what_lay_on_it():
    table = Table(2)
    table.lost = 1
    task, states, _ = run(table)
    assert not task.cleared and task.parked and states[-1] is State.FAILED
    assert task.error.code is ErrorCode.OBJECTS_LOST and "1 objects" in task.error.message


def test_each_scene_after_is_the_next_one_before():
    _, _, steps = run(Table(3))
    for (first, *_), (second, *_) in pairwise(steps):
        assert second.before is first.after


def test_a_clear_table_needs_no_action():
    table = Table(0)
    task, states, steps = run(table)
    assert task.cleared and not steps and "select" not in table.calls
    assert states[-1] is State.DONE


def failures(count: int, outcome: Outcome) -> dict:
    return {("execute", index): outcome for index in range(count)}


def test_what_was_tried_is_not_tried_again_until_the_scene_changes():
    table = Table(1, failures(2, Outcome(False)))
    task, _, steps = run(table)
    assert task.cleared and len(steps) == 3
    assert len(table.tried) == 2


@pytest.mark.parametrize("code", [ErrorCode.OUTSIDE_WORKSPACE, ErrorCode.COLLISION])
def test_another_action_is_tried_until_nothing_changes_any_more(code):
    refused = Outcome(False, error_code=code, error_msg="too far out")
    task, states, steps = run(Table(1, failures(9, refused)), max_unchanged=4)
    assert task.error.code is ErrorCode.STUCK and "too far out" in task.error.message
    assert len(steps) == 4 and not any(step[0].done for step in steps)
    assert states[-1] is State.FAILED and task.parked


def test_it_gives_up_after_as_many_actions_as_allowed():
    task, states, steps = run(Table(5), max_actions=2)
    assert task.error.code is ErrorCode.ACTION_LIMIT
    assert [step[0].done for step in steps] == [False] * 2, "three blocks are left"
    assert states[-1] is State.FAILED and task.parked


def test_a_policy_without_an_idea_is_stuck_and_not_broken():
    nothing = VpgError(ErrorCode.NO_ADMISSIBLE_ACTION, "nothing to do")
    task, _, _ = run(Table(2, {("select", 0): nothing}))
    assert task.error.code is ErrorCode.STUCK and task.parked


def test_objects_that_are_put_back_are_picked_again_for_as_many_actions_as_asked_for():
    task, states, steps = run(Table(1, returning=True), return_objects=True, max_actions=6)
    assert task.finished and not task.cleared and task.error is None and task.parked
    assert states[-1] is State.DONE and len(steps) == 6
    assert [step[0].reward for step in steps] == [1.0] * 6
    assert not any(step[0].done for step in steps)


@pytest.mark.parametrize("blocks", [0, 2])
def test_a_table_that_empties_though_objects_are_put_back_ends_the_task(blocks):
    task, states, steps = run(Table(blocks), return_objects=True)
    assert task.error.code is ErrorCode.OBJECTS_LOST and "no objects on the table" in str(
        task.error
    )
    assert states[-1] is State.FAILED and task.parked and len(steps) == blocks


def test_more_failures_in_a_row_are_borne_where_objects_are_put_back():
    failed = Outcome(False)
    table = Table(1, failures(6, failed), returning=True)
    task, _, steps = run(table, return_objects=True, max_unchanged=4, max_actions=8)
    assert task.finished and len(steps) == 8


def test_what_was_tried_is_tried_again_where_objects_are_put_back():
    table = Table(1, failures(99, Outcome(False)), returning=True)
    task, states, _ = run(table, return_objects=True, max_unchanged=4, max_actions=50)
    assert task.finished and task.error is None and states[-1] is State.DONE
    assert table.tries == [*range(20), *range(20), *range(10)]


def test_a_policy_that_has_tried_everything_starts_over_where_objects_are_put_back():
    nothing = VpgError(ErrorCode.NO_ADMISSIBLE_ACTION, "nothing to do")
    faults = failures(3, Outcome(False)) | {("select", 3): nothing}
    table = Table(1, faults, returning=True)
    task, _, steps = run(table, return_objects=True, max_actions=5)
    assert task.finished and len(steps) == 5 and table.tries == [0, 1, 2, 3, 0, 0]
    task, _, steps = run(Table(1, {("select", 0): nothing}), return_objects=True)
    assert task.error.code is ErrorCode.STUCK and task.parked and not steps


def test_a_clear_table_is_followed_by_another_scene():
    task, states, steps = run(Table(2, scenes=[1, 3]), new_scenes=True, max_actions=6)
    assert task.finished and task.error is None and states[-1] is State.DONE
    assert states.count(State.RESET) == 2
    assert [(step[0].episode, step[0].step) for step in steps] == [
        *(("episode", 0), ("episode", 1), ("episode-1", 0)),
        *(("episode-2", 0), ("episode-2", 1), ("episode-2", 2)),
    ]


def test_a_scene_that_is_stuck_is_followed_by_another_one():
    table = Table(1, failures(3, Outcome(False)), scenes=[2])
    task, _, steps = run(table, new_scenes=True, max_unchanged=3, max_actions=5)
    assert task.finished and len(steps) == 5 and table.calls.count("reset") == 1
    assert [step[0].done for step in steps] == [False, False, False, False, True]


def test_new_scenes_that_are_empty_end_the_task():
    task, _, _ = run(Table(1, scenes=[0]), new_scenes=True)
    assert task.error.code is ErrorCode.OBJECTS_LOST and task.parked


def test_a_simulator_that_cannot_reset_ends_the_task():
    gone = VpgError(ErrorCode.NODE_NOT_AVAILABLE, "no simulator")
    task, states, _ = run(Table(1, {("reset", 0): gone}), new_scenes=True)
    assert task.error is gone and states[-1] is State.FAILED and task.parked


@pytest.mark.parametrize("name", ["wait_ready", "park", "capture", "select", "execute"])
@pytest.mark.parametrize("fault", ["error", "stop"])
@pytest.mark.parametrize("when", [0, 1])
def test_any_call_may_fail_or_be_interrupted(name, fault, when):
    error = VpgError(ErrorCode.CAMERA_TIMEOUT, "no picture")
    table = Table(3, {(name, when): error if fault == "error" else Interrupted()})
    if (name, when) == ("wait_ready", 1):
        pytest.skip("it is called once")
    task, states, _ = run(table)
    wanted = ErrorCode.CAMERA_TIMEOUT if fault == "error" else ErrorCode.STOPPED
    assert task.error.code is wanted
    assert states[-2:] == [State.PARK, State.FAILED]
    assert table.calls[-1] == "park"


def test_a_broken_arm_ends_the_run():
    lost = Outcome(False, error_code=ErrorCode.ARM_LINK_LOST, error_msg="link lost")
    table = Table(3, {("execute", 1): lost})
    task, _, steps = run(table)
    assert task.error.code is ErrorCode.ARM_LINK_LOST
    assert len(steps) == 1 and table.calls.count("execute") == 2


BLOCKED = Outcome(False, error_code=ErrorCode.MOTION_BLOCKED, error_msg="blocked in 'home'")


def test_an_arm_that_was_blocked_is_parked_before_the_next_picture():
    table = Table(1, {("execute", 0): BLOCKED})
    task, _, steps = run(table)
    assert task.cleared and len(steps) == 2
    first, second = (i for i, name in enumerate(table.calls) if name == "execute")
    assert table.calls[first + 1 : first + 3] == ["park", "capture"]
    assert table.calls[second + 1] == "capture", "an arm that came home need not be parked"


def test_an_arm_that_cannot_be_parked_after_it_was_blocked_ends_the_run():
    still = VpgError(ErrorCode.MOTION_BLOCKED, "blocked in 'rise'")
    table = Table(2, {("execute", 0): BLOCKED, ("park", 1): still})
    task, states, steps = run(table)
    assert task.error is still and not steps and states[-1] is State.FAILED
    assert table.calls[-3:] == ["execute", "park", "park"] and task.parked


def test_the_first_error_is_the_reason_when_parking_fails_too():
    error = VpgError(ErrorCode.ARM_LINK_LOST, "link lost")
    table = Table(
        3, {("select", 0): VpgError(ErrorCode.CHECKPOINT_CORRUPT, "x"), ("park", 1): error}
    )
    task, _, _ = run(table)
    assert task.error.code is ErrorCode.CHECKPOINT_CORRUPT
    assert task.park_error.code is ErrorCode.ARM_LINK_LOST and not task.parked


def test_a_full_disk_ends_the_run_with_a_parked_arm():
    def full(*_):
        raise VpgError(ErrorCode.DISK_FULL, "no room")

    task = Task(Table(2), settings(), "episode", lambda _: None, full)
    task.run()
    assert task.error.code is ErrorCode.DISK_FULL and task.parked


@pytest.mark.parametrize("full_from", [s for s in WORKING if s is not State.RESET])
def test_a_disk_that_takes_no_state_either_ends_the_run_with_a_parked_arm(full_from):
    told = []

    def tell(state):
        told.append(state)
        if full_from in told:
            raise VpgError(ErrorCode.DISK_FULL, f"no room for {state.value}")

    table = Table(2)
    task = Task(table, settings(), "episode", tell, lambda *_: None)
    task.run()
    assert task.error.message == f"no room for {full_from.value}"
    assert task.parked and task.park_error is None and table.calls[-1] == "park"
    assert told[-2:] == [State.PARK, State.FAILED]


WRITE_WITHOUT_ROOM = """
    import resource, sys
    from pathlib import Path
    from vpg_ros.errors import VpgError
    from vpg_ros.nodes.records import RunRecords
    records = RunRecords(Path(sys.argv[1]), True, False, {})
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    for write in (lambda: records.event("state"), lambda: records.finish({"cleared": True})):
        try:
            write()
        except VpgError as error:
            print(error.code.name, error.message)
"""


def test_records_without_room_say_so(tmp_path):
    program = textwrap.dedent(WRITE_WITHOUT_ROOM)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    event, summary = done.stdout.splitlines()
    assert event.startswith(f"DISK_FULL {tmp_path}/events.jsonl")
    assert summary.startswith(f"DISK_FULL {tmp_path}/summary.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.jsonl", "transitions.mcap"]
