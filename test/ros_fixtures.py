"""Nodes under test: spun in this process, or as processes of their own."""

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node

CONFIG = Path(__file__).resolve().parents[1] / "config"
TIMEOUT = 30.0


@contextmanager
def ros(parameters: dict[str, Any] | None = None, file: str = "") -> Iterator[None]:
    """An initialised rclpy, whose nodes read a parameter file and then ``parameters``."""
    arguments = ["--ros-args"]
    if file:
        arguments += ["--params-file", str(CONFIG / file)]
    for name, value in (parameters or {}).items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        arguments += ["-p", f"{name}:={text}"]
    rclpy.init(args=arguments)
    try:
        yield
    finally:
        rclpy.try_shutdown()
        gc.collect()  # a node that is kept alive stays in the graph


@contextmanager
def spinning(*nodes: Node) -> Iterator[None]:
    """Spin nodes in a thread and start them; they are stopped and destroyed at the end."""
    executor = MultiThreadedExecutor(num_threads=6)
    for node in nodes:
        executor.add_node(node)
    thread = threading.Thread(target=executor.spin, daemon=True)
    thread.start()
    try:
        for node in nodes:
            if hasattr(node, "start"):
                node.start()
        yield
    finally:
        for node in nodes:
            if hasattr(node, "stop"):
                node.stop.set()
                node.close()
        executor.shutdown(timeout_sec=5.0)
        thread.join(5.0)
        for node in nodes:
            node.destroy_node()


def result(future: Any, timeout: float = TIMEOUT) -> Any:
    """The result of a future that a spinning executor completes."""
    deadline = time.monotonic() + timeout
    while not future.done():
        assert time.monotonic() < deadline, "no answer"
        time.sleep(0.002)
    return future.result()


def call(node: Node, kind: Any, name: str, request: Any, timeout: float = TIMEOUT) -> Any:
    """The response of a service."""
    client = node.create_client(kind, name)
    try:
        assert client.wait_for_service(timeout), f"no service {name}"
        return result(client.call_async(request), timeout)
    finally:
        node.destroy_client(client)


def run_process(
    name: str, *parameters: str, file: str = "sim.yaml"
) -> "subprocess.CompletedProcess[str]":
    """A node as a process, run to its end."""
    # With the node's name, or the parameter file's section of the node would come first.
    pairs = [part for parameter in parameters for part in ("-p", f"{name}:{parameter}")]
    source = ["--params-file", str(CONFIG / file)] if file else []
    command = [sys.executable, "-m", f"vpg_ros.nodes.{name}", "--ros-args", *source, *pairs]
    return subprocess.run(command, capture_output=True, text=True, timeout=60.0, check=False)


def sentence(process: "subprocess.CompletedProcess[str]") -> str:
    """The one sentence on standard error that an expected failure ends with."""
    assert process.returncode == 1, process.stderr
    assert "Traceback" not in process.stderr
    return process.stderr.strip().splitlines()[-1]
