"""Faults of the task, and of what it writes."""

import os
import resource
import signal

from benchmarks.faults.arm import choose
from benchmarks.faults.rig import TaskRun
from benchmarks.faults.trial import AT_ONCE, Failed, Trial, check, fault
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.run_folder import TRANSITIONS_FILE

# Primitive → its phases, each of which is cancelled in once. Those that only look at the gripper,
# and the rise of a grasp that is high already, are over before they could be.
PHASES = {
    "grasp": (
        *("open", "approach", "descend", "close", "loosen", "lift", "carry", "release", "home"),
    ),
    "push": ("close", "approach", "descend", "push", "rise", "home"),
}
# What a task that goes on does. A task that parks has ended already, and one that records is often
# done with that before it is interrupted.
STATES = ("home", "capture", "select", "execute", "capture after", "record")
_ATTEMPTS = 4  # goals after which a phase counts as never reached


def _cancel(trial: Trial, primitive: str, phase: str) -> bool:
    """Whether a goal reaches ``phase``; it is cancelled there and must end by that."""
    goal = trial.goal(*choose(trial, primitive))
    if not goal.reaches(phase):
        return False
    try:
        trial.inject(goal.cancel)
        trial.stands(lambda: goal.ended, AT_ONCE)
        outcome = goal.end()
        if outcome.error_code is ErrorCode.OK:
            return False  # it was over before it could be cancelled
        trial.expect(VpgError(outcome.error_code, outcome.error_msg))
        trial.stands_still()
    except Failed as error:
        raise Failed(f"cancelled in '{phase}' of a {primitive}: {error}") from None
    return True


@fault("task", "cancel in each phase", ErrorCode.CANCELLED)
def cancel(trial: Trial) -> None:
    slowest = 0.0
    for primitive, phase in ((name, each) for name in PHASES for each in PHASES[name]):
        reached = any(_cancel(trial, primitive, phase) for _ in range(_ATTEMPTS))
        check(reached, f"no {primitive} of {_ATTEMPTS} ever came to '{phase}'")
        slowest = max(slowest, trial.stop_s)
    trial.stop_s = slowest
    trial.clear()
    trial.recovers()


@fault("task", "double goal", ErrorCode.GOAL_REJECTED)
def double_goal(trial: Trial) -> None:
    action, heightmap = choose(trial)
    first = trial.goal(action, heightmap)
    check(first.reaches("approach"), "the goal ended before its approach")
    refused = None
    try:
        trial.goal(action, heightmap)
    except VpgError as error:
        refused = error
    trial.expect(refused)
    outcome = first.end()
    check(outcome.error_code is ErrorCode.OK, f"the first goal failed: {outcome.error_msg}")
    trial.clear()
    trial.recovers()


def _killed(trial: Trial, name: str, state: str, parked: bool) -> None:
    """A node is killed while a task is in ``state``, and started again."""
    task = trial.task()
    task.until_state(state)
    if state == "execute":
        trial.rig.until_phase("approach", task)
    trial.inject(lambda: None)
    died = trial.rig.kill(name)
    check(died.code is ErrorCode.PROCESS_DIED, f"the bring-up would say: {died.sentence}")
    trial.task_ends(task, parked)
    trial.clear(lambda: trial.restart(name))
    trial.rig.until_ready(name)
    trial.recovers()


@fault("task", "node killed and restarted", ErrorCode.NODE_NOT_AVAILABLE)
def killed(trial: Trial) -> None:
    slowest = 0.0
    for name, state, parked in (
        ("heightmap_node", "capture after", True),
        ("inference_node", "select", True),
        ("motion_node", "execute", False),
    ):
        _killed(trial, name, state, parked)
        slowest = max(slowest, trial.stop_s)
    trial.stop_s = slowest


@fault("task", "Ctrl-C in each phase", ErrorCode.STOPPED)
def ctrl_c(trial: Trial) -> None:
    slowest = 0.0
    for state in STATES:
        task = trial.task()
        task.until_state(state)
        trial.inject(task.process.interrupt)
        trial.task_ends(task)
        slowest = max(slowest, trial.stop_s)
    trial.stop_s = slowest
    trial.clear()
    trial.recovers()


@fault("data", "disk full", ErrorCode.DISK_FULL)
def disk_full(trial: Trial) -> None:
    """The task may write no file larger than its transitions are by now."""
    task = trial.task()
    task.until_actions(1)
    size = (task.folder / TRANSITIONS_FILE).stat().st_size + 4096
    limits = (size, resource.RLIM_INFINITY)
    trial.inject(lambda: resource.prlimit(task.process.pid, resource.RLIMIT_FSIZE, limits))
    trial.task_ends(task)
    check(task.stored >= 1, "the transitions from before are not readable")
    trial.clear()
    trial.recovers()


def _kill_task(trial: Trial) -> TaskRun:
    """A task killed in the middle of its second action, which the arm ends without it."""
    task = trial.task()
    task.until_actions(1)
    task.until_state("execute")
    trial.inject(lambda: os.kill(task.process.pid, signal.SIGKILL))
    trial.expect(task.end())
    trial.stands(lambda: not trial.rig.operator.executing)
    trial.stands_still()
    return task


@fault("data", "half-written episode", ErrorCode.PROCESS_DIED)
def half_written(trial: Trial) -> None:
    task = _kill_task(trial)
    path, whole = task.folder / TRANSITIONS_FILE, task.stored
    os.truncate(path, path.stat().st_size - 100)
    check(task.stored == whole - 1, f"{task.stored} of {whole} transitions left by a cut")
    trial.tasks.remove(task)  # what was cut off is lost, and nothing else
    trial.clear()
    trial.recovers()


@fault("data", "resume after kill -9", ErrorCode.PROCESS_DIED)
def resume(trial: Trial) -> None:
    _kill_task(trial)
    trial.clear()
    trial.recovers()
    again = trial.task(max_actions=1)
    again.until_actions(1)
    ended = again.end()
    check(again.process.exit_code == 0, f"the task that was started again: {ended.sentence}")
