"""The gripper of a simulated world behind :class:`vpg_ros.devices.interfaces.Gripper`."""

import numpy as np

from vpg_ros.errors import require
from vpg_ros.sim.clearance import free
from vpg_ros.sim.robot import GRIPPER_SPEED, MAX_FORCE, MIN_FORCE, STROKE
from vpg_ros.sim.world import DT, World

_DEADLINE = 2.0  # s of simulated time: more than twice a full stroke
_SETTLING = 0.4  # s of simulated time: less than the lift takes
_SPACING = 0.015  # m of width between two looks: less than a finger with its margin


class SimGripper:
    """The gripper of ``world``. fast: whether the fingers' way through free space is skipped."""

    def __init__(self, world: World, fast: bool = True) -> None:
        self._world, self._fast = world, fast

    def move(self, width: float, force: float) -> float:
        """See :class:`Gripper`."""
        require(0 <= width <= STROKE, f"gripper width is {width} m; allowed: 0 … {STROKE} m")
        require(
            MIN_FORCE <= force <= MAX_FORCE,
            f"gripper force is {force} N; allowed: {MIN_FORCE:g} … {MAX_FORCE:g} N",
        )
        self._world.robot.grip(width, force)
        if self._fast:
            self._release_over_bin(width)
            if self._is_free(width):
                return self._jump(width)
        return self._drive()

    def width(self) -> float:
        """See :class:`Gripper`."""
        return self._world.robot.width()

    def is_holding(self) -> bool:
        """See :class:`Gripper`; what slips in the grip has the time that a skipped lift took."""
        robot = self._world.robot
        for _ in range(round(_SETTLING / DT)):
            if robot.is_still() and not robot.is_holding():
                break
            self._world.step()
        return robot.is_holding()

    def stop(self) -> None:
        """See :class:`Gripper`; all calls come from one thread, so no move is ever in progress."""

    def _drive(self) -> float:
        """Let the fingers move until they stand still."""
        for _ in range(round(_DEADLINE / DT)):
            self._world.step()
            if self._world.robot.is_still():
                break
        return self.width()

    def _jump(self, width: float) -> float:
        """Have the fingers there at once."""
        self._world.skip(abs(width - self.width()) / GRIPPER_SPEED)
        self._world.robot.teleport_fingers(width)
        return width

    def _is_free(self, width: float) -> bool:
        """Whether the fingers touch nothing from where they are up to ``width``."""
        world, now = self._world, self.width()
        if world.carried() != ():
            return False
        widths = np.linspace(now, width, 2 + int(abs(width - now) / _SPACING))
        tool = world.robot.tip()[None]
        return all(bool(free(world, tool, float(step)).all()) for step in widths)

    def _release_over_bin(self, width: float) -> None:
        """Count what the opening fingers let fall into the bin; the fall itself is skipped."""
        world = self._world
        x, y, _ = world.robot.tip()[:3, 3]
        if width > self.width() and world.cell.in_bin(float(x), float(y)):
            for body in world.carried() or ():
                world.drop_in_bin(body)
