"""What a primitive is, and the registry that is the only list of them."""

import re
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import Pose
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Motion, Outcome

# Directions a full turn is divided into (Zeng et al. 2018, section IV).
FULL_TURN_ROTATIONS = 16


class Primitive(ABC):
    """A parametrised motion at a pixel and a rotation of the heightmap.

    name: registry key. symmetric: whether half a turn gives the same motion, so that only the first
    half of the 16 rotations is distinct. picks: whether success takes an object off the table.
    context: m around the pixel within which the scene decides what comes of the action. carries: m
    from the pixel that what it moves may end up, where that is far. opening: m between the
    fingertips without which it cannot do, rather than for clearance. graded: whether it needs
    fingers that stay at any width between open and closed.
    """

    name: ClassVar[str]
    symmetric: ClassVar[bool] = False
    picks: ClassVar[bool] = False
    context: ClassVar[float] = 0.096
    carries: ClassVar[float] = 0.0
    opening: ClassVar[float] = 0.0
    graded: ClassVar[bool] = False

    @property
    def rotations(self) -> int:
        """Number of distinct rotations."""
        return FULL_TURN_ROTATIONS // 2 if self.symmetric else FULL_TURN_ROTATIONS

    def angle(self, rotation: int) -> float:
        """Angle of rotation index k about base +z, rad: k · 2π/16."""
        return rotation * 2 * np.pi / FULL_TURN_ROTATIONS

    @abstractmethod
    def admissible(self, heightmap: Heightmap) -> NDArray[np.bool_]:
        """Where the primitive makes sense: rotations×rows×columns mask."""

    @abstractmethod
    def pose(self, row: int, column: int, rotation: int, heightmap: Heightmap) -> Pose:
        """Tool pose in the base frame at which the primitive acts."""

    @abstractmethod
    def motion(self, action: Action, heightmap: Heightmap) -> Motion:
        """The steps that carry out ``action`` on the scene of ``heightmap``."""

    def worked(self, action: Action, outcome: Outcome, before: Heightmap, after: Heightmap) -> bool:
        """Whether the primitive did what it is for, as far as arm and camera can tell.

        Here: every step was completed, which is all there is to a grasp.
        """
        return outcome.success

    def action(self, row: int, column: int, rotation: int, heightmap: Heightmap) -> Action:
        """The action at a pixel and rotation, not yet valued."""
        pose = self.pose(row, column, rotation, heightmap)
        return Action(self.name, rotation, row, column, self.angle(rotation), pose)


_REGISTRY: dict[str, Primitive] = {}
_NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")  # what a topic of its value map may be called


def register(primitive: type[Primitive]) -> type[Primitive]:
    """Class decorator: make a primitive known by its name.

    Raises PARAMETER_INVALID for a name that is taken, or that no topic can have.
    """
    name, where = primitive.name, _where(primitive)
    require(
        bool(_NAME.fullmatch(name)),
        f"name of primitive {where} is {name!r}; it must be letters, digits and underscores, a "
        "letter first",
    )
    known = _where(type(_REGISTRY[name])) if name in _REGISTRY else where
    require(
        known == where,
        f"name of primitive {where} is {name!r}, which {known} has already; it must be another one",
    )
    _REGISTRY[name] = primitive()
    return primitive


def _where(primitive: type[Primitive]) -> str:
    """Module and name of a class."""
    return f"{primitive.__module__}.{primitive.__qualname__}"


def get(name: str) -> Primitive:
    """The primitive called ``name``; raises UNKNOWN_PRIMITIVE with the names there are."""
    if name not in _REGISTRY:
        raise VpgError(
            ErrorCode.UNKNOWN_PRIMITIVE,
            f"primitive is {name!r}; known primitives: {', '.join(sorted(_REGISTRY))}",
        )
    return _REGISTRY[name]


def names() -> tuple[str, ...]:
    """Names of all registered primitives, in order of registration."""
    return tuple(_REGISTRY)
