"""Accidents: losses that the simulated world tells of, and what lies in wait for them.

A hazard is a hidden property of objects: nothing of it is seen, and it has no part in the physics.
The world asks each one after every step whether it has come to anything.
"""

import math
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

import numpy as np

from vpg_ros.geometry import Pose


@dataclass(frozen=True)
class Accident:
    """A loss. kind: "lost", "torn" or "broken". what: kind of the object."""

    kind: str
    what: str


class Stage(Enum):
    """How far a hazard has come."""

    WAITING = auto()
    HARMLESS = auto()  # it is over, and nothing happened
    HAPPENED = auto()


class Objects(Protocol):
    """What a hazard sees of the world; ``sim.world.World`` is one."""

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the objects."""
        ...

    def pose(self, body: int) -> Pose:
        """Where an object is."""
        ...

    def is_lifted(self, body: int) -> bool:
        """Whether it has risen from where it last lay."""
        ...

    def pressure(self, body: int) -> float:
        """Force with which other objects press on it, N."""
        ...


class Hazard(Protocol):
    """Something that may go wrong once. kind, body: of the accident that it would be."""

    @property
    def kind(self) -> str:
        """Of the accident."""
        ...

    @property
    def body(self) -> int:
        """The object concerned."""
        ...

    def stage(self, world: Objects) -> Stage:
        """How far it has come."""
        ...


@dataclass(frozen=True)
class Thread:
    """Two objects hang together until they are more than ``length`` m apart, centre from centre.

    On the table that does no harm. In the air it does: the one that is lifted tears off the other.
    """

    body: int
    other: int
    length: float
    kind: str = "torn"

    def stage(self, world: Objects) -> Stage:
        """Torn when too far apart."""
        if not {self.body, self.other} <= set(world.objects):
            return Stage.HARMLESS
        if not self._is_apart(world):
            return Stage.WAITING
        return Stage.HAPPENED if self._is_lifted(world) else Stage.HARMLESS

    def _is_apart(self, world: Objects) -> bool:
        first, second = (np.array(world.pose(each).position) for each in (self.body, self.other))
        return bool(np.linalg.norm(first - second) > self.length)

    def _is_lifted(self, world: Objects) -> bool:
        return world.is_lifted(self.body) or world.is_lifted(self.other)


@dataclass(frozen=True)
class Glue(Thread):
    """A thread that bears nothing: it tears as well when both are lifted together."""

    def stage(self, world: Objects) -> Stage:
        """Torn when lifted, unless they were parted before."""
        stage = super().stage(world)
        if stage is Stage.WAITING and self._is_lifted(world):
            return Stage.HAPPENED
        return stage


@dataclass(frozen=True)
class Glaze:
    """An object chips when other objects (not fingers, which are soft) press harder than it bears.

    strength: N.
    """

    body: int
    strength: float
    kind: str = "broken"

    def stage(self, world: Objects) -> Stage:
        """Broken by pressure."""
        if self.body not in world.objects:
            return Stage.HARMLESS
        broken = world.pressure(self.body) > self.strength
        return Stage.HAPPENED if broken else Stage.WAITING


@dataclass(frozen=True)
class Crack:
    """An object falls apart when it is lifted, whatever was done before."""

    body: int
    kind: str = "broken"

    def stage(self, world: Objects) -> Stage:
        """Broken when lifted."""
        if self.body not in world.objects:
            return Stage.HARMLESS
        return Stage.HAPPENED if world.is_lifted(self.body) else Stage.WAITING


@dataclass(frozen=True)
class Adhesion:
    """An object sticks to the mat that it lies on, and tears when it is lifted off.

    middle: of the mat (x, y), m. reach: m from there at which the object has come loose.
    """

    body: int
    middle: tuple[float, float]
    reach: float
    kind: str = "torn"

    def stage(self, world: Objects) -> Stage:
        """Torn when lifted, unless it was moved off before."""
        if self.body not in world.objects:
            return Stage.HARMLESS
        x, y, _ = world.pose(self.body).position
        if math.dist((x, y), self.middle) > self.reach:
            return Stage.HARMLESS
        return Stage.HAPPENED if world.is_lifted(self.body) else Stage.WAITING
