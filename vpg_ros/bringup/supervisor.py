"""Starts the processes of a system, watches them, and ends them in order."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from vpg_ros.bringup.process import NodeProcess
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.system import ARM_END, TASK_END, NodeEntry

READY_TIMEOUT = 90.0  # s of wall time for all nodes to come up, on a slow machine too
TASK_TIMEOUT = TASK_END + 1.0  # s that the task may take: by then it has cut itself off
ARM_TIMEOUT = ARM_END + 1.0  # s that the arm's may: it parks the arm where the task could not
STOP_TIMEOUT = 4.0  # s that any other node may take to end
PERIOD = 0.05  # s between two looks

TASK, ARM, SIMULATOR = "task_node", "motion_node", "pybullet_node"


class Supervisor:
    """All processes of one system; used as a context, none outlives it."""

    def __init__(
        self,
        nodes: tuple[NodeEntry, ...],
        parameters: tuple[Path, ...],
        log_folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        self._nodes = nodes
        self._parameters = parameters
        self._log_folder = log_folder
        self._environment = environment
        self._processes: dict[str, NodeProcess] = {}

    def __enter__(self) -> "Supervisor":
        """Start all at once."""
        self._log_folder.mkdir(parents=True, exist_ok=True)
        try:
            for node in self._nodes:
                log = self._log_folder / f"{node.name}.log"
                process = NodeProcess(node, self._parameters, log, self._environment)
                self._processes[node.name] = process
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._kill()

    @property
    def not_ready(self) -> list[str]:
        """Names of the nodes that have not said that they are ready."""
        return [node.name for node in self._nodes if not self._processes[node.name].ready]

    def wait_ready(self, on_wait: Callable[[list[str]], None], stop: threading.Event) -> None:
        """Wait until all are up or ``stop`` is set.

        Raises the error of one that died, or NODE_NOT_AVAILABLE.
        """
        deadline = time.monotonic() + READY_TIMEOUT
        while missing := self.not_ready:
            on_wait(missing)
            self.raise_if_died()
            if time.monotonic() > deadline:
                sentence = (
                    f"{', '.join(missing)} not ready after {READY_TIMEOUT:g} s; "
                    f"the logs are in {self._log_folder}"
                )
                raise VpgError(ErrorCode.NODE_NOT_AVAILABLE, sentence)
            if stop.wait(PERIOD):
                return

    def raise_if_died(self) -> None:
        """Raise the error of the first process that ended; the task may end by itself."""
        for name, process in self._processes.items():
            if process.exit_code is not None and not (name == TASK and process.ready):
                raise process.error

    @property
    def task_exit_code(self) -> int | None:
        """None while the task runs."""
        return self._processes[TASK].exit_code

    @property
    def task_error(self) -> VpgError | None:
        """What the task said last, or how it died; None when it runs or went well."""
        return self._processes[TASK].error if self.task_exit_code else None

    def stop(self) -> None:
        """End the task first, which stops and parks the arm; then the arm's node; then the rest."""
        self._end([TASK], TASK_TIMEOUT)
        self._end([ARM], ARM_TIMEOUT)
        # The simulator last: it is the robot that the arm's node says goodbye to.
        self._end([name for name in self._processes if name != SIMULATOR], STOP_TIMEOUT)
        self._end([SIMULATOR], STOP_TIMEOUT)

    def _end(self, names: list[str], timeout: float) -> None:
        """Interrupt those of the named processes that run, and wait ``timeout`` s for them all."""
        ending = [self._processes[name] for name in names if name in self._processes]
        deadline = time.monotonic() + timeout
        for process in ending:
            process.interrupt()
        for process in ending:
            process.wait(deadline - time.monotonic())

    def _kill(self) -> None:
        for process in self._processes.values():
            process.kill()
