"""The challenging cases as scenes, each with the objects that it has."""

from functools import cache, partial

from vpg_ros.errors import ErrorCode, require
from vpg_ros.sim import cases
from vpg_ros.sim.scenes.base import scene
from vpg_ros.sim.world import World

# Objects in each of scenes/challenging/*.txt: known here, so that names cost no reading.
OBJECTS = (4, 6, 5, 7, 4, 6, 7, 6, 7, 5, 8)


@cache
def _cases() -> list[cases.Case]:
    return cases.challenging()


def _build(index: int, world: World, objects: int) -> None:
    """The case, jittered."""
    case = _cases()[index]
    require(
        len(case.specs) == objects,
        f"case {case.name!r} has {len(case.specs)} objects; expected {objects}",
        ErrorCode.SCENE_INVALID,
    )
    case.place(world, jitter=True)


for _index, _count in enumerate(OBJECTS):
    _name = f"challenging-{_index:02d}"
    scene(_name, max_objects=_count, min_objects=_count)(partial(_build, _index))
