"""Which poses of the arm to look from: close ones first, then as different as can be.

Before anything is known of the camera, small turns about the pose where a person has brought the
board into view keep it there. Once a first calibration says where the board will be seen, poses are
drawn at random, and the one that turns the tool furthest from all views so far comes first.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from vpg_ros.devices.board import Board, project
from vpg_ros.devices.handeye import HandEye
from vpg_ros.frame import Intrinsics
from vpg_ros.geometry import FloatArray, Pose

_FIRST_TILT, _FIRST_TURN, _FIRST_SHIFT = np.radians(10.0), np.radians(20.0), 0.02
_TILT, _TURN, _SHIFT = np.radians(40.0), np.radians(60.0), 0.12  # rad, rad, m
_CANDIDATES = 120
_MARGIN = 0.04  # share of the picture that stays free around the board
_FLATTEST = np.cos(np.radians(55.0))  # the board is not looked at from further aside
_SMALLEST = 0.15  # share of the picture's width that the board is at least wide


def first_poses(start: Pose) -> list[Pose]:
    """Six tool poses close to ``start``: tilted to each side, and turned about the tool's axis."""
    turns = [(s * _FIRST_TILT, 0.0, 0.0) for s in (1, -1)]
    turns += [(0.0, s * _FIRST_TILT, 0.0) for s in (1, -1)]
    turns += [(0.0, 0.0, s * _FIRST_TURN) for s in (1, -1)]
    shifts = _FIRST_SHIFT * np.array(
        [(1, 0, 0), (-1, 0, 1), (0, 1, 0), (0, -1, -1), (0, 0, 1), (0, 0, -1)]
    )
    return [_moved(start, np.array(t), s) for t, s in zip(turns, shifts, strict=True)]


def next_poses(
    start: Pose,
    estimate: HandEye,
    board: Board,
    camera: Intrinsics,
    taken: Sequence[Pose],
    rng: np.random.Generator,
) -> Iterator[Pose]:
    """Tool poses around ``start`` from which the board is in view, the most different first."""
    poses = [_random(start, rng) for _ in range(_CANDIDATES)]
    seen = [pose for pose in poses if in_view(estimate.board_in_camera(pose), board, camera)]
    before = Rotation.from_quat([pose.quaternion for pose in taken])

    def newness(pose: Pose) -> float:
        turns = before.inv() * Rotation.from_quat(pose.quaternion)
        return float(turns.magnitude().min())

    yield from sorted(seen, key=newness, reverse=True)


def in_view(pose: Pose, board: Board, camera: Intrinsics) -> bool:
    """Whether a board at ``pose`` of the optical frame is wholly, and well, in the picture."""
    matrix = pose.matrix
    outline = board.outline @ matrix[:3, :3].T + matrix[:3, 3]
    if outline[:, 2].min() <= 0.05:
        return False
    pixels = project(outline, camera)
    size = np.array([camera.width, camera.height])
    inside = (pixels > _MARGIN * size).all() and (pixels < (1 - _MARGIN) * size).all()
    wide = np.ptp(pixels, axis=0).max() > _SMALLEST * camera.width
    centre = outline.mean(axis=0)
    facing = abs(float(matrix[:3, 2] @ centre)) / float(np.linalg.norm(centre)) > _FLATTEST
    return bool(inside and wide and facing)


def _random(start: Pose, rng: np.random.Generator) -> Pose:
    """A pose around ``start``: tilted about any axis across the tool's, turned and shifted."""
    direction, tilt = rng.uniform(-np.pi, np.pi), _TILT * np.sqrt(rng.uniform())
    tilted = Rotation.from_rotvec([tilt * np.cos(direction), tilt * np.sin(direction), 0.0])
    turned = Rotation.from_rotvec([0.0, 0.0, rng.uniform(-_TURN, _TURN)])
    return _moved(start, (tilted * turned).as_rotvec(), rng.uniform(-_SHIFT, _SHIFT, 3))


def _moved(start: Pose, turn: FloatArray, shift: FloatArray) -> Pose:
    """``start`` turned about its own axes (rotation vector, rad) and shifted along the base's."""
    quaternion = Rotation.from_rotvec(turn).as_quat()
    x, y, z, w = (float(value) for value in quaternion)
    turned = start @ Pose((0.0, 0.0, 0.0), (x, y, z, w))
    dx, dy, dz = (float(value) for value in shift)
    return turned.translated(dx, dy, dz)
