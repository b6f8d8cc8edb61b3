"""Lever: pry a flat object up at its edge, until it stands against its neighbour.

Closed fingertips press against the near edge, below its lip where it is bevelled; the far edge is
held by what stands behind it. They then rise along an arc about the far edge, and friction takes
the near edge with them (a pivot by external contact, as of Hou and Mason 2020, "shared grasping").
Once it is steep they stay back below the edge, which they need only push over by then: on top of it
they would slip over. An edge without a bevel offers no such hold, and slips about every other time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.geometry import FloatArray, Pose, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.heightmap import OBJECT_HEIGHT
from vpg_ros.motion import (
    BackMove,
    GripperMove,
    HomeMove,
    JointMove,
    LinearMove,
    Motion,
    Outcome,
    RiseMove,
    Step,
)
from vpg_ros.primitives.base import Primitive, register
from vpg_ros.primitives.descent import APPROACH_HEIGHT, descent_to
from vpg_ros.primitives.region import Region
from vpg_ros.primitives.sweep import ahead, end_of_sweep, under_tool

FLAT = 0.024  # m that a flat object stands above the table at most
NEIGHBOUR = 0.012  # m by which what holds the far edge is higher, or more
REACH = 0.040  # m from the start to the near edge at most
LENGTHS = (0.060, 0.130)  # m from the near edge to the far one
TIP_HEIGHT = 0.002  # m of the fingertips above the table
CLEARANCE = 0.012  # m from the tool's axis to the fingers' front
PRESS = 0.009  # m beyond the near edge that closes gaps, and keeps up the pressure on the way
LAST_ANGLE = 1.55  # rad that it is turned by; it falls the rest of the way
LEAD = 0.005  # m of advance on the way, by which the pressure lasts though the neighbour gives way
STEEP = 0.8  # rad from which on the tip stays back
BACK = 0.018  # m by which it is lower than the edge in the end
SEGMENTS = 10  # straight moves that make the arc
AWAY = 0.03  # m that the fingers go back before they rise
PRY_SPEED = 0.08  # m/s
PRY_FORCE = 60.0  # N at which something is stuck
RISEN = 0.030  # m that what was pried up stands higher than what holds it: fingers grasp it there
HOLDS = 0.04  # m behind the far edge that belong to what holds it
_SAMPLE = 0.004  # m between two looks along the way


@dataclass(frozen=True)
class _Edges:
    """Where a flat object lies ahead of places on the map.

    near, length: m from each place to the near edge, and from there to the far one. held: whether
    there is such an object, with a neighbour behind it.
    """

    near: FloatArray
    length: FloatArray
    held: NDArray[np.bool_]


@register
class Lever(Primitive):
    """Pries up what lies flat ahead of the pixel, along the rotation's direction."""

    name = "lever"

    def admissible(self, heightmap: Heightmap) -> NDArray[np.bool_]:
        """On free table before the edge of something flat that has a neighbour behind it."""
        mask = np.zeros((self.rotations, *heightmap.workspace.shape), dtype=np.bool_)
        free = under_tool(heightmap) < OBJECT_HEIGHT
        for rotation in range(self.rotations):
            angle = self.angle(rotation)
            next_to = ahead(heightmap, angle, REACH)
            places = np.argwhere(free & (next_to > OBJECT_HEIGHT) & (next_to < FLAT))
            mask[rotation][tuple(places.T)] = _edges(places, angle, heightmap).held
        return mask

    def pose(self, row: int, column: int, rotation: int, heightmap: Heightmap) -> Pose:
        """Fingertips on the table, closing axis across the direction."""
        x, y = heightmap.workspace.to_metres(row, column)
        z = heightmap.workspace.table_z + TIP_HEIGHT
        return tool_down(x, y, z, self.angle(rotation) + np.pi / 2)

    def motion(self, action: Action, heightmap: Heightmap) -> Motion:
        """Come down before the edge, press on, rise along an arc; back off, rise, home."""
        start = action.pose
        edges = _edges(np.array([[action.row, action.column]]), action.angle, heightmap)
        near, length = float(edges.near[0]), float(edges.length[0])
        poses = _way(start, action.angle, near, length)
        moves: tuple[Step, ...] = tuple(
            LinearMove("pry", pose, PRY_SPEED, force_limit=PRY_FORCE, guarded=True)
            for pose in poses
        )
        steps = (
            GripperMove("close", 0.0),
            JointMove("approach", start.translated(dz=APPROACH_HEIGHT)),
            descent_to(start),
            *moves,
        )
        away = end_of_sweep(poses[-1], action.angle + np.pi, AWAY, heightmap)
        dx, dy, _ = np.subtract(away.position, poses[-1].position).tolist()
        height = away.position[2] + APPROACH_HEIGHT
        retreat = (
            BackMove("back", (dx, dy, 0.0), PRY_SPEED),
            RiseMove("rise", height),
            HomeMove("home"),
        )
        return Motion(self.name, steps, retreat)

    def worked(self, action: Action, outcome: Outcome, before: Heightmap, after: Heightmap) -> bool:
        """Whether something stands that is far higher than what lay there and held it."""
        edges = _edges(np.array([[action.row, action.column]]), action.angle, before)
        up = Region(0.0, float(edges.near[0] + edges.length[0]) + HOLDS, 0.02)
        return up.top(action, after) > up.top(action, before) + RISEN


