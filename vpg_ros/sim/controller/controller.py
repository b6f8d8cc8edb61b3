"""The controller as a whole: one robot, one program, and the servers that show them to clients."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from vpg_ros.devices import grippers
from vpg_ros.devices.kinematics import kinematics
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Pose
from vpg_ros.sim.controller import dashboard, rtde, script
from vpg_ros.sim.controller.commands import COMMANDS
from vpg_ros.sim.controller.gripper import GripperModel
from vpg_ros.sim.controller.grippers import device
from vpg_ros.sim.controller.link import RobotCommand, RobotState
from vpg_ros.sim.controller.outputs import Outputs
from vpg_ros.sim.controller.program import Program
from vpg_ros.sim.controller.robot import Robot
from vpg_ros.sim.controller.state import SafetyMode

_log = logging.getLogger(__name__)
_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Identity:
    """What the controller is: arm model, PolyScope version (major, minor, bugfix), gripper."""

    model: str = "ur5"
    version: tuple[int, int, int] = (5, 11, 0)
    gripper: str = "rg2"

    @property
    def build(self) -> tuple[int, int, int, int]:
        """The version with a build number, as controllers give it."""
        return (*self.version, 108249)


class Controller:
    """Runs the program and the motion once a control cycle, and serves clients in between."""

    def __init__(self, identity: Identity, state: RobotState) -> None:
        bare = kinematics(identity.model, Pose((0.0, 0.0, 0.0)))
        self.robot = Robot(state, bare, gripper=GripperModel(grippers.get(identity.gripper).data))
        self.program = Program(self.robot, COMMANDS)
        self.gripper = device(identity.gripper, self.robot)
        outputs = Outputs(self.robot, self.program)
        self.rtde = rtde.RtdeServer(identity.build, outputs, self._write)
        self._dashboard = dashboard.Dashboard(self.program, identity.build, identity.model)
        self._script = script.ScriptServer(self.program.load)
        self._writers: set[asyncio.StreamWriter] = set()
        self._gripper_writers: set[asyncio.StreamWriter] = set()
        self._output_mask = 0

    def cycle(self, state: RobotState) -> RobotCommand:
        """One control cycle: measure, run the program, move, tell the clients."""
        self.robot.measure(state)
        self.gripper.cycle()
        if self.robot.safety.mode is SafetyMode.PROTECTIVE_STOP:
            self.program.pause()
        elif self.robot.safety.mode is SafetyMode.SAFEGUARD_STOP:
            self.program.hold()
        elif not self.robot.safety.may_move:
            self.program.stop("the robot is not ready to move")
        self.program.cycle()
        command = self._command()
        self.rtde.publish()
        return command

    async def listen(self, host: str) -> None:
        """Open all ports on ``host``; raises CONTROLLER_FAILED when one is taken."""
        await _open(host, rtde.PORT, self.rtde.serve, self._writers)
        await _open(host, dashboard.PORT, self._dashboard.serve, self._writers)
        await _open(host, script.PORT, self._script.serve, self._writers)
        if self.gripper.PORT:
            await _open(host, self.gripper.PORT, self.gripper.serve, self._gripper_writers)

    def drop(self) -> None:
        """Cut every connection."""
        self.drop_gripper()
        for writer in self._writers:
            writer.transport.abort()

    def switch(self, remote: bool) -> None:
        """The pendant's switch between local and remote control."""
        if remote != self.robot.remote:
            self.robot.remote = remote
            self._script.switched()

    def drop_gripper(self) -> None:
        """Cut every connection to the gripper."""
        for writer in self._gripper_writers:
            writer.transport.abort()

    def _command(self) -> RobotCommand:
        try:
            return self.robot.command()
        except VpgError as error:
            _log.warning("protective stop: %s", error.message)
            self.robot.protective_stop()
            return self.robot.command()

    def _write(self, name: str, values: tuple[float, ...]) -> None:
        """Take an input variable that a client has written."""
        registers = self.robot.registers
        index = int(name.rsplit("_", 1)[1]) if "register" in name else 0
        if name.startswith("input_int_register"):
            registers.input_int[index] = int(values[0])
            if index in (0, 24):
                self.program.heard()
        elif name.startswith("input_double_register"):
            registers.input_double[index] = values[0]
        elif name == "speed_slider_fraction":
            self.robot.slider = min(max(values[0], 0.0), 1.0)
        else:
            self._write_output(name, int(values[0]))

    def _write_output(self, name: str, bits: int) -> None:
        """Digital outputs come as a mask and then the bits."""
        if name.endswith("digital_output_mask"):
            self._output_mask = bits
        elif name.endswith("digital_output"):
            shift = {"standard": 0, "configurable": 8, "tool": 16}[name.split("_")[0]]
            self.robot.set_outputs(shift, self._output_mask, bits)


async def _open(host: str, port: int, serve: _Serve, writers: set[asyncio.StreamWriter]) -> None:
    """Serve on host:port; ``writers`` holds the connections that are open."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            await serve(reader, writer)
        finally:
            writers.discard(writer)

    await open_port(host, port, handle)


async def open_port(host: str, port: int, serve: _Serve) -> None:
    """Serve on host:port; raises CONTROLLER_FAILED, naming both, when that cannot be."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that goes, and the end of this process, are no errors.
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()

    try:
        await asyncio.start_server(handle, host, port)
    except OSError as error:
        raise VpgError(
            ErrorCode.CONTROLLER_FAILED,
            f"the UR controller emulator cannot listen on {host}:{port}: "
            f"{os.strerror(error.errno or 0).lower()}",
        ) from None
