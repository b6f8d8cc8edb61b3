"""Packed: blocks touching each other in rows and grids, where no finger fits between them."""

from dataclasses import dataclass, replace

import numpy as np

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import FloatArray
from vpg_ros.sim.objects import ObjectSpec, block, some_colour
from vpg_ros.sim.scenes.base import scene, upright
from vpg_ros.sim.world import World

_KINDS = ("cube", "brick", "cylinder", "prism", "half_cylinder", "hexagon")
_GRIDS = ((1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (3, 3))
_GAP = 2e-4  # m between neighbours
_CLEARANCE = 0.015  # m between two groups, and from a group to the workspace's border
_TRIES = 200


@dataclass(frozen=True)
class _Group:
    """A grid of equal blocks: one block, (rows, columns), how many stand, centre and angle."""

    spec: ObjectSpec
    grid: tuple[int, int]
    count: int
    centre: FloatArray
    yaw: float

    @property
    def radius(self) -> float:
        """Of the circle around the group, m."""
        return float(np.linalg.norm(self.spec.extent[:2] * (self.grid[1], self.grid[0])) / 2)

    def places(self) -> FloatArray:
        """(x, y) of every block, count×2, m."""
        rows, columns = self.grid
        index = np.arange(self.count)
        cells = np.column_stack([index % columns, index // columns])
        offsets = (cells - (np.array([columns, rows]) - 1) / 2) * (self.spec.extent[:2] + _GAP)
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return self.centre + offsets @ np.array([[c, s], [-s, c]])


@scene("packed", max_objects=20)
def packed(world: World, objects: int) -> None:
    """Groups of equal blocks in touch, ``objects`` blocks in all, at random places and angles."""
    groups: list[_Group] = []
    left = objects
    while left:
        group = _place(world, groups, left)
        groups.append(group)
        left -= group.count
    for group in groups:
        for x, y in group.places():
            colour = some_colour(world.rng)
            spec = replace(group.spec, colour=colour)
            world.add(spec, upright(spec, x, y, group.yaw, world.workspace.table_z))


def _place(world: World, others: list[_Group], left: int) -> _Group:
    """A random group of at most ``left`` blocks, clear of the others."""
    for _ in range(_TRIES):
        group = _random_group(world, left)
        apart = all(
            np.linalg.norm(group.centre - other.centre) > group.radius + other.radius + _CLEARANCE
            for other in others
        )
        if apart:
            return group
    raise VpgError(
        ErrorCode.SCENE_INVALID, f"no room for {left} more packed objects; ask for fewer"
    )


def _random_group(world: World, left: int) -> _Group:
    rng = world.rng
    spec = block(str(rng.choice(np.array(_KINDS))), rng)
    fitting = [grid for grid in _GRIDS if grid[0] * grid[1] <= left] or [(1, 1)]
    grid = fitting[int(rng.integers(len(fitting)))]
    group = _Group(spec, grid, grid[0] * grid[1], np.zeros(2), float(rng.uniform(0, np.pi)))
    half = np.array(world.workspace.shape[::-1]) * world.workspace.resolution / 2
    room = half - group.radius - _CLEARANCE
    return replace(group, centre=np.array(world.workspace.centre) + rng.uniform(-room, room))