def _edges(places: NDArray[np.intp], angle: float, heightmap: Heightmap) -> _Edges:
    """What lies ahead of N places, N×2 rows and columns, at ``angle``."""
    profile = _profiles(places, angle, heightmap)
    flat = (profile > OBJECT_HEIGHT) & (profile < FLAT)
    first = flat.argmax(axis=1)
    steps = np.arange(profile.shape[1])
    beyond = (steps > first[:, None]) & ~flat
    last = np.where(beyond.any(axis=1), beyond.argmax(axis=1), profile.shape[1] - 1)
    # An edge is blurred over a pixel or two: what holds it shows a little behind it.
    behind = np.minimum(last + 2, profile.shape[1] - 1)
    rows = np.arange(len(profile))
    length = (last - first) * _SAMPLE
    higher = np.maximum(profile[rows, last], profile[rows, behind]) > FLAT
    higher &= profile[rows, behind] > profile[rows, first] + NEIGHBOUR
    higher &= profile[rows, behind] + RISEN < length
    lies = flat.any(axis=1) & (first * _SAMPLE <= REACH)
    fits = (length >= LENGTHS[0]) & (length <= LENGTHS[1])
    near = first * _SAMPLE
    length = np.clip(length, *LENGTHS)
    return _Edges(near.astype(np.float64), length.astype(np.float64), lies & fits & higher)


def _profiles(places: NDArray[np.intp], angle: float, heightmap: Heightmap) -> NDArray[np.float32]:
    """Heights every _SAMPLE m ahead of N places, N×samples, m; 0 beyond the workspace."""
    resolution = heightmap.workspace.resolution
    way = np.arange(0.0, REACH + LENGTHS[1] + 3 * _SAMPLE, _SAMPLE) / resolution
    border = int(way[-1]) + 1
    known = np.pad(heightmap.filled, border)
    down, right = (np.round(way * part).astype(int) for part in (np.sin(angle), np.cos(angle)))
    start = (places + border) @ [known.shape[1], 1]
    return np.asarray(known.ravel()[start[:, None] + down * known.shape[1] + right])


def _way(start: Pose, angle: float, near: float, length: float) -> list[Pose]:
    """Poses that press on the near edge and turn with it about the far one.

    The tip keeps its place on the edge, TIP_HEIGHT above the object's lower face, until that is
    STEEP.
    """
    pressed = near - CLEARANCE + PRESS
    turns = np.linspace(0.0, LAST_ANGLE, SEGMENTS)
    advance = pressed + LEAD * np.sin(turns)
    forwards = advance + length * (1 - np.cos(turns)) + TIP_HEIGHT * np.sin(turns)
    back = BACK * np.clip((turns - STEEP) / (LAST_ANGLE - STEEP), 0.0, 1.0)
    rises = length * np.sin(turns) - TIP_HEIGHT * (1 - np.cos(turns)) - back
    cosine, sine = np.cos(angle), np.sin(angle)
    return [
        start.translated(float(forward * cosine), float(forward * sine), float(rise))
        for forward, rise in zip(forwards, rises, strict=True)
    ]
