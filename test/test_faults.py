"""The commands that make faults: what they know of, how they judge, and what they write.

The faults themselves are made by ``make faults``, which takes minutes.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.faults import __main__ as faults_command
from benchmarks.faults.__main__ import chosen
from benchmarks.faults.memory import growth, resident
from benchmarks.faults.rig import Channel, TaskRun
from benchmarks.faults.soak import Soak
from benchmarks.faults.soak import table as soak_table
from benchmarks.faults.table import results_table, write_results
from benchmarks.faults.task import PHASES
from benchmarks.faults.trial import Fault, Result, carry_out, check
from vpg_ros import primitives
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, Pose
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import RiseMove, VerifyGrasp

# What the system must survive, part by part.
TABLE = """
camera: none present, unplugged mid-stream, stale frame, all-zero depth, intrinsics change
arm: no connection at start, RTDE lost mid-move, protective stop mid-push, emergency stop, \
safeguard stop, stop on the pendant, speed slider at 10 %, unreachable pose, \
pose below the table, joint limit
gripper: no answer, closed on nothing
inference: checkpoint missing, checkpoint corrupt or of another shape, NaN map, no GPU, \
out of memory
task: cancel in each phase, double goal, node killed and restarted, Ctrl-C in each phase
data: disk full, half-written episode, resume after kill -9
simulation: never settles
"""


def rig(**changes) -> SimpleNamespace:
    return SimpleNamespace(**({"pids": {"motion_node": 1}, "dead": {}} | changes))


def judge(run, where=None, code=ErrorCode.OK) -> Result:
    return carry_out(Fault("arm", "test", code, run), where or rig())


def test_every_row_of_the_table_is_there_once():
    rows = [line.split(": ") for line in TABLE.strip().splitlines()]
    titles = [f"{part}: {name}" for part, names in rows for name in names.split(", ")]
    assert sorted(fault.title for fault in chosen(())) == sorted(titles)
    assert {fault.title for fault in chosen(["link", "RTDE"])} == {"arm: RTDE lost mid-move"}


@pytest.mark.parametrize("primitive", PHASES)
def test_every_phase_that_moves_something_is_cancelled_in(primitive):
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    height[100:120, 100:120] = 0.05
    heightmap = Heightmap(np.zeros((*height.shape, 3), np.uint8), height, DEFAULT_WORKSPACE, 0.0)
    chosen_one = primitives.get(primitive)
    motion = chosen_one.motion(chosen_one.action(110, 110, 0, heightmap), heightmap)
    moving, tool = [], Pose((0.0, 0.0, 1.0))
    for step in (*motion.steps, *motion.retreat):
        move = step.line(tool) if isinstance(step, RiseMove) else step
        if move is not None and not isinstance(move, VerifyGrasp):
            moving.append(step.phase)
            tool = getattr(move, "pose", tool)
    assert moving == list(PHASES[primitive])


class MovingChannel(Channel):
    """An arm that moves in a time that is given, s from now."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end, self.begun = start, end, time.monotonic()

    def arm(self) -> np.ndarray:
        now = time.monotonic() - self.begun
        return np.full((2, 6), float(np.clip(now, self.start, self.end)))


def test_an_arm_that_moves_a_while_after_the_fault_is_gone_fails_it():
    assert judge(lambda trial: trial.clear(), rig(channel=MovingChannel(0.0, 0.0))).passed
    result = judge(lambda trial: trial.clear(), rig(channel=MovingChannel(0.3, 0.6)))
    assert "nobody asked it to" in result.reason


@pytest.mark.parametrize(("bent", "passed"), [(0.01, True), (0.05, False)])
def test_an_arm_that_holds_its_targets_may_be_bent_a_little(bent, passed):
    class BentChannel(MovingChannel):
        def arm(self) -> np.ndarray:
            return super().arm() * [[bent], [0.0]]

    channel = BentChannel(0.3, 1.3)  # as if moved by 1 rad
    assert judge(lambda trial: trial.stands_still(2.0), rig(channel=channel)).passed is passed


@pytest.mark.parametrize(("parked", "passed"), [(True, True), (False, False)])
def test_an_arm_that_moves_on_for_too_long_fails_the_fault(parked, passed):
    def run(trial) -> None:
        trial.inject(lambda: None)
        trial.task_ends(task, parked)

    task = SimpleNamespace(ended=True, end=lambda: None, parked=parked)
    moving = rig(channel=MovingChannel(0.0, 0.5), patience=0.1)
    result = judge(run, moving)
    assert result.passed is passed, result.reason
    assert passed or "allowed: 0.2 s" in result.reason


