"""Bring a system up, follow it to its end, and say how it went."""

import itertools
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from vpg_ros.argument import Value
from vpg_ros.atomic import write_json
from vpg_ros.bringup.check import check
from vpg_ros.bringup.network import reserve_address, reserve_domain
from vpg_ros.bringup.progress import Events, Progress, summary_table
from vpg_ros.bringup.supervisor import PERIOD, Supervisor
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.run_figures import figures
from vpg_ros.run_folder import EVENTS_FILE, LOG_FOLDER, SUMMARY_FILE, new_run_folder
from vpg_ros.system import System

INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it
CAUSE_TIMEOUT = 1.0  # s after a failed task within which its cause, a dying node, shows


def run(system: System, given: Mapping[str, str]) -> int:
    """Run ``system`` with the arguments ``given``; 0 when the task did what it was asked for.

    Raises VpgError for bad arguments, before any process is started.
    """
    given = system.told(given)
    values = system.resolve(given)
    check(system, values)
    console = Console()
    with ExitStack() as stack:
        environment = {**os.environ, **system.environment}
        if system.name == "sim":
            address = stack.enter_context(reserve_address(given.get("robot_ip", "")))
            domain = stack.enter_context(reserve_domain(os.environ.get("ROS_DOMAIN_ID", "")))
            values["robot_ip"] = address
            environment["ROS_DOMAIN_ID"] = domain
            environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
            where = f"ROS_DOMAIN_ID {domain}, controller {address}"
        else:
            where = f"robot {values['robot_ip']}"
        folder = new_run_folder(str(values["run_dir"]))
        values["run_dir"] = str(folder)
        console.print(f"vpg {system.name}: {where}, records in {_short(folder)}", highlight=False)
        return _Run(system, values, folder, console).run(environment)


class _Run:
    """One run."""

    def __init__(
        self, system: System, values: Mapping[str, Value], folder: Path, console: Console
    ) -> None:
        self._system = system
        self._values = values
        self._folder = folder
        self._console = console
        self._stop = threading.Event()

    def run(self, environment: Mapping[str, str]) -> int:
        """Start, follow, stop; the exit code."""
        nodes = tuple(node for node in self._system.nodes if node.wanted(self._values))
        parameters = (self._system.chosen_parameters(self._values), self._write_parameters())
        events = Events(self._folder / EVENTS_FILE)
        error: VpgError | None = None
        ended: VpgError | None = None
        with _signals(self._stop), Progress(self._console, events) as progress:
            logs = self._folder / LOG_FOLDER
            with Supervisor(nodes, parameters, logs, environment) as supervisor:
                try:
                    self._follow(supervisor, progress)
                except VpgError as died:
                    error = died
                progress.say("stopping")
            ended = supervisor.task_error
            progress.update()
        return self._conclude(progress, error, ended)

    def _follow(self, supervisor: Supervisor, progress: Progress) -> None:
        """Until the task ends or a stop is asked for; raises the error of a process that died."""
        supervisor.wait_ready(
            lambda names: progress.say(f"starting {', '.join(names)}"), self._stop
        )
        while not self._stop.wait(PERIOD):
            progress.update()
            supervisor.raise_if_died()
            if supervisor.task_exit_code is not None:
                break
        deadline = time.monotonic() + CAUSE_TIMEOUT
        while supervisor.task_exit_code and time.monotonic() < deadline:
            supervisor.raise_if_died()
            time.sleep(PERIOD)

    def _conclude(self, progress: Progress, error: VpgError | None, ended: VpgError | None) -> int:
        """Complete summary.json, show it, and choose the exit code.

        error: of a process that died. ended: how the task ended, None when it went well.
        """
        path = self._folder / SUMMARY_FILE
        summary = json.loads(path.read_text()) if path.exists() else self._blank(progress)
        silent = summary["error_code"] in (ErrorCode.OK, ErrorCode.STOPPED)
        if error is None and silent and (progress.began or not self._stop.is_set()):
            error = _death(ended)
        if error is not None:
            summary |= {"error_code": int(error.code), "error_msg": error.message}
        try:
            write_json(path, summary)
        except VpgError as full:
            print(f"vpg: {full.sentence}", file=sys.stderr)
        self._console.print(summary_table(summary, _short(self._folder)))
        if summary["error_code"]:
            told = VpgError(ErrorCode(summary["error_code"]), summary["error_msg"])
            print(f"vpg: {told.sentence}", file=sys.stderr)
        if self._stop.is_set() and error is None:
            return INTERRUPTED
        return 1 if summary["error_code"] else 0

    def _blank(self, progress: Progress) -> dict[str, Any]:
        """The summary of a run whose task could not write one, of the actions it told of."""
        values = self._values
        return {
            "scene": values.get("scene", ""),
            "seed": values["seed"],
            "objects": values.get("objects", 0),
            "cleared": False,
            "parked": False,
            "lost": 0,
            **figures(progress.actions),
            "checkpoint": "",
            "policy": values["policy"],
            "error_code": int(ErrorCode.STOPPED),
            "error_msg": "the task ended without a summary"
            if progress.began
            else "stopped before the task began",
        }

    def _write_parameters(self) -> Path:
        """The parameters that the arguments set, as a file that every node reads."""
        path = self._folder / "parameters.yaml"
        write_json(path, self._system.file_content(self._values))  # JSON is YAML
        return path


def _death(ended: VpgError | None) -> VpgError | None:
    """``ended`` where the task did not stop in an orderly way, as it was asked to."""
    return None if ended is not None and ended.code is ErrorCode.STOPPED else ended


def _short(path: Path) -> Path:
    """``path`` from the current folder where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM sets ``stop``; a second one ends everything at once.

    Another thread sets it: the handler may have interrupted this one as it held the event's lock.
    """
    wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
    earlier = itertools.count()

    def handle(*_: object) -> None:
        if next(earlier):
            raise KeyboardInterrupt
        wanted.put(True)

    def tell() -> None:
        if wanted.get():
            stop.set()

    threading.Thread(target=tell, name="signals", daemon=True).start()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        wanted.put(False)
        for number, handler in before.items():
            signal.signal(number, handler)
