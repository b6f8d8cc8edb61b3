"""One running system for many faults: its processes, its tasks, and the robot's side channel."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.faults.operator import Operator, operator
from vpg_ros.atomic import write_json
from vpg_ros.bringup.network import reserve_address, reserve_domain
from vpg_ros.bringup.process import NodeProcess
from vpg_ros.errors import VpgError
from vpg_ros.learning.store import read_transitions
from vpg_ros.run_folder import EVENTS_FILE, SUMMARY_FILE, TRANSITIONS_FILE
from vpg_ros.system import NodeEntry, sim

FAULT_PORT = 30999
_DISCOVERY = 1.0  # s in which nodes that are up find each other
READY = 90.0  # s for nodes to come up
TASK = "task_node"
SETTINGS = {"scene": "row", "objects": "6", "new_scenes": "true", "record": "true"}
# The base may turn as far as any task needs, and less far than the joint-limit fault asks for.
LIMITS = {"limits.joint_limit": [1.25, 6.28, 6.28, 6.28, 6.28, 6.28]}


class Late(Exception):
    """Something did not happen before its deadline."""


def until(condition: Callable[[], Any], timeout: float, what: str) -> None:
    """Wait for ``condition()``; raises Late saying ``what``."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise Late(f"{what}: not within {timeout:g} s")
        time.sleep(0.01)


class Channel:
    """The emulated controller's side channel."""

    def __init__(self, host: str) -> None:
        self._socket = socket.create_connection((host, FAULT_PORT), 10.0)
        self._lines = self._socket.makefile("rw")

    def ask(self, line: str) -> str:
        """One line there, one line back."""
        self._lines.write(line + "\n")
        self._lines.flush()
        return self._lines.readline().strip()

    def fault(self, line: str) -> None:
        """Make a fault, or take one back."""
        answer = self.ask(line)
        if answer != "ok":
            raise ValueError(answer)

    def joints(self) -> np.ndarray:
        """rad."""
        return self.arm()[0]

    def strays(self, seconds: float) -> np.ndarray:
        """How far any joint, and any joint's target, gets from where it is in ``seconds``, rad."""
        before, end, farthest = self.arm(), time.monotonic() + seconds, np.zeros(2)
        while time.monotonic() < end:
            time.sleep(0.03)
            farthest = np.maximum(farthest, np.abs(self.arm() - before).max(axis=1))
        return farthest

    def arm(self) -> np.ndarray:
        """Joints and their targets, 2×6, rad."""
        state = json.loads(self.ask("state"))
        return np.array([state["joints"], state["targets"]])


class TaskRun:
    """One task_node and its records; executed: how many goals of tasks have come to their end."""

    def __init__(
        self, process: NodeProcess, folder: Path, patience: float, executed: Callable[[], int]
    ) -> None:
        self.process, self.folder, self._patience = process, folder, patience
        self._seen = 0  # events that are past
        self._count, self._before = executed, executed()
        self._executed: int | None = None  # of its own, once it is gone

    @property
    def events(self) -> list[dict[str, Any]]:
        """What it has told so far; a line that is cut off is left out."""
        path = self.folder / EVENTS_FILE
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    @property
    def actions(self) -> int:
        """Finished actions told of."""
        return sum(event["event"] == "action" for event in self.events)

    @property
    def stored(self) -> int:
        """Transitions that can be read back."""
        path = self.folder / TRANSITIONS_FILE
        return sum(1 for _ in read_transitions(path)) if path.exists() else 0

    @property
    def lost(self) -> int:
        """How many of its actions cannot be read back, of those told of or carried out.

        Of the last one carried out there may be no picture afterwards, and so no transition. One
        that was still under way when the task's end was seen does not count.
        """
        if not self.ended or self._executed is None:
            raise Late("the task goes on")
        return max(0, self.actions - self.stored, self._executed - 1 - self.stored)

    @property
    def parked(self) -> bool:
        """Whether it says that it has parked the arm."""
        path = self.folder / SUMMARY_FILE
        return path.exists() and bool(json.loads(path.read_text())["parked"])

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        gone = self.process.exit_code is not None
        if gone and self._executed is None:
            self._executed = self._count() - self._before
        return gone

    def until(self, condition: Callable[[], Any], what: str, timeout: float = 120.0) -> None:
        """Wait for ``condition()`` while the task runs."""
        until(lambda: self.ended or condition(), timeout * self._patience, what)
        if self.ended and not condition():
            raise Late(f"{what}: the task ended before, {self.process.error.sentence}")

    def until_actions(self, count: int) -> None:
        """Wait for that many actions."""
        self.until(lambda: self.actions >= count, f"{count} actions", 60.0 * (count + 1))
        self.look_ahead()

    def until_state(self, state: str) -> None:
        """Wait for a state to begin that has not been waited for."""
        begun = {"event": "state", "state": state}
        self.until(
            lambda: any(begun.items() <= event.items() for event in self.events[self._seen :]),
            f"state {state}",
        )
        self.look_ahead()

    def look_ahead(self) -> None:
        """What has happened so far is past: wait for what is to come."""
        self._seen = len(self.events)

    def end(self) -> VpgError:
        """Wait for its end and say how it was."""
        until(lambda: self.ended, 120.0 * self._patience, "the task's end")
        return self.process.error


