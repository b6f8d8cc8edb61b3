"""A pneumatic gripper on the controller's digital signals.

Standard output 0 closes it; standard input 0 is on when it has closed on nothing.
"""

from vpg_ros.sim.controller.gripper import GripperDevice
from vpg_ros.sim.controller.robot import Robot

_SIGNAL = 1 << 0  # of the outputs, and of the inputs
_FORCE = 30.0  # N, set at its valve
_CLOSED = 0.001  # m at which the switch turns on


class DigitalGripper(GripperDevice):
    """Follows an output of ``robot``; ``muted``, as without compressed air, it stays as it is."""

    def __init__(self, robot: Robot) -> None:
        super().__init__(robot.gripper)
        self._robot, self._closing = robot, False

    def cycle(self) -> None:
        """See the base class."""
        closing = bool(self._robot.digital_outputs & _SIGNAL)
        if closing != self._closing and not self.muted:
            self._closing = closing
            self._model.grip(0.0 if closing else self._model.data.stroke, _FORCE)
        switch = self._closing and self._model.width < _CLOSED
        self._robot.digital_inputs = _SIGNAL if switch else 0
