"""The gripper as any controller moves it: what it was told, what it measures, what that means."""

import asyncio

from vpg_ros.devices.gripper_data import RG2, GripperData
from vpg_ros.sim.controller.link import RobotState

_REACHED = 0.001  # m from the target at which a movement is over
_STUCK = 0.001  # m a movement must make: what is held trembles by less …
_STUCK_TIME = 0.2  # … in this many s, or it is over


class GripperModel:
    """What the gripper was told and what it measures.

    data: of the gripper. target: m between the fingertips. force: N. width: m, measured. busy: a
    movement is under way. lag: s until an order is followed.
    """

    def __init__(self, data: GripperData = RG2) -> None:
        self.data = data
        self.target, self.force = data.stroke, data.min_force
        self.width, self.busy, self.lag = data.stroke, False, 0.0
        self._order: tuple[float, float, float] | None = None  # time, width, force
        self._seen_width, self._seen_time, self._time = data.stroke, 0.0, -1.0

    def grip(self, width: float, force: float) -> None:
        """Move the fingers to ``width`` m with at most ``force`` N."""
        self._order = self._time + self.lag, width, force
        self._begin()

    def stop(self) -> None:
        """Stay where the fingers are."""
        self.target, self.busy, self._order = self.width, False, None

    def measure(self, state: RobotState) -> None:
        """Take in what the world measured; the first measurement becomes the target."""
        if self._time < 0.0:
            self.target = state.gripper_width
        self._time = state.time
        self.width = state.gripper_width
        self._begin()
        if abs(self.width - self._seen_width) > _STUCK:
            self._seen_width, self._seen_time = self.width, self._time
        stuck = self._time - self._seen_time > _STUCK_TIME
        self.busy = self.busy and not (self._reached or stuck)

    def _begin(self) -> None:
        """Follow an order that is due."""
        if self._order is not None and self._time >= self._order[0]:
            _, self.target, self.force = self._order
            self.busy, self._order = True, None
            self._seen_width, self._seen_time = self.width, self._time

    @property
    def holding(self) -> bool:
        """Whether the last movement ended short of its target: what is held may tremble."""
        return not self.busy and not self._reached

    @property
    def _reached(self) -> bool:
        return abs(self.width - self.target) < _REACHED


class GripperDevice:
    """What a gripper's own controller does with ``model``, and the port on which clients reach it.

    PORT: 0 for a gripper without a port of its own. muted: take requests but never answer, as one
    that lost its power. fault: number of a fault that it has, where it can tell; 0 for none.
    """

    PORT = 0

    def __init__(self, model: GripperModel) -> None:
        self._model = model
        self.muted, self.fault = False, 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it goes."""

    def cycle(self) -> None:
        """One control cycle."""

    def power_cycle(self) -> None:
        """Lose the power for a moment."""
