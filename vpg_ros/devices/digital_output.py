"""A gripper that digital outputs of a UR controller open and close, as pneumatic ones are.

It knows two positions only. An optional switch, on a digital input, is on when the fingers have
closed on nothing; without one, closed fingers count as holding something.
"""

import threading
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from vpg_ros.devices import ur_io
from vpg_ros.devices.child import ChildProcess
from vpg_ros.devices.gripper_data import DIGITAL_OUTPUT as DATA
from vpg_ros.devices.gripper_move import no_answer, wait_for_fingers
from vpg_ros.errors import require

NONE = -1
_FIRST_BIT = {"standard": 0, "configurable": 8, "tool": 16}
_SIZE = {"standard": 8, "configurable": 8, "tool": 2}
BANKS = tuple(_FIRST_BIT)
_POLL = 0.02  # s
_SPARE = 2.0  # s that a call may take beyond the wait for the controller's next sample
_PATIENCE = 10.0  # s of wall time beyond the travel time in which it must have passed
_CHECK = (
    "the robot's address, that no other client has its digital outputs (an RTDE or fieldbus "
    "client of PolyScope), and their wiring"
)


@dataclass(frozen=True)
class Wiring:
    """Which signals of one bank of the controller the gripper hangs on.

    bank: standard, configurable or tool. close_output: closes the gripper while it is on.
    open_output: on while the gripper is to be open; NONE where a spring or the same valve opens it.
    closed_input: on when the fingers have closed on nothing; NONE without such a switch.
    travel_time: s that the fingers take for their whole way.
    """

    bank: str = "standard"
    close_output: int = 0
    open_output: int = NONE
    closed_input: int = NONE
    travel_time: float = 0.5

    def __post_init__(self) -> None:
        require(
            self.bank in BANKS,
            f"digital_output.bank is {self.bank!r}; allowed: {', '.join(BANKS)}",
        )
        last = _SIZE[self.bank] - 1
        for name, value, least in (
            ("close_output", self.close_output, 0),
            ("open_output", self.open_output, NONE),
            ("closed_input", self.closed_input, NONE),
        ):
            require(
                least <= value <= last,
                f"digital_output.{name} is {value}; allowed for the {self.bank} bank: "
                f"{least} … {last}",
            )

        require(
            self.open_output != self.close_output,
            f"digital_output.open_output and digital_output.close_output are both "
            f"{self.open_output}; allowed: two outputs, or {NONE} for open_output",
        )

    def outputs(self, closed: bool) -> dict[int, bool]:
        """Output → level that closes or opens the gripper."""
        levels = {self.close_output: closed, self.open_output: not closed}
        levels.pop(NONE, None)
        return levels

    def bit(self, number: int) -> int:
        """The bit of a signal in the controller's word of inputs or outputs; 0 for NONE."""
        return 0 if number == NONE else 1 << _FIRST_BIT[self.bank] + number


class DigitalOutput:
    """A gripper with two positions; see :class:`vpg_ros.devices.interfaces.Gripper`.

    robot_ip: address of the controller. call_timeout: s of wall time that the controller's clock
    may stand still.

    Raises GRIPPER_NO_ANSWER when no controller answers at ``robot_ip``; every call makes a new
    connection where the last has broken. Not for two threads at once, but for ``stop``.
    """

    def __init__(
        self, robot_ip: str, wiring: Wiring | None = None, call_timeout: float = 2.0
    ) -> None:
        self._robot_ip, self._wiring = robot_ip, wiring or Wiring()
        self._name = f"digital outputs of the gripper on the controller at {robot_ip}"
        self._timeout = call_timeout
        self._stop = threading.Event()
        self._child: ChildProcess | None = None
        self._read()

    def move(self, width: float, force: float) -> float:
        """Open, or close where ``width`` is below half the stroke; returns what :meth:`width` does.

        The gripper's force is set at its valve: ``force`` is not used.
        """
        DATA.check(width, force)
        self._stop.clear()
        close = width < DATA.stroke / 2
        for output, level in self._wiring.outputs(close).items():
            self._call("set", self._wiring.bank, output, level)
        arrival = self._await_outputs(close) + self._wiring.travel_time
        wait_for_fingers(
            self._name,
            lambda: self._read()[0] < arrival,
            lambda: None,  # nothing stops it half way
            self._stop,
            self._wiring.travel_time + _PATIENCE,
        )
        return self.width()

    def width(self) -> float:
        """Distance between the fingertips, m: the stroke, 0, or half way where an object is held.

        It cannot be measured; half the stroke stands for a width that is not known.
        """
        _, inputs, outputs = self._read()
        if not self._is_closed(outputs):
            return DATA.stroke
        return DATA.stroke / 2 if self._holds(inputs, outputs) else 0.0

    def is_holding(self) -> bool:
        """Whether the fingers are closed and the switch, where there is one, is off."""
        _, inputs, outputs = self._read()
        return self._holds(inputs, outputs)

    def stop(self) -> None:
        """Have a move in progress raise CANCELLED; the fingers go on, nothing stops them."""
        self._stop.set()

    def close(self) -> None:
        """Disconnect; the gripper stays as it is."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _is_closed(self, outputs: int) -> bool:
        return bool(outputs & self._wiring.bit(self._wiring.close_output))

    def _holds(self, inputs: int, outputs: int) -> bool:
        return self._is_closed(outputs) and not inputs & self._wiring.bit(self._wiring.closed_input)

    def _await_outputs(self, close: bool) -> float:
        """Wait until the controller shows the outputs as they were set; its time then, s."""
        wiring, deadline = self._wiring, time.monotonic() + self._timeout
        wanted = {wiring.bit(o): level for o, level in wiring.outputs(close).items()}
        while True:
            stamp, _, outputs = self._read()
            if all(bool(outputs & bit) == level for bit, level in wanted.items()):
                return stamp
            if time.monotonic() > deadline:
                self._fail("its outputs do not change")
            time.sleep(_POLL)

    def _read(self) -> tuple[float, int, int]:
        """Controller time (s), bits of the inputs, bits of the outputs."""
        stamp, inputs, outputs = self._call("read", self._timeout)
        return float(stamp), int(inputs), int(outputs)

    def _call(self, method: str, *arguments: Any) -> Any:
        if self._child is None:
            self._child = ChildProcess(ur_io.__file__, self._robot_ip)
            self._answer(ur_io.CONNECT_TIMEOUT + _SPARE)
        self._child.request(method, arguments)
        return self._answer(self._timeout + _SPARE)

    def _answer(self, timeout: float) -> Any:
        """What the process answers."""
        assert self._child is not None
        deadline = time.monotonic() + timeout
        while (answer := self._child.answer(_POLL)) is None:
            if time.monotonic() > deadline:
                self._fail("no answer in time")
        if "broken" in answer:
            self._fail("the connection could not be kept")
        if "error" in answer:
            self._fail(answer["error"])
        return answer["result"]

    def _fail(self, reason: str) -> NoReturn:
        self.close()
        no_answer(self._name, reason, _CHECK)
