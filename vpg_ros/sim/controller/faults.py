"""A side channel for tests: makes the controller fail the ways robots and networks do.

One line in, one line out, over TCP on the port given by ``--fault-port``. ``help`` lists the lines.
"""

import asyncio
import json
from collections.abc import Callable

from vpg_ros.geometry import Pose
from vpg_ros.sim.controller.controller import Controller

_WITH_ARGUMENT = ("state", "slider FRACTION", "gripper-fault NUMBER", "gripper-lag SECONDS")


class Faults:
    """Carries out the lines of the side channel."""

    def __init__(self, controller: Controller) -> None:
        robot = controller.robot
        self._controller = controller
        self._actions: dict[str, Callable[[], object]] = {
            "pstop": robot.protective_stop,
            "unlock": robot.safety.unlock,
            "estop": robot.emergency_stop,
            "release": robot.safety.release,
            "power": self._power,
            "safeguard": robot.safety.safeguard_stop,
            "safeguard-reset": self._safeguard_reset,
            "pause": controller.program.hold,
            "play": controller.program.play,
            "local": lambda: controller.switch(False),
            "remote": lambda: controller.switch(True),
            "pendant-tcp": lambda: robot.mount(Pose((0.0, 0.0, 0.0))),
            "drop": controller.drop,
            "hold": lambda: self._hold(True),
            "resume": lambda: self._hold(False),
            "kill-script": lambda: controller.program.stop("killed"),
            "gripper-mute": lambda: self._mute(True),
            "gripper-answer": lambda: self._mute(False),
            "gripper-drop": controller.drop_gripper,
            "gripper-power": controller.gripper.power_cycle,
        }

    def answer(self, line: str) -> str:
        """Do what ``line`` says; ``ok``, what was asked for, or what is wrong with it."""
        name, _, argument = line.strip().partition(" ")
        if name in self._actions:
            self._actions[name]()
            return "ok"
        if name == "state":
            return json.dumps(self._state())
        if name == "slider":
            self._controller.robot.slider = float(argument)
            return "ok"
        if name == "gripper-fault":
            self._controller.gripper.fault = int(argument)
            return "ok"
        if name == "gripper-lag":
            self._controller.robot.gripper.lag = float(argument)
            return "ok"
        return f"unknown: {name}; known: {', '.join([*self._actions, *_WITH_ARGUMENT])}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it goes."""
        while line := await reader.readline():
            writer.write(f"{self.answer(line.decode(errors='replace'))}\n".encode())

    def _state(self) -> dict[str, object]:
        robot, program = self._controller.robot, self._controller.program
        return {
            "time": robot.state.time,
            "joints": list(robot.state.joints),
            "targets": list(robot.motion.joints),
            "moving": robot.motion.moving,
            "runtime": program.runtime.name,
            "safety": robot.safety.mode.name,
            "commands": list(program.history),
            "gripper_target": robot.gripper.target,
            "gripper_force": robot.gripper.force,
            "payload": robot.payload,
            "digital_outputs": robot.digital_outputs,
        }

    def _safeguard_reset(self) -> None:
        """A program that it held goes on by itself."""
        self._controller.robot.safety.safeguard_reset()
        self._controller.program.play()

    def _power(self) -> None:
        self._controller.robot.safety.power_on()
        self._controller.robot.safety.brake_release()

    def _hold(self, held: bool) -> None:
        self._controller.rtde.held = held

    def _mute(self, muted: bool) -> None:
        self._controller.gripper.muted = muted
