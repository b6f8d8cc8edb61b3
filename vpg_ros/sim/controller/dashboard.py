"""The dashboard port (29999): one line in, one line out, in the words ur_rtde checks."""

import asyncio
import time
from collections.abc import Callable

from vpg_ros.sim.controller.program import Program
from vpg_ros.sim.controller.state import RuntimeState

PORT = 29999
_GREETING = "Connected: Universal Robots Dashboard Server"
_E_SERIES = 5  # major version
_REMOTE_CONTROL = (5, 6)  # PolyScope version that the switch came with; a CB3 has none
_MODEL = ((3, 12), (5, 6))  # of a CB3 and an e-series, from which on it tells its model
_LOCKED = 5.0  # s of wall time after a protective stop in which it cannot be unlocked


class Dashboard:
    """Answers dashboard commands about ``program`` and the robot it runs on."""

    def __init__(self, program: Program, version: tuple[int, ...], model: str) -> None:
        self._program, self._robot = program, program.robot
        self._answers: dict[str, Callable[[], str]] = {
            "polyscopeversion": lambda: f"URSoftware {'.'.join(map(str, version))} (Jan 01 2024)",
            "get serial number": lambda: "20180000000",
            "robotmode": lambda: f"Robotmode: {self._robot.safety.robot_mode.name}",
            "safetymode": lambda: f"Safetymode: {self._robot.safety.mode.name}",
            "safetystatus": lambda: f"Safetystatus: {self._robot.safety.mode.name}",
            "running": lambda: f"Program running: {str(self._running).lower()}",
            "programstate": self._program_state,
            "get loaded program": lambda: "No program loaded",
            "stop": self._stop,
            "pause": self._pause,
            "play": self._play,
            "unlock protective stop": self._unlock,
            "power on": lambda: self._do(self._robot.safety.power_on, "Powering on"),
            "power off": self._power_off,
            "brake release": lambda: self._do(self._robot.safety.brake_release, "Brake releasing"),
            "close safety popup": lambda: "closing safety popup",
            "close popup": lambda: "closing popup",
            "quit": lambda: "Disconnected",
        }
        if version >= _MODEL[version[0] >= _E_SERIES]:
            self._answers["get robot model"] = model.upper
        if version >= _REMOTE_CONTROL:
            self._answers["is in remote control"] = lambda: str(self._robot.remote).lower()

    def answer(self, line: str) -> str:
        """The answer to one command."""
        command = self._answers.get(line.strip().lower())
        if command is not None:
            return command()
        if line.startswith("load "):
            return f"Loading program: {line[5:].strip()}"
        if line.startswith(("popup ", "addToLog ")):
            return "showing popup" if line.startswith("popup") else "Added log message"
        return f"could not understand: '{line.strip()}'"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it goes."""
        writer.write(f"{_GREETING}\n".encode())
        while line := await reader.readline():
            writer.write(f"{self.answer(line.decode(errors='replace'))}\n".encode())

    @property
    def _running(self) -> bool:
        return self._program.runtime is RuntimeState.PLAYING

    def _program_state(self) -> str:
        name = self._program.script.name if self._program.script else "<unnamed>"
        return f"{self._program.runtime.name} {name}"

    def _stop(self) -> str:
        self._program.stop("from the dashboard")
        return "Stopped"

    def _pause(self) -> str:
        if not self._running:
            return "Failed to execute: pause"
        self._program.hold()
        return "Pausing program"

    def _play(self) -> str:
        return "Starting program" if self._program.play() else "Failed to execute: play"

    def _unlock(self) -> str:
        if time.monotonic() - self._robot.safety.stopped_at < _LOCKED:
            return "Cannot unlock protective stop until 5s after occurrence."
        if self._robot.safety.unlock():
            return "Protective stop releasing"
        return "Cannot unlock protective stop: there is none"

    def _power_off(self) -> str:
        self._program.stop("power off")
        return self._do(self._robot.safety.power_off, "Powering off")

    @staticmethod
    def _do(change: Callable[[], None], answer: str) -> str:
        change()
        return answer
