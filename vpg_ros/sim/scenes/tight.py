"""Tight: packed groups of blocks too large to straddle two of, the kind that needs a push first.

Every block by itself fits between the fingers; two abreast do not, and no finger fits between two.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import FloatArray, Workspace
from vpg_ros.shapes import Box, Cylinder, Hull, Shape, prism_corners
from vpg_ros.sim.objects import ObjectSpec
from vpg_ros.sim.scenes.base import coloured, scene, upright
from vpg_ros.sim.world import World

_GAP = 2e-4  # m between neighbours
_CLEARANCE = 0.012  # m between two groups
_MARGIN = 0.03  # m from a group to the workspace's border
_TRIES, _LAYOUTS = 100, 30
_LOOSE = 0.25  # chance of a block by itself where a group would fit
_GRIDS = ((2, 2), (2, 3), (3, 3))


@dataclass(frozen=True)
class _Placed:
    """A block in its group's frame: (x, y) m and yaw rad."""

    spec: ObjectSpec
    x: float
    y: float
    yaw: float = 0.0


_Group = list[_Placed]
_Circle = tuple[FloatArray, float]  # around a group: centre (x, y) and radius, m


@scene("tight", max_objects=14)
def tight(world: World, objects: int) -> None:
    """Groups in touch and some loose blocks, ``objects`` blocks in all, anywhere at any angle."""
    for _ in range(_LAYOUTS):
        table = _layout(world.rng, world.workspace, objects)
        if table is not None:
            break
    else:
        raise VpgError(
            ErrorCode.SCENE_INVALID, f"no room for {objects} tightly packed objects; ask for fewer"
        )
    for placed in table:
        pose = upright(placed.spec, placed.x, placed.y, placed.yaw, world.workspace.table_z)
        world.add(placed.spec, pose)


def _layout(rng: np.random.Generator, workspace: Workspace, objects: int) -> _Group | None:
    """All blocks of a table, in base frame, or None where they found no room."""
    circles: list[_Circle] = []
    table: _Group = []
    while len(table) < objects:
        # Where there is no room for a group, there may be for a block.
        for group in (_random_group(rng, objects - len(table)), _single(rng)):
            radius = max(map(_reach, group))
            centre = _free_place(rng, workspace, circles, radius)
            if centre is not None:
                break
        else:
            return None
        circles.append((centre, radius))
        table += _turned(group, centre, float(rng.uniform(0, 2 * np.pi)))
    return table


def _reach(placed: _Placed) -> float:
    """How far a block reaches from its group's middle, at most, m."""
    return float(np.hypot(placed.x, placed.y) + np.linalg.norm(placed.spec.extent[:2]) / 2)


def _free_place(
    rng: np.random.Generator,
    workspace: Workspace,
    circles: list[_Circle],
    radius: float,
) -> FloatArray | None:
    """A random centre for a circle that is clear of the others, or None."""
    half = np.array(workspace.shape[::-1]) * workspace.resolution / 2
    room = np.maximum(half - radius - _MARGIN, 0.0)
    for _ in range(_TRIES):
        centre = np.array(workspace.centre) + rng.uniform(-room, room)
        if all(np.linalg.norm(centre - c) > radius + r + _CLEARANCE for c, r in circles):
            return np.asarray(centre, dtype=np.float64)
    return None


def _turned(group: _Group, centre: FloatArray, yaw: float) -> _Group:
    c, s = np.cos(yaw), np.sin(yaw)
    x, y = centre
    return [
        _Placed(p.spec, x + c * p.x - s * p.y, y + s * p.x + c * p.y, yaw + p.yaw) for p in group
    ]


# -- groups


def _random_group(rng: np.random.Generator, left: int) -> _Group:
    """A random group of at most ``left`` blocks; a single one where no other fits."""
    fitting = [group for needed, group in _GROUPS if needed <= left]
    if not fitting or rng.uniform() < _LOOSE:
        return _single(rng)
    return fitting[int(rng.integers(len(fitting)))](rng)


def _single(rng: np.random.Generator) -> _Group:
    return [_Placed(_block(rng, *rng.uniform(0.044, 0.060, 2)), 0.0, 0.0)]


def _grid(rows: int, columns: int) -> Callable[[np.random.Generator], _Group]:
    """Blocks in rows and columns, all alike or each of its own kind."""

    def group(rng: np.random.Generator) -> _Group:
        cells = [(row, column) for row in range(rows) for column in range(columns)]
        return _cells(rng, cells)

    return group


def _corner(rng: np.random.Generator) -> _Group:
    """Five blocks at a right angle."""
    return _cells(rng, [(0, 0), (0, 1), (0, 2), (1, 0), (2, 0)])


