"""What an evaluation plays: tables drawn from a scene family."""

from dataclasses import dataclass
from typing import Protocol

from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.env import TableEnv
from vpg_ros.sim.scenes.base import check

DEFAULT_OBJECTS = 10  # on the tables of a family


class Case(Protocol):
    """A way to set up a table: the same for the same seed, in any environment."""

    @property
    def name(self) -> str:
        """What it is called in reports, unique within an evaluation."""
        ...

    @property
    def objects(self) -> int:
        """How many objects stand on the table."""
        ...

    def reset(self, env: TableEnv, seed: int) -> Heightmap:
        """Set ``env`` up; raises SCENE_INVALID where a crowded table does not hold them all."""
        ...


@dataclass(frozen=True)
class FamilyCase:
    """Tables of a scene family, another one for each seed."""

    scene: str
    objects: int

    @property
    def name(self) -> str:
        """The family and the number of objects."""
        return f"{self.scene}-{self.objects}"

    def reset(self, env: TableEnv, seed: int) -> Heightmap:
        """A table of the family."""
        return env.reset(self.scene, self.objects, seed)


def find_cases(scenes: str, objects: int | None = None) -> tuple[Case, ...]:
    """The cases that ``scenes`` stands for: one of a family, with ``objects`` objects.

    Raises SCENE_UNKNOWN and SCENE_INVALID.
    """
    count = DEFAULT_OBJECTS if objects is None else objects
    check(scenes, count)
    return (FamilyCase(scenes, count),)
