"""Whether an arm touches itself, its table or what stands around it, on the shapes of its URDF."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fcl
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vpg_ros.devices.description import Joint, collision_shapes, joints
from vpg_ros.devices.kinematics import JOINT_NAMES
from vpg_ros.errors import require
from vpg_ros.geometry import FloatArray
from vpg_ros.shapes import Box, Cylinder, Shape

# Half the side and the height of the block that stands for the table, m.
_TABLE_REACH, _TABLE_DEPTH = 3.0, 1.0
# m above the arm's foot from which on the table must leave room for it, and half that room's side:
# shoulder and upper arm turn in it, below the table's top.
_SUNK, _ROOM = 0.03, 0.30
# m that a link may be below the table: the fingertips may touch it.
_TABLE_TOLERANCE = 0.001
_BASE, _SHOULDER = "base_link_inertia", "shoulder_link"
_TABLE = "the table"


@dataclass(frozen=True)
class KeepOut:
    """A box of space that nothing of the arm may enter: corners in the base frame, m."""

    name: str
    low: tuple[float, float, float]
    high: tuple[float, float, float]

    def __post_init__(self) -> None:
        require(
            all(low < high for low, high in zip(self.low, self.high, strict=True)),
            f"keep-out box {self.name} {self.low} … {self.high} is empty; low must be below high",
        )


@dataclass(frozen=True)
class Collision:
    """What touches what, and at which row of the path that was checked."""

    index: int
    link: str
    other: str


@dataclass(frozen=True)
class _Body:
    """One shape of a link or of the cell.

    frame: link whose frame it moves with. place: its own frame in that one, 4×4. half: half the
    sides of the box around it, 3, m.
    """

    name: str
    frame: str
    item: Any
    place: FloatArray
    half: FloatArray


class CollisionModel:
    """An arm with its gripper among a table and keep-out boxes.

    urdf: the robot alone, with its link ``base``. table_z: height of the table, m. keep_out: boxes
    that already include the clearance that is wanted. gripper_width: m between the fingertips;
    the widest that occurs. Fingers take up all the space from there to where they are closed.
    """

    def __init__(
        self, urdf: str, table_z: float, keep_out: Sequence[KeepOut], gripper_width: float
    ) -> None:
        self._joints = _from_base(joints(urdf))
        self._finger = gripper_width / 2
        shapes = collision_shapes(urdf)
        sliding = [joint for joint in self._joints if joint.kind == "prismatic"]
        ways = {joint.child: self._finger * np.array(joint.axis) for joint in sliding}
        arm = [
            _body(link, _swept(shape, ways[link]) if link in ways else shape)
            for link, group in shapes.items()
            for shape in group
        ]
        cell = [*_table(table_z), *map(_box, keep_out)]
        self._bodies = [*arm, *cell]
        self._pairs = _own_pairs(arm, self._joints) + _cell_pairs(arm, cell)

    def first(self, path: FloatArray) -> Collision | None:
        """The first collision among joint angles N×6 (rad), or None."""
        frames = self._frames(path)
        places = {id(body): frames[body.frame] @ body.place for body in self._bodies}
        boxes = {id(body): _bounds(places[id(body)], body.half) for body in self._bodies}
        near = np.array([_overlap(boxes[id(a)], boxes[id(b)]) for a, b in self._pairs])
        for index, number in np.argwhere(near.T):
            first, second = self._pairs[number]
            for body in (first, second):
                place = places[id(body)][index]
                body.item.setTransform(fcl.Transform(place[:3, :3], place[:3, 3]))
            if _touch(first, second):
                return Collision(int(index), first.name, second.name)
        return None

    def _frames(self, path: FloatArray) -> dict[str, FloatArray]:
        """Each link's frames in the base frame along the path, N×4×4."""
        angles = dict(zip(JOINT_NAMES, np.asarray(path, dtype=float).T, strict=True))
        frames = {"base": np.tile(np.eye(4), (len(path), 1, 1))}
        for joint in self._joints:
            values = angles.get(joint.name, np.full(len(path), self._finger))
            frames[joint.child] = frames[joint.parent] @ joint.origin.matrix @ _moved(joint, values)
        return frames


