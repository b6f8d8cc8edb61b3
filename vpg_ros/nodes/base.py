"""What every node of the package shares: parameters, a stop flag, failures and diagnostics."""

import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from vpg_ros.errors import VpgError
from vpg_ros.nodes import parameters
from vpg_ros.nodes.convert import stamp_from_msg

T = TypeVar("T")

DIAGNOSTICS_PERIOD = 1.0  # s (REP-107)


@dataclass(frozen=True)
class Ending:
    """stop asks a process for an orderly end, hurry for a quick one."""

    stop: threading.Event = field(default_factory=threading.Event)
    hurry: threading.Event = field(default_factory=threading.Event)


# That of the process, for the node it builds: Ctrl-C may come before there is a node.
ENDING: ContextVar[Ending | None] = ContextVar("ENDING", default=None)


class VpgNode(Node):
    """A node that :func:`vpg_ros.nodes.spin.run_node` runs.

    ``stop`` is set on Ctrl-C, SIGTERM and on a failure; whatever blocks must watch it. ``hurry`` is
    set on a second signal: the process is cut off soon after.
    ``failure`` is what ended the node, None after a normal end.
    ``PARAMETERS`` are the dataclasses of its parameters, for ``--help``.
    """

    PARAMETERS: ClassVar[tuple[type, ...]] = ()

    def __init__(self, name: str) -> None:
        super().__init__(name)
        ending = ENDING.get() or Ending()
        self.stop, self.hurry = ending.stop, ending.hurry
        self.failure: Exception | None = None
        self.steady = Clock(clock_type=ClockType.STEADY_TIME)

    def read_parameters(
        self, kind: type[T], check: Callable[[Mapping[str, Any]], None] | None = None
    ) -> T:
        """Declare and read the parameters of ``kind`` (see :func:`.parameters.read`)."""
        return parameters.read(self, kind, check)

    def now(self) -> float:
        """The node's clock, s: simulated time where ``use_sim_time`` is set."""
        return stamp_from_msg(self.get_clock().now().to_msg())

    def wait(self, event: threading.Event, timeout: float) -> bool:
        """Whether ``event`` is set within ``timeout`` s and before the node is stopped."""
        deadline = time.monotonic() + timeout
        while not event.wait(0.05):
            if self.stop.is_set() or time.monotonic() > deadline:
                return event.is_set()
        return True

    def wanted_by(self, name: str) -> bool:
        """Whether the node called ``name`` is still there, and time to wait for it.

        A launch file's Ctrl-C reaches all nodes at once; who serves another node outlasts it.
        """
        return name in self.get_node_names() and not self.hurry.is_set()

    def start(self) -> None:
        """What comes before the node is ready, with its callbacks served; raises why it fails."""

    def work(self) -> int:
        """What the main thread does until the node ends; returns the exit code."""
        self.stop.wait()
        return 0

    def close(self) -> None:
        """Let go of devices, files and child processes; called once, whatever happened."""

    def fail(self, error: Exception) -> None:
        """End the node because of ``error``; the first one counts."""
        if self.failure is None:
            self.failure = error
        self.stop.set()

    def report_diagnostics(
        self, hardware: str, state: Callable[[], tuple[VpgError | None, dict[str, str]]]
    ) -> None:
        """Publish ``state()`` on /diagnostics once a second of wall time.

        ``state`` returns what is wrong (None for nothing) and values to show.
        """
        publisher = self.create_publisher(DiagnosticArray, "/diagnostics", 10)

        def publish() -> None:
            error, values = state()
            status = DiagnosticStatus(name=f"{self.get_name()}: {hardware}", hardware_id=hardware)
            status.level = DiagnosticStatus.OK if error is None else DiagnosticStatus.ERROR
            status.message = "ok" if error is None else error.message
            status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
            message = DiagnosticArray(status=[status])
            message.header.stamp = self.get_clock().now().to_msg()
            publisher.publish(message)

        self.create_timer(DIAGNOSTICS_PERIOD, publish, clock=self.steady)
