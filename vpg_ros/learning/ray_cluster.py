"""Ray: found, started on this machine, or joined on a cluster."""

import logging
import os
import socket
from types import ModuleType

from vpg_ros.errors import ErrorCode, VpgError

_OBJECT_STORE = 128 * 2**20  # bytes; a few weights and episodes of some 100 kB each
_KNOCK_DEADLINE = 10.0  # s


def import_ray() -> ModuleType:
    """Ray; raises INTERFACES_MISSING with the command that installs it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Rollouts are what the machine is there for; Ray's own 15 would starve them beside anything.
    os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        import ray
    except ImportError as error:
        raise VpgError(
            ErrorCode.INTERFACES_MISSING,
            "workers need Ray, which is not installed for this Python; run "
            "`pip install -r requirements/scale.txt`, or `pip install ray`",
        ) from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    return ray


def connect(ray: ModuleType, count: int, address: str | None) -> bool:
    """Join the cluster at ``address``, or start one for ``count`` workers on this machine.

    Returns False where this process was part of one already, which is not this call's to shut down.
    Raises PARAMETER_INVALID when no cluster answers, PROCESS_DIED when none can be started.
    """
    new = not ray.is_initialized()
    if address is not None:
        _join(ray, address, new)
    elif new:
        _start_local(ray, count)
    return new


def _join(ray: ModuleType, address: str, new: bool) -> None:
    try:
        _knock(address)
        if new:
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise VpgError(
            ErrorCode.PARAMETER_INVALID,
            f"ray-address is {address!r} and no Ray cluster answers there: {error}; it must be "
            "HOST:PORT of a head node, ray://HOST:PORT or auto",
        ) from error


def _start_local(ray: ModuleType, count: int) -> None:
    """Reachable from this machine only, with as many slots as asked for, whatever it has."""
    try:
        ray.init(
            num_cpus=count,
            object_store_memory=_OBJECT_STORE,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1",
        )
    except Exception as error:  # a bare one when a machine is too busy for Ray's own deadlines
        ray.shutdown()
        reason = (str(error).strip().splitlines() or [repr(error)])[0]
        raise VpgError(ErrorCode.PROCESS_DIED, f"Ray did not start: {reason}") from error


def _knock(address: str) -> None:
    """Raise OSError or ValueError unless something listens; Ray itself would try for minutes."""
    if address != "auto":
        host, _, port = address.removeprefix("ray://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=_KNOCK_DEADLINE):
            pass