def test_a_fault_that_is_survived_passes():
    result = judge(lambda trial: trial.expect(None))
    assert result == Result("arm: test", True, 0, 0.0, 0.0)


@pytest.mark.parametrize(
    "error", [VpgError(ErrorCode.CAMERA_TIMEOUT, "no picture"), OSError("no port")]
)
def test_an_error_fails_the_fault_and_is_told(error):
    def run(trial) -> None:
        raise error

    result = judge(run)
    assert not result.passed and str(error) in result.reason


def test_the_wrong_code_fails_the_fault():
    told = VpgError(ErrorCode.CAMERA_TIMEOUT, "no picture")
    result = judge(lambda trial: trial.expect(told), code=ErrorCode.FRAME_STALE)
    assert "CAMERA_TIMEOUT instead of FRAME_STALE" in result.reason


def test_a_node_that_was_restarted_or_died_fails_the_fault():
    assert "restarted: motion_node" in judge(lambda _: None, _changing()).reason
    assert "nodes died" in judge(lambda _: None, rig(dead={"motion_node": "killed"})).reason


def _changing() -> SimpleNamespace:
    class Changing(SimpleNamespace):
        count = 0

        @property
        def pids(self):
            self.count += 1
            return {"motion_node": self.count}

    return Changing(dead={})


@pytest.mark.parametrize(
    ("told", "executed", "kept", "passed"),
    [
        (3, 3, 3, True),
        (3, 3, 4, True),
        (3, 3, 2, False),
        (3, 4, 3, True),  # of the last one there may be no picture
        (3, 5, 3, False),
    ],
)
def test_a_lost_transition_fails_the_fault(told, executed, kept, passed, tmp_path):
    class Task(TaskRun):
        actions, stored = told, kept

    counts = iter((7, 7 + executed))  # of goals, before and after
    task = Task(SimpleNamespace(exit_code=0), tmp_path, 1.0, lambda: next(counts))
    assert judge(lambda trial: trial.tasks.append(task)).passed is passed


def test_results_are_written_and_shown(tmp_path):
    results = [Result("arm: a", True, 301, 1.5, 2.5), Result("arm: a", False, 301, 3.0, 1.0, "why")]
    path = tmp_path / "runs" / "faults.json"
    write_results(path, results)
    content = json.loads(path.read_text())
    assert [entry["passed"] for entry in content] == [True, False]
    assert {"fault", "passed", "stop_s", "recover_s"} <= set(content[0])
    console = Console(width=120, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(results_table(results))
    console.print(soak_table(Soak(10, 1, 0, 0, {"motion_node": 0.01})))
    text = console.export_text()
    assert "ARM_LINK_LOST 301" in text and "1 of 2" in text and "3.0" in text and "+1.0%" in text


def test_faults_that_were_cut_off_go_on_in_the_turn_they_were_in(tmp_path, monkeypatch):
    path, names = tmp_path / "faults.json", [fault.title for fault in chosen(["gripper"])]
    done = [Result(name, True, 0, 0.0, 0.0) for name in [*names, names[0]]]
    write_results(path, done)
    monkeypatch.setattr(
        faults_command,
        "_results",
        lambda left, *_: (Result(fault.title, True, 0, 1.0, 1.0) for fault in left),
    )
    asked = ["--only", "gripper", "--repeat", "3", "--resume", "--out", str(path)]
    assert faults_command.main(asked) == 0
    assert [entry["fault"] for entry in json.loads(path.read_text())] == names * 3
    assert json.loads(path.read_text())[: len(done)] == [asdict(result) for result in done]


def test_growth_is_that_of_what_was_there_at_both_times():
    assert growth({"a": 100, "b": 10, "c": 0}, {"a": 103, "c": 5, "d": 1}) == {"a": 0.03}


def test_memory_counts_children():
    holding = "import sys, time; data = bytearray(40_000_000); print(1, flush=True); time.sleep(60)"
    before = resident(os.getpid())
    with subprocess.Popen([sys.executable, "-c", holding], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        assert resident(os.getpid()) - before > 40_000_000
        process.kill()
    assert resident(process.pid) == 0


@pytest.mark.parametrize(
    "worse",
    [
        {"actions": 0},
        {"crashes": 1},
        {"transitions_lost": 1},
        {"failures": ["x"]},
        {"memory_growth": {"a": 0.06}},
    ],
)
def test_a_soak_fails_by_any_of_its_figures(worse):
    assert Soak(1).passed and not Soak(**{"actions": 1} | worse).passed


def test_a_failed_check_says_why():
    assert "too late" in judge(lambda _: check(False, "too late")).reason
