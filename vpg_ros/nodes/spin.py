"""Run one node as a process: signals, executor, one sentence on failure, a bounded end.

The executor spins in a thread of its own, so that the main thread may block (a simulator's loop, a
task's state machine) and still hears Ctrl-C at once. An expected failure becomes one sentence on
standard error, ``<node>: <sentence> [error <code>]``, and exit code 1.
"""

import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import rclpy
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.nodes.base import ENDING, Ending, VpgNode
from vpg_ros.nodes.usage import usage, wants_help
from vpg_ros.orphans import die_with_bringup

HURRY_GRACE = 1.0  # s for the end after a second signal


def run_node(
    name: str,
    build: type[VpgNode],
    *,
    threads: int = 2,
    grace: float = 3.0,
    arguments: Sequence[str] | None = None,
) -> NoReturn:
    """Build a node, spin it until it is stopped, and end the process with its exit code.

    With ``--help`` among the arguments, the process says what the node can be told, and ends.

    threads: of the executor. grace: s that the end may take before the process is cut off.
    """
    code = _run(name, build, threads, grace, arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed; taking torch, open3d and DDS apart would only cost a second more.
    os._exit(code)


def _run(
    name: str,
    build: type[VpgNode],
    threads: int,
    grace: float,
    arguments: Sequence[str] | None,
) -> int:
    """The node's whole life; its exit code."""
    die_with_bringup()
    ending = Ending()
    _handle_signals(ending)
    threading.Thread(target=_limit_end, args=(name, ending, grace), daemon=True).start()
    try:
        if _reads_help(name, arguments):
            print(usage(name, build))
            return 0
        node = _built(build, ending, arguments)
    except Exception as error:
        code = _unbuilt(name, error, ending)
        gc.collect()  # half a node still tells the graph that it is there
        rclpy.try_shutdown()
        return code
    return _spin(node, threads)


def _built(build: type[VpgNode], ending: Ending, arguments: Sequence[str] | None) -> VpgNode:
    """The node, which is stopped by ``ending``."""
    _init(arguments)
    token = ENDING.set(ending)
    try:
        return build()  # type: ignore[call-arg]  # which takes no name where it is to be run
    finally:
        ENDING.reset(token)


def _unbuilt(name: str, error: Exception, ending: Ending) -> int:
    """The exit code without a node; 0 where whatever was waited for was cut short by a stop."""
    if isinstance(error, VpgError) and ending.stop.is_set():
        return 0
    _report(name, error)
    return 1


def _reads_help(name: str, arguments: Sequence[str] | None) -> bool:
    """See :func:`.usage.wants_help`."""
    with _ros_arguments():
        return wants_help(name, arguments)


def _init(arguments: Sequence[str] | None) -> None:
    """Start rclpy."""
    with _ros_arguments():
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)


@contextmanager
def _ros_arguments() -> Iterator[None]:
    """What ROS cannot read of the command line is PARAMETER_INVALID."""
    try:
        yield
    except RuntimeError as error:
        sentence = f"the ROS arguments cannot be used: {error}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from None


def _spin(node: VpgNode, threads: int) -> int:
    """Spin until the node's work is done; its exit code."""
    executor = MultiThreadedExecutor(num_threads=threads)
    executor.add_node(node)
    thread = threading.Thread(target=_spin_executor, args=(executor, node), daemon=True)
    thread.start()
    code = _work(node)
    executor.shutdown(timeout_sec=1.0)
    thread.join(1.0)
    node.destroy_node()
    rclpy.try_shutdown()
    return code


def _work(node: VpgNode) -> int:
    """The node's start and own work, then its close, whatever happened; the exit code."""
    code = 1
    try:
        code = _started_work(node)
    except Exception as error:
        node.fail(error)
    node.stop.set()
    try:
        node.close()
    except Exception as error:
        node.fail(error)
    if node.failure is not None:
        _report(node.get_name(), node.failure)
        return code or 1
    return code


def _started_work(node: VpgNode) -> int:
    """The exit code; 0 where the start was cut short by a stop."""
    try:
        node.start()
    except VpgError:
        if node.stop.is_set():
            return 0
        raise
    node.get_logger().info("ready")
    return node.work()


def _spin_executor(executor: MultiThreadedExecutor, node: VpgNode) -> None:
    """Spin; an exception in a callback ends the node."""
    try:
        executor.spin()
    except ExternalShutdownException:
        pass
    except Exception as error:
        if not node.stop.is_set():
            node.fail(error)


def _report(name: str, error: Exception) -> None:
    """One sentence for an expected error, the whole traceback for a defect."""
    if isinstance(error, VpgError):
        sentence = error.sentence
    else:
        traceback.print_exception(error)
        sentence = VpgError(ErrorCode.PROCESS_DIED, f"{type(error).__name__}: {error}").sentence
    print(f"{name}: {sentence}", file=sys.stderr, flush=True)


def _handle_signals(ending: Ending) -> None:
    """The first Ctrl-C or SIGTERM asks for an orderly end, a second one for a quick one.

    A thread hears of them through a pipe, which is written to as they come, if they have a handler.
    Handlers themselves are run by the main thread: one that is just about to wait has missed them,
    and one that looks at an event would wait for ever for a handler that set it, for its lock.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in numbers:
        signal.signal(number, lambda *_: None)

    def tell() -> None:
        for event in (ending.stop, ending.hurry):
            while os.read(reading, 1)[0] not in numbers:
                pass
            event.set()

    threading.Thread(target=tell, name="signals", daemon=True).start()


def _limit_end(name: str, ending: Ending, grace: float) -> None:
    """Cut the process off when it has not ended in time after it was asked to."""
    ending.stop.wait()
    if ending.hurry.wait(grace):
        time.sleep(HURRY_GRACE)
        grace = HURRY_GRACE
    _report(name, VpgError(ErrorCode.PROCESS_DIED, f"no orderly end within {grace:g} s"))
    os._exit(1)
