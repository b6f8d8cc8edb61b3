"""The lock-step link between the simulated world and the controller emulator.

World and controller are two processes with a socketpair between them. Each 8 ms of simulated time
(one controller cycle, :data:`CYCLE`) the world sends a :class:`RobotState` and the controller
answers with a :class:`RobotCommand`; neither runs ahead of the other. Records have a fixed size
and are packed little-endian, so the link costs some 10 µs a cycle.
"""

import asyncio
import socket
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpg_ros.errors import ErrorCode, VpgError

CYCLE = 0.008  # s of simulated time: the control cycle of a CB3 controller (125 Hz)

_STATE = struct.Struct("<d6d6d6dd")
_COMMAND = struct.Struct("<6ddd")


@dataclass(frozen=True)
class RobotState:
    """What the world measured at the end of a cycle.

    time: simulated s. joints: 6 rad. velocities: 6 rad/s. wrench: contact force (N) and torque (Nm)
    upon the tool at the TCP, 6, base axes. gripper_width: m between the fingertips.
    """

    time: float
    joints: NDArray[np.float64]
    velocities: NDArray[np.float64]
    wrench: NDArray[np.float64]
    gripper_width: float

    def pack(self) -> bytes:
        """The record as it crosses the link."""
        return _STATE.pack(
            self.time,
            *self.joints,
            *self.velocities,
            *self.wrench,
            self.gripper_width,
        )

    @staticmethod
    def unpack(record: bytes) -> "RobotState":
        """The inverse of :meth:`pack`."""
        values = _STATE.unpack(record)
        joints, velocities, wrench = np.array(values[1:19]).reshape(3, 6)
        return RobotState(values[0], joints, velocities, wrench, values[19])


@dataclass(frozen=True)
class RobotCommand:
    """What the controller wants at the end of the next cycle.

    joints: 6 rad. gripper_width: m between the fingertips. gripper_force: N at most.
    """

    joints: NDArray[np.float64]
    gripper_width: float
    gripper_force: float

    def pack(self) -> bytes:
        """The record as it crosses the link."""
        return _COMMAND.pack(*self.joints, self.gripper_width, self.gripper_force)

    @staticmethod
    def unpack(record: bytes) -> "RobotCommand":
        """The inverse of :meth:`pack`."""
        values = _COMMAND.unpack(record)
        return RobotCommand(np.array(values[:6]), values[6], values[7])


class WorldEnd:
    """The simulator's side: blocking, for the thread that owns the world.

    ``WorldEnd.create()`` makes the pair; pass the second value's file descriptor to the child:
    ``Popen([..., "--link-fd", str(fd)], pass_fds=(fd,))``, then close it here.
    """

    def __init__(self, link: socket.socket) -> None:
        self._link = link

    @staticmethod
    def create() -> tuple["WorldEnd", socket.socket]:
        """The world's end and the socket that the controller process inherits."""
        world, controller = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return WorldEnd(world), controller

    def exchange(self, state: RobotState, timeout: float = 5.0) -> RobotCommand:
        """Send ``state``, wait at most ``timeout`` s of wall time for the controller's answer.

        Raises CONTROLLER_FAILED when the controller is gone or does not answer.
        """
        self._link.settimeout(timeout)
        try:
            self._link.sendall(state.pack())
            return RobotCommand.unpack(self._read(_COMMAND.size))
        except TimeoutError:
            raise VpgError(
                ErrorCode.CONTROLLER_FAILED,
                f"the UR controller emulator did not answer within {timeout:g} s",
            ) from None
        except OSError as error:
            raise VpgError(
                ErrorCode.CONTROLLER_FAILED, f"the UR controller emulator closed its link: {error}"
            ) from None

    def close(self) -> None:
        """Close the link; the controller process then exits."""
        self._link.close()

    def _read(self, size: int) -> bytes:
        record = b""
        while len(record) < size:
            part = self._link.recv(size - len(record))
            if not part:
                raise ConnectionResetError("end of stream")
            record += part
        return record


class ControllerEnd:
    """The controller's side, for asyncio."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @staticmethod
    async def connect(descriptor: int) -> "ControllerEnd":
        """The end whose file descriptor this process inherited."""
        link = socket.socket(fileno=descriptor)
        return ControllerEnd(*await asyncio.open_unix_connection(sock=link))

    async def receive(self) -> RobotState | None:
        """The world's next state; None once the world has closed the link."""
        try:
            return RobotState.unpack(await self._reader.readexactly(_STATE.size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def send(self, command: RobotCommand) -> None:
        """Answer the state received last."""
        self._writer.write(command.pack())
