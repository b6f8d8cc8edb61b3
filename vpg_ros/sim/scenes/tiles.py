"""Tiles: a loose row of thin tiles on edge that is to be closed up where it stands.

It is wider than a grasp opens, no finger fits between two of them, and a push shoves the row away.
"""

from dataclasses import dataclass

import numpy as np

from vpg_ros.geometry import FloatArray
from vpg_ros.shapes import Box
from vpg_ros.sim.objects import ObjectSpec
from vpg_ros.sim.scenes.base import coloured, scene, upright
from vpg_ros.sim.world import World

_OFF_CENTRE = 0.08  # m from the workspace's middle at most
_SLACK = 0.002  # m of gap between two tiles that counts as closed
_STAYED = 0.012  # m that the row's middle may have moved


@dataclass(frozen=True)
class _Row:
    """Where the tiles stand.

    middle: (x, y), m. yaw: of the row's direction, rad. spacing: m from tile to tile.
    size: of a tile, along the row, across it and up, m.
    """

    middle: FloatArray
    yaw: float
    spacing: float
    size: tuple[float, float, float]

    @property
    def along(self) -> FloatArray:
        """The row's direction, (x, y)."""
        return np.array([np.cos(self.yaw), np.sin(self.yaw)])


def _row(world: World, objects: int, rng: np.random.Generator) -> _Row:
    """The row of ``objects`` tiles that ``rng`` draws."""
    width, height, thickness = rng.uniform([0.092, 0.088, 0.0085], [0.098, 0.092, 0.0095])
    spacing = (rng.uniform(0.092, 0.097) - thickness) / (objects - 1)
    middle = np.array(world.workspace.centre) + rng.uniform(-_OFF_CENTRE, _OFF_CENTRE, size=2)
    yaw = float(rng.uniform(0, np.pi))
    return _Row(middle, yaw, float(spacing), (float(thickness), float(width), float(height)))


def _is_closed(world: World, objects: int) -> bool:
    """Whether all tiles stand together where the row stood, without gaps along it."""
    if _is_shoved(world, objects):
        return False
    row = _row(world, objects, np.random.default_rng(world.seed))
    length = float(np.ptp(_places(world)[:, :2] @ row.along))
    return length < (objects - 1) * (row.size[0] + _SLACK)


def _is_shoved(world: World, objects: int) -> bool:
    """Whether a tile lies or is gone, or the row is elsewhere: what nobody can see or undo."""
    row, places = _row(world, objects, np.random.default_rng(world.seed)), _places(world)
    if len(places) != objects or places[:, 2].min() < 0.4 * row.size[2]:
        return True
    return float(np.linalg.norm(places[:, :2].mean(axis=0) - row.middle)) >= _STAYED


def _places(world: World) -> FloatArray:
    """Of all tiles, N×3, m."""
    return np.array([world.pose(body).position for body in world.objects])


@scene("tiles", max_objects=7, min_objects=6, solved=_is_closed, spoilt=_is_shoved)
def tiles(world: World, objects: int) -> None:
    """One row at any place and angle."""
    row = _row(world, objects, world.rng)
    for index in range(objects):
        place = row.middle + row.along * row.spacing * (index - (objects - 1) / 2)
        x, y = (float(value) for value in place)
        spec = _tile(row.size, world.rng)
        world.add(spec, upright(spec, x, y, row.yaw, world.workspace.table_z))


def _tile(size: tuple[float, float, float], rng: np.random.Generator) -> ObjectSpec:
    return coloured("tile", rng, Box(size))