class Rig:
    """The nodes of ``sim``, without a task until :meth:`task` starts one."""

    def __init__(self, folder: Path, patience: float = 1.0, **settings: str) -> None:
        """patience: factor of all deadlines, for a busy machine."""
        self.folder, self.patience = folder, patience
        self._settings = SETTINGS | settings
        self._stack = ExitStack()
        self._tasks = 0
        self.nodes: dict[str, NodeProcess] = {}
        self.operator: Operator
        self.channel: Channel

    def __enter__(self) -> "Rig":
        with ExitStack() as stack:
            system, address = sim(), stack.enter_context(reserve_address())
            self.address, self.domain = address, stack.enter_context(reserve_domain())
            self._values = system.resolve(self._settings | {"robot_ip": address})
            self._environment = {
                **os.environ,
                **system.environment,
                "ROS_DOMAIN_ID": self.domain,
                "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
                "OMP_NUM_THREADS": "1",
            }
            os.environ.update(self._environment)
            self._system = system
            self.folder.mkdir(parents=True, exist_ok=True)
            stack.callback(self._kill)
            self._start_all()
            self.channel = Channel(address)
            timeout = 60.0 * self.patience
            self.operator = stack.enter_context(operator(int(self.domain), timeout))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, name: str, changes: Mapping[str, Any] | None = None, **variables: str) -> None:
        """Start a node anew, as configured but for ``changes`` of its parameters."""
        old = self.nodes.get(name)
        if old is not None:
            old.interrupt()
            old.wait(5.0)
            old.kill()
        self.nodes[name] = self._process(name, changes or {}, name, variables)

    def until_ready(self, *names: str) -> None:
        """Wait for nodes to come up, and a moment more; raises the error of one that died.

        A service answers clients that its node has discovered: who calls in the same moment may
        never hear, which no client can find out.
        """
        for name in names:
            process = self.nodes[name]
            until(
                lambda process=process: process.ready or process.exit_code is not None,
                READY * self.patience,
                f"{name} ready",
            )
            if process.exit_code is not None:
                raise process.error
        time.sleep(_DISCOVERY)

    def kill(self, name: str) -> VpgError:
        """SIGKILL; how the bring-up would tell of it."""
        process = self.nodes[name]
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10.0)
        return process.error

    def task(self, **settings: Any) -> TaskRun:
        """A task on the table there is."""
        self._tasks += 1
        folder = self.folder / f"task-{self._tasks:03d}"
        folder.mkdir()
        values = {"run_dir": str(folder), "max_actions": 10_000, **settings}
        process = self._process(TASK, values, folder.name, {})
        self.nodes[TASK] = process
        self.operator.phases.clear()
        return TaskRun(process, folder, self.patience, lambda: self.operator.others)

    def until_phase(self, phase: str, task: TaskRun) -> None:
        """Wait until the arm begins a step of that name, for the task."""
        self.operator.phases.clear()
        phases = self.operator.phases
        task.until(lambda: phase in phases, f"phase {phase}", 180.0)

    def heal(self) -> bool:
        """After a failure: take every fault back; whether the system is of use again."""
        if TASK in self.nodes:
            self.nodes[TASK].kill()
        try:
            for line in ("resume", "gripper-answer", "release", "power", "slider 1"):
                self.channel.fault(line)
            dead = tuple(self.dead)
            for name in dead:
                self.start(name)
            self.until_ready(*dead)
            self.operator.set("pybullet_node", camera_fault="", restless=False)
            self.operator.set("inference_node", exploration=0.0)
            until(self._recovered, 30.0 * self.patience, "recovery")
            self.operator.decide()
        except (VpgError, Late, OSError, ValueError):
            return False
        return True

    def _recovered(self) -> bool:
        try:
            self.operator.trigger("motion_node/recover")
        except VpgError:
            return False
        return True

    @property
    def pids(self) -> dict[str, int]:
        """Node → process id, of all but the task."""
        return {name: process.pid for name, process in self.nodes.items() if name != TASK}

    @property
    def dead(self) -> dict[str, str]:
        """Node → how it ended, of all but the task."""
        ended = {n: p for n, p in self.nodes.items() if n != TASK and p.exit_code is not None}
        return {name: process.error.sentence for name, process in ended.items()}

    def _start_all(self) -> None:
        wanted = [node.name for node in self._system.nodes if node.wanted(self._values)]
        for name in wanted:
            if name != TASK:
                self.start(name)
        self.until_ready(*self.nodes)

    def _process(
        self, name: str, changes: Mapping[str, Any], log: str, variables: Mapping[str, str]
    ) -> NodeProcess:
        patient = {"connect_timeout": min(600.0, READY * self.patience)}
        always = {"pybullet_node": {"fault_port": FAULT_PORT}, "motion_node": LIMITS | patient}
        own = self._system.node_parameters(self._values)[name] | always.get(name, {}) | changes
        path = self.folder / f"{log}.json"  # JSON is YAML
        write_json(path, {f"/**/{name}": {"ros__parameters": own}})
        return NodeProcess(
            NodeEntry(name),
            (self._system.parameters_path, path),
            self.folder / f"{log}.log",
            {**self._environment, **variables},
        )

    def _kill(self) -> None:
        for name in (TASK, "motion_node", "inference_node", "heightmap_node", "pybullet_node"):
            if name in self.nodes:
                self.nodes[name].interrupt()
        for process in self.nodes.values():
            process.wait(3.0)
            process.kill()


@contextmanager
def running(folder: Path, patience: float, **settings: str) -> Iterator[Rig]:
    """A rig, while it is used."""
    with Rig(folder, patience, **settings) as rig:
        yield rig
