"""What an evaluation plays: tables drawn from a scene family, or arrangements that are given."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from vpg_ros.errors import ErrorCode, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.env import TableEnv
from vpg_ros.sim import cases, scenes
from vpg_ros.sim.scenes.base import check

CHALLENGING = "challenging"  # name of the arrangements that come along
DEFAULT_OBJECTS = 10  # on the tables of a family


class EvaluationCase(Protocol):
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
        """Set ``env`` up; raises SCENE_INVALID where the table does not hold them all."""
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


@dataclass(frozen=True)
class ArrangedCase:
    """One arrangement. jitter: whether the seed jitters its start poses."""

    case: cases.Case
    jitter: bool = field(default=True, repr=False)

    @property
    def name(self) -> str:
        """As the arrangement."""
        return self.case.name

    @property
    def objects(self) -> int:
        """All of the arrangement."""
        return len(self.case.specs)

    def reset(self, env: TableEnv, seed: int) -> Heightmap:
        """The arrangement."""
        return env.reset_case(self.case, seed, self.jitter)


def find_cases(
    name: str, objects: int | None = None, jitter: bool = True
) -> tuple[EvaluationCase, ...]:
    """The cases that a name stands for.

    name: CHALLENGING, a scene family, or a folder of test cases (``sim.cases.load_folder``).
    objects: on the tables of a family, DEFAULT_OBJECTS if None; arrangements have their own.
    jitter: of the start poses of arrangements. Raises SCENE_UNKNOWN, SCENE_INVALID, and
    PARAMETER_INVALID for objects of arrangements and for a family without jitter.
    """
    arranged = _arrangements(name)
    if not arranged:
        count = DEFAULT_OBJECTS if objects is None else objects
        check(name, count)
        require(jitter, f"jitter is False; tables of {name!r} are drawn anew by every seed")
        return (FamilyCase(name, count),)
    require(
        objects is None,
        f"objects is {objects}; the cases of {name!r} have their own number of objects",
    )
    return tuple(ArrangedCase(case, jitter) for case in arranged)


def _arrangements(name: str) -> list[cases.Case]:
    """The arrangements that a name stands for, none where it is a family."""
    if name.startswith(CHALLENGING):
        known = cases.challenging()
        chosen = [case for case in known if name in (CHALLENGING, case.name)]
        if chosen:
            return chosen
    if name in scenes.names():
        return []
    families = ", ".join(family for family in scenes.names() if not family.startswith(CHALLENGING))
    require(
        Path(name).is_dir(),
        f"scenes is {name!r}; it must be {CHALLENGING}, a folder of test cases, or one of the "
        f"families {families}",
        ErrorCode.SCENE_UNKNOWN,
    )
    return cases.load_folder(Path(name))
