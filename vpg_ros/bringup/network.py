"""Room for a second system on the same machine: a loopback address and a ROS domain of its own."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vpg_ros.errors import ErrorCode, VpgError

# Ports of the emulated UR controller and of its grippers (RG2, Compute Box, Robotiq), most of
# which the client libraries fix.
CONTROLLER_PORTS = (30004, 30003, 29999, 41414, 1502, 63352)
ADDRESSES = tuple(f"127.0.0.{last}" for last in range(2, 100))
# Linux's ephemeral ports begin at 32768, that is beyond the ports of domain 101.
DOMAINS = tuple(str(number) for number in range(1, 102))


def require_free(address: str) -> None:
    """Raise CONTROLLER_FAILED, naming the port, unless a controller could listen there."""
    for port in CONTROLLER_PORTS:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            sentence = (
                f"argument robot_ip is {address!r}: port {port} cannot be used there "
                f"({error.strerror}); choose another loopback address or leave it out"
            )
            raise VpgError(ErrorCode.CONTROLLER_FAILED, sentence) from None


@contextmanager
def reserve_address(chosen: str = "") -> Iterator[str]:
    """``chosen``, or the first loopback address where a controller can listen."""
    with _reserve("robot_ip", (chosen,) if chosen else ADDRESSES, require_free) as address:
        yield address


@contextmanager
def reserve_domain(chosen: str = "") -> Iterator[str]:
    """``chosen``, or the first ROS domain that no other system on this machine has."""
    with _reserve("ROS_DOMAIN_ID", (chosen,) if chosen else DOMAINS, _require_domain) as domain:
        yield domain


@contextmanager
def _reserve(kind: str, candidates: tuple[str, ...], check: Callable[[str], None]) -> Iterator[str]:
    """The first candidate that passes ``check`` and that nobody else has reserved.

    The reservation is a lock on a file, so that it ends with this process however that ends.
    Raises the last candidate's error when there is none.
    """
    with ExitStack() as stack:
        error: VpgError | None = None
        for candidate in candidates:
            try:
                check(candidate)
                stack.enter_context(_lock(kind, candidate))
            except VpgError as refused:
                error = refused
                continue
            yield candidate
            return
        assert error is not None
        raise error


@contextmanager
def _lock(kind: str, name: str) -> Iterator[None]:
    """Hold the reservation of ``name``; raises PARAMETER_INVALID when another process has it."""
    folder = Path(tempfile.gettempdir()) / f"vpg_ros-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / f"{kind}-{name}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sentence = f"{kind} is {name}: another system on this machine uses it; choose another"
            raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from None
        yield
    finally:
        os.close(descriptor)


def _require_domain(domain: str) -> None:
    """Raise PARAMETER_INVALID for what cannot be a domain."""
    if not (domain.isdigit() and int(domain) <= 232):
        sentence = f"ROS_DOMAIN_ID is {domain!r}; allowed: 0 to 232"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence)
