"""A Robotiq gripper and its URCap: text on port 63352."""

import asyncio
from dataclasses import dataclass

from vpg_ros.devices.gripper_data import ROBOTIQ_2F85, ROBOTIQ_HANDE, GripperData
from vpg_ros.sim.controller.gripper import GripperDevice
from vpg_ros.sim.controller.robot import Robot
from vpg_ros.sim.controller.state import SafetyMode

_RESET, _ACTIVATING, _ACTIVE = 0, 1, 3  # STA
_MOVING, _STOPPED_OPENING, _STOPPED_CLOSING, _ARRIVED = range(4)  # OBJ
_NOT_ACTIVATED = 7  # FLT


@dataclass(frozen=True)
class Fingers:
    """What POS reads with the fingers fully open, and with the fingertips touching each other."""

    data: GripperData
    open: int
    closed: int


TWO_FINGER_85 = Fingers(ROBOTIQ_2F85, open=3, closed=228)
HAND_E = Fingers(ROBOTIQ_HANDE, open=0, closed=255)


class Robotiq(GripperDevice):
    """``GET`` and ``SET`` of its variables. POS asks for 0 (open) to 255, and reads where it is."""

    PORT = 63352

    def __init__(self, robot: Robot, fingers: Fingers) -> None:
        super().__init__(robot.gripper)
        self._fingers, self._safety = fingers, robot.safety
        self.power_cycle()

    def power_cycle(self) -> None:
        """See the base class: the activation is lost."""
        self._set = dict.fromkeys(("ACT", "GTO", "ATR", "ARD", "FOR", "SPE", "POS"), 0)
        self._status = _RESET
        self._model.stop()

    def cycle(self) -> None:
        """See the base class."""
        if self._status == _ACTIVATING and not self._model.busy:
            self._status = _ACTIVE

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See the base class."""
        while line := await reader.readline():
            answer = self._answer(line.decode(errors="replace").split())
            if not self.muted:
                writer.write(answer.encode())

    def _answer(self, words: list[str]) -> str:
        if len(words) == 2 and words[0] == "GET":
            stopped = self._safety.mode is SafetyMode.ROBOT_EMERGENCY_STOP
            value = "?" if stopped else self._get().get(words[1], "?")
            return f"{words[1]} {value}\n"
        values = dict(zip(words[1::2], words[2::2], strict=False))
        if not (words and words[0] == "SET" and values.keys() <= self._set.keys()):
            return "nack"
        self._take({name: min(int(value), 255) for name, value in values.items()})
        return "ack"

    def _get(self) -> dict[str, int]:
        fault = 0 if self._status == _ACTIVE else _NOT_ACTIVATED
        return self._set | {
            "PRE": self._set["POS"],
            "POS": self._position(),
            "STA": self._status,
            "OBJ": self._object(),
            "FLT": self.fault or fault,
        }

    def _take(self, values: dict[str, int]) -> None:
        before, self._set = self._set, self._set | values
        if not self._set["ACT"]:
            self._status = _RESET
            self._model.stop()
        elif not before["ACT"]:
            self._status = _ACTIVATING
            self._model.grip(self._fingers.data.stroke, self._fingers.data.min_force)
        elif self._status == _ACTIVE and values.keys() & {"GTO", "POS"}:
            self._move()

    def _move(self) -> None:
        if not self._set["GTO"]:
            self._model.stop()
            return
        fingers, data = self._fingers, self._fingers.data
        open_share = (fingers.closed - self._set["POS"]) / (fingers.closed - fingers.open)
        share = self._set["FOR"] / 255
        force = data.min_force + share * (data.max_force - data.min_force)
        self._model.grip(data.stroke * min(max(open_share, 0.0), 1.0), force)

    def _position(self) -> int:
        fingers = self._fingers
        open_share = min(self._model.width / fingers.data.stroke, 1.0)
        return round(fingers.closed - (fingers.closed - fingers.open) * open_share)

    def _object(self) -> int:
        model = self._model
        if model.busy or self._status != _ACTIVE:
            return _MOVING
        if not model.holding or not self._set["GTO"]:
            return _ARRIVED
        return _STOPPED_CLOSING if model.target < model.width else _STOPPED_OPENING