def _cells(rng: np.random.Generator, cells: list[tuple[int, int]]) -> _Group:
    """Blocks in the cells (row, column) of a grid: of one shape, or of one footprint."""
    side = float(rng.uniform(0.044, 0.060))
    blocks = [_block(rng, side, side) for _ in cells]
    if rng.uniform() < 0.5:
        like = _block(rng, *rng.uniform(0.044, 0.060, 2))
        blocks = [replace(like, colour=block.colour) for block in blocks]
    pitch = np.max([block.extent[:2] for block in blocks], axis=0) + _GAP
    middle = np.mean(cells, axis=0)
    return [
        _Placed(block, (column - middle[1]) * pitch[0], (row - middle[0]) * pitch[1])
        for block, (row, column) in zip(blocks, cells, strict=True)
    ]


def _planks(rng: np.random.Generator) -> _Group:
    """Three or four long bricks side by side: too long to grasp along, in touch across."""
    count = int(rng.integers(3, 5))
    x, y, z = rng.uniform([0.040, 0.088, 0.028], [0.064, 0.110, 0.045])
    return [
        _Placed(_box(rng, x, y, z), (i - (count - 1) / 2) * (x + _GAP), 0.0) for i in range(count)
    ]


def _walled(rng: np.random.Generator) -> _Group:
    """Two or three blocks in a row between two long bricks."""
    count = int(rng.integers(2, 4))
    x, y = rng.uniform(0.044, 0.056, 2)
    thickness, height = rng.uniform([0.036, 0.030], [0.048, 0.045])
    row = [
        _Placed(_block(rng, x, y), (i - (count - 1) / 2) * (x + _GAP), 0.0) for i in range(count)
    ]
    walls = [
        _Placed(_box(rng, count * x, thickness, height), 0.0, side * (y + thickness + 2 * _GAP) / 2)
        for side in (-1, 1)
    ]
    return row + walls


def _ring(rng: np.random.Generator) -> _Group:
    """Four bricks around a block."""
    hole, width, height = rng.uniform([0.040, 0.040, 0.030], [0.052, 0.052, 0.045])
    centre = [_Placed(_block(rng, hole - 2 * _GAP, hole - 2 * _GAP), 0.0, 0.0)]
    across, along = (hole + width) / 2, width / 2
    for quarter in range(4):
        c, s = np.cos(quarter * np.pi / 2), np.sin(quarter * np.pi / 2)
        brick = _box(rng, hole + width - _GAP, width - _GAP, height)
        x, y = c * along - s * across, s * along + c * across
        centre.append(_Placed(brick, x, y, quarter * np.pi / 2))
    return centre


# Blocks that a group has at most, and the group.
_GROUPS: list[tuple[int, Callable[[np.random.Generator], _Group]]] = [
    *((rows * columns, _grid(rows, columns)) for rows, columns in _GRIDS),
    (4, _planks),
    (5, _walled),
    (5, _ring),
    (5, _corner),
]


# -- blocks


def _block(rng: np.random.Generator, x: float, y: float) -> ObjectSpec:
    """A random block within a footprint of x × y m."""
    kinds = (_cuboid, _cuboid, _flat, _roof, _half_cylinder, _cylinder, _hexagon)
    return _spec(rng, kinds[int(rng.integers(len(kinds)))](rng, x, y))


def _box(rng: np.random.Generator, x: float, y: float, z: float) -> ObjectSpec:
    return _spec(rng, Box((x, y, z)))


def _spec(rng: np.random.Generator, shape: Shape) -> ObjectSpec:
    return coloured(type(shape).__name__.lower(), rng, shape)


def _cuboid(rng: np.random.Generator, x: float, y: float) -> Shape:
    return Box((x, y, float(rng.uniform(0.030, 0.050))))


def _flat(rng: np.random.Generator, x: float, y: float) -> Shape:
    return Box((x, y, float(rng.uniform(0.024, 0.028))))


def _roof(rng: np.random.Generator, x: float, y: float) -> Shape:
    """Isosceles, lying, its ridge along y."""
    height = rng.uniform(0.030, 0.040)
    return _lying(np.array([[-x / 2, 0.0], [x / 2, 0.0], [0.0, height]]), y)


def _half_cylinder(rng: np.random.Generator, x: float, y: float) -> Shape:
    angles = np.linspace(0.0, np.pi, 13)
    return _lying(x / 2 * np.column_stack([np.cos(angles), np.sin(angles)]), y)


def _cylinder(rng: np.random.Generator, x: float, y: float) -> Shape:
    return Cylinder(min(x, y) / 2, float(rng.uniform(0.032, 0.050)))


def _hexagon(rng: np.random.Generator, x: float, y: float) -> Shape:
    angles = np.arange(6) * np.pi / 3
    outline = min(x, y) / 2 * np.column_stack([np.cos(angles), np.sin(angles)])
    return _hull(prism_corners(outline, float(rng.uniform(0.032, 0.050))))


def _lying(outline: FloatArray, length: float) -> Hull:
    """The prism over an (x, z) outline, along y."""
    x, z, y = prism_corners(outline, length).T
    return _hull(np.column_stack([x, y, z]))


def _hull(corners: FloatArray) -> Hull:
    return Hull(tuple((float(x), float(y), float(z)) for x, y, z in corners))
