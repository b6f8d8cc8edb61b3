"""The registry of scene families, and what they share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import FloatArray, Pose
from vpg_ros.shapes import Shape
from vpg_ros.sim.objects import ObjectSpec, of_shapes, some_colour
from vpg_ros.sim.settle import settle
from vpg_ros.sim.world import World

Builder = Callable[[World, int], None]
Goal = Callable[[World, int], bool]


@dataclass(frozen=True)
class _Family:
    build: Builder
    min_objects: int
    max_objects: int
    solved: Goal
    spoilt: Goal


_TRIES, _LAYOUTS = 100, 30  # draws of a place, and fresh starts
_PUSHED = 0.10  # m to the border that a push needs

_FAMILIES: dict[str, _Family] = {}


def all_picked(world: World, objects: int) -> bool:
    """Whether all objects that a scene began with came to rest in the bin."""
    return world.picked == objects


def some_gone(world: World, objects: int) -> bool:
    """Whether any of the objects that a scene began with has left the table."""
    return len(world.objects) < objects


def scene(
    name: str,
    max_objects: int,
    min_objects: int = 1,
    solved: Goal = all_picked,
    spoilt: Goal = some_gone,
) -> Callable[[Builder], Builder]:
    """Decorator: make a function that puts N objects into a world known as scene ``name``.

    solved: whether a world that began with N objects is as the scene asks for. spoilt: of a scene
    that asks for another end than picks, whether nobody can reach it any more.
    """

    def register(builder: Builder) -> Builder:
        _FAMILIES[name] = _Family(builder, min_objects, max_objects, solved, spoilt)
        return builder

    return register


def names() -> tuple[str, ...]:
    """Names of all scenes, in order of registration."""
    return tuple(_FAMILIES)


def check(name: str, objects: int) -> None:
    """Raise SCENE_UNKNOWN or SCENE_INVALID unless scene ``name`` can hold ``objects`` objects."""
    require(
        name in _FAMILIES,
        f"scene is {name!r}; known scenes: {', '.join(names())}",
        ErrorCode.SCENE_UNKNOWN,
    )
    least, most = _FAMILIES[name].min_objects, _FAMILIES[name].max_objects
    allowed = f"{least} to {most}" if least < most else f"exactly {most}"
    require(
        least <= objects <= most,
        f"objects is {objects}; scene {name!r} takes {allowed}",
        ErrorCode.SCENE_INVALID,
    )


def build(world: World, name: str, objects: int) -> None:
    """Put scene ``name`` with ``objects`` objects into an empty world and let it come to rest.

    What the scene is like depends on ``world.rng`` alone. Nothing counts as picked or lost yet.
    """
    check(name, objects)
    _FAMILIES[name].build(world, objects)
    settle(world)
    if len(world.objects) < objects:
        raise VpgError(
            ErrorCode.SCENE_INVALID,
            f"scene {name!r} kept {len(world.objects)} of {objects} objects on the tray; "
            "ask for fewer",
        )
    world.count_anew()


def is_solved(world: World, name: str, objects: int) -> bool:
    """Whether scene ``name``, built with ``objects`` objects, is solved; raises as ``check``."""
    check(name, objects)
    return _FAMILIES[name].solved(world, objects)


def is_spoilt(world: World, name: str, objects: int) -> bool:
    """Whether the end that scene ``name`` asks for is out of reach; raises as ``check``."""
    check(name, objects)
    return not asks_for_picks(name) and _FAMILIES[name].spoilt(world, objects)


def asks_for_picks(name: str) -> bool:
    """Whether scene ``name`` is solved by picking everything, not by another end."""
    return _FAMILIES[name].solved is all_picked


def spread(world: World, count: int, apart: float, margin: float) -> list[tuple[float, float]]:
    """``count`` random places, ``apart`` m from each other and ``margin`` m from the border.

    Raises SCENE_INVALID where they find no room.
    """
    half = np.array(world.workspace.shape[::-1]) * world.workspace.resolution / 2 - margin
    for _ in range(_LAYOUTS):
        places: list[FloatArray] = []
        for _ in range(_TRIES):
            place = np.array(world.workspace.centre) + world.rng.uniform(-half, half)
            if all(np.linalg.norm(place - other) >= apart for other in places):
                places.append(place)
            if len(places) == count:
                return [(float(x), float(y)) for x, y in places]
    raise VpgError(
        ErrorCode.SCENE_INVALID, f"no room for {count} places {apart} m apart; ask for fewer"
    )


def pairs(world: World, objects: int, apart: float, margin: float) -> list[tuple[float, float]]:
    """Places for groups of two, so many ``objects`` in all; as ``spread``.

    Up to two groups lie farther from the border than that, so that a push takes nothing off it.
    """
    count = -(-objects // 2)
    return spread(world, count, apart, _PUSHED if count <= 2 else margin)


def coloured(kind: str, rng: np.random.Generator, *shapes: Shape) -> ObjectSpec:
    """The block made of ``shapes`` in a random colour, as rough as any block."""
    colour = some_colour(rng)
    return of_shapes(kind, shapes, colour, float(rng.uniform(0.6, 0.8)))[0]


def upright(spec: ObjectSpec, x: float, y: float, yaw: float, table_z: float) -> Pose:
    """Pose of an object that stands on the table as it is defined, turned by ``yaw`` rad."""
    # A hair above the table, so that nothing starts inside it.
    z = table_z - spec.lowest + 2e-4
    return Pose((x, y, z), (0.0, 0.0, float(np.sin(yaw / 2)), float(np.cos(yaw / 2))))
