"""The UR controller emulator as a child process of the simulator."""

import selectors
import subprocess
import sys
import tempfile
import time

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.sim.controller.link import RobotCommand, RobotState, WorldEnd

START_TIMEOUT = 60.0  # s of wall time until it listens
EXCHANGE_TIMEOUT = 5.0  # s of wall time for one answer


class Emulator:
    """Starts the emulator on ``robot_ip`` and trades states for commands with it.

    gripper: name of the one that it carries. fault_port: of its side channel for fault tests, 0
    for none.
    """

    def __init__(self, robot_ip: str, gripper: str, fault_port: int = 0) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._link, child = WorldEnd.create()
        command = [sys.executable, "-m", "vpg_ros.sim.controller", "--host", robot_ip]
        command += ["--gripper", gripper, "--fault-port", str(fault_port)]
        self._process = subprocess.Popen(
            [*command, "--link-fd", str(child.fileno())],
            pass_fds=(child.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C in a terminal is for the nodes, not for the robot
        )
        child.close()

    def start(self, state: RobotState) -> RobotCommand:
        """The first exchange: sends ``state``, waits until the emulator listens.

        Raises CONTROLLER_FAILED with the emulator's own sentence when it cannot.
        """
        command = self._exchange(state, START_TIMEOUT)
        self._await_ready(time.monotonic() + START_TIMEOUT)
        return command

    def exchange(self, state: RobotState) -> RobotCommand:
        """One control cycle; raises CONTROLLER_FAILED when the emulator is gone."""
        return self._exchange(state, EXCHANGE_TIMEOUT)

    def close(self) -> None:
        """End the emulator."""
        self._link.close()
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(1.0)
        self._errors.close()

    def _exchange(self, state: RobotState, timeout: float) -> RobotCommand:
        try:
            return self._link.exchange(state, timeout)
        except VpgError as error:
            raise self._reason(error) from None

    def _await_ready(self, deadline: float) -> None:
        """Wait for the line that says that all ports are open."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            ready = selector.select(max(0.0, deadline - time.monotonic()))
        if not ready or not self._process.stdout.readline():
            sentence = f"the UR controller emulator was not ready within {START_TIMEOUT:g} s"
            raise self._reason(VpgError(ErrorCode.CONTROLLER_FAILED, sentence))

    def _reason(self, error: VpgError) -> VpgError:
        """The emulator's own last words, where it left any."""
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return error
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return VpgError(ErrorCode.CONTROLLER_FAILED, lines[-1]) if lines else error