def _from_base(all_joints: Sequence[Joint]) -> list[Joint]:
    """The joints in an order in which each one's parent is known."""
    known, ordered, waiting = {"base"}, [], list(all_joints)
    while waiting:
        joint = next(joint for joint in waiting if joint.parent in known)
        waiting.remove(joint)
        known.add(joint.child)
        ordered.append(joint)
    return ordered


def _moved(joint: Joint, values: FloatArray) -> FloatArray:
    """What a joint at ``values`` (rad or m) does to its child's frame, N×4×4."""
    result = np.tile(np.eye(4), (len(values), 1, 1))
    steps = np.outer(values, joint.axis)
    if joint.kind == "revolute":
        result[:, :3, :3] = Rotation.from_rotvec(steps).as_matrix()
    elif joint.kind == "prismatic":
        result[:, :3, 3] = steps
    return result


def _swept(shape: Shape, way: FloatArray) -> Shape:
    """The space that a shape takes up at all places from -``way`` (3, m) to its own."""
    assert isinstance(shape, Box), "fingers are boxes"
    turn = Rotation.from_quat(shape.pose.quaternion)
    size = np.array(shape.size) + np.abs(turn.inv().apply(way))
    dx, dy, dz = (-way / 2).tolist()
    return Box(tuple(size.tolist()), shape.pose.translated(dx, dy, dz))


def _body(link: str, shape: Shape) -> _Body:
    if isinstance(shape, Box):
        geometry, half = fcl.Box(*shape.size), np.array(shape.size) / 2
    else:
        assert isinstance(shape, Cylinder), "links of a URDF are boxes and cylinders here"
        geometry = fcl.Cylinder(shape.radius, shape.length)
        half = np.array([shape.radius, shape.radius, shape.length / 2])
    return _Body(link, link, fcl.CollisionObject(geometry), shape.pose.matrix, half)


def _box(box: KeepOut) -> _Body:
    low, high = np.array(box.low), np.array(box.high)
    place = np.eye(4)
    place[:3, 3] = (low + high) / 2
    return _Body(
        box.name, "base", fcl.CollisionObject(fcl.Box(*(high - low))), place, (high - low) / 2
    )


def _table(table_z: float) -> list[_Body]:
    """One block that the arm stands on, or four around an arm that stands lower."""
    top, far, near = table_z - _TABLE_TOLERANCE, _TABLE_REACH, _ROOM
    areas = [((-far, -far), (far, far))]
    if table_z > _SUNK:
        left, right = ((-far, -far), (-near, far)), ((near, -far), (far, far))
        areas = [left, right, ((-near, -far), (near, -near)), ((-near, near), (near, far))]
    bottom = top - _TABLE_DEPTH
    return [_box(KeepOut(_TABLE, (*low, bottom), (*high, top))) for low, high in areas]


def _bounds(places: FloatArray, half: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lower and upper corners of the axis-aligned boxes around a body at N places; N×3 each."""
    reach = np.abs(places[:, :3, :3]) @ half
    return places[:, :3, 3] - reach, places[:, :3, 3] + reach


def _overlap(
    first: tuple[FloatArray, FloatArray], second: tuple[FloatArray, FloatArray]
) -> NDArray[np.bool_]:
    """Whether axis-aligned boxes overlap; N."""
    apart = (first[0] > second[1]) | (second[0] > first[1])
    return np.asarray(~apart.any(axis=1))


def _touch(first: _Body, second: _Body) -> bool:
    request, result = fcl.CollisionRequest(), fcl.CollisionResult()
    return bool(fcl.collide(first.item, second.item, request, result))


def _own_pairs(arm: Sequence[_Body], ordered: Sequence[Joint]) -> list[tuple[_Body, _Body]]:
    """What turning joints can bring together: never links on either side of one joint."""
    turns = {"base": 0}
    for joint in ordered:
        turns[joint.child] = turns[joint.parent] + (joint.kind == "revolute")
    return [
        (first, second)
        for index, first in enumerate(arm)
        for second in arm[index + 1 :]
        if abs(turns[first.name] - turns[second.name]) > 1
    ]


def _cell_pairs(arm: Sequence[_Body], cell: Sequence[_Body]) -> list[tuple[_Body, _Body]]:
    """What the arm can run into: not the base, which cannot move, nor the shoulder the table."""
    return [
        (link, other)
        for link in arm
        for other in cell
        if link.name != _BASE and not (link.name == _SHOULDER and other.name == _TABLE)
    ]
