"""Hand-eye calibration: where the camera is, from views of a board at known poses of the arm.

With A the known pose of each view, B the board in the camera, X the camera and Y the board, the
unknowns obey A·Y = X·B. ``eye_to_hand``: the camera stands still and the board is on the tool, so A
is the tool in the base frame. ``eye_in_hand``: the camera is on the tool and the board stands
still, so A is the base in the tool's frame. A closed form (rotations by Park and Martin 1994, then
translations by linear least squares) starts the refinement, which minimises what is measured: the
distances between corners in the pictures and where X and Y put them, robust against single corners
that were found wrongly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from vpg_ros.devices.board import Corners, board_pose, project
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.frame import Intrinsics
from vpg_ros.geometry import FloatArray, Pose

EYE_TO_HAND, EYE_IN_HAND = "eye_to_hand", "eye_in_hand"
MOUNTINGS = (EYE_TO_HAND, EYE_IN_HAND)
MIN_VIEWS = 4
_MIN_TURN = np.radians(3.0)  # pairs of views that turn less say nothing of rotations
_OUTLIER = 1.0  # px beyond which a corner counts for less


@dataclass(frozen=True)
class View:
    """What was seen at one pose of the arm: the tool in the base frame, and the board's corners."""

    tool: Pose
    corners: Corners


@dataclass(frozen=True)
class HandEye:
    """A calibration.

    mounting: one of MOUNTINGS. camera: optical frame in the base frame, or in the tool's where the
    camera is on the tool. board: on the tool, or in the base frame. residuals: V, RMS distance of
    the corners of each view from where they should be, px. position_sigma, angle_sigma: standard
    deviations of the camera's pose that the residuals leave, m and rad.
    """

    mounting: str
    camera: Pose
    board: Pose
    residuals: FloatArray
    position_sigma: float
    angle_sigma: float

    @property
    def residual(self) -> float:
        """RMS over all views, px."""
        return float(np.sqrt(np.mean(self.residuals**2)))

    def board_in_camera(self, tool: Pose) -> Pose:
        """Where the camera should see the board with the tool at ``tool``."""
        return self.camera.inverse() @ known(self.mounting, tool) @ self.board


def known(mounting: str, tool: Pose) -> Pose:
    """The pose A of a view."""
    return tool if mounting == EYE_TO_HAND else tool.inverse()


def solve(views: Sequence[View], intrinsics: Intrinsics, mounting: str) -> HandEye:
    """The calibration that fits ``views`` best.

    Raises CALIBRATION_FAILED for fewer than MIN_VIEWS, or views that turn too little.
    """
    require(
        len(views) >= MIN_VIEWS,
        f"{len(views)} views of the board; a calibration needs at least {MIN_VIEWS}",
        ErrorCode.CALIBRATION_FAILED,
    )
    seen = [board_pose(view.corners, intrinsics) for view in views]
    pairs = [
        (known(mounting, view.tool).matrix, pose.matrix)
        for view, pose in zip(views, seen, strict=True)
        if pose is not None
    ]
    camera, board = _closed_form(pairs)
    return _refined(views, intrinsics, mounting, camera, board)


def _closed_form(pairs: Sequence[tuple[FloatArray, FloatArray]]) -> tuple[Pose, Pose]:
    """X and Y from A·Y = X·B, through (Aⱼ⁻¹Aᵢ)·Y = Y·(Bⱼ⁻¹Bᵢ) for all pairs of views."""
    motions = [
        (np.linalg.inv(a_j) @ a_i, np.linalg.inv(b_j) @ b_i)
        for (a_i, b_i), (a_j, b_j) in combinations(pairs, 2)
    ]
    axes = np.array([(_rotvec(a), _rotvec(b)) for a, b in motions]).reshape(-1, 2, 3)
    axes = axes[np.linalg.norm(axes[:, 0], axis=1) > _MIN_TURN]
    if len(axes) == 0 or np.linalg.matrix_rank(axes[:, 0], tol=_MIN_TURN) < 2:
        raise VpgError(
            ErrorCode.CALIBRATION_FAILED,
            "the views turn the tool about one axis only, or hardly at all; "
            "tilt it about two axes at least",
        )
    turn, _ = Rotation.align_vectors(axes[:, 0], axes[:, 1])
    rows = np.vstack([a[:3, :3] - np.eye(3) for a, _ in motions])
    wanted = np.concatenate([turn.apply(b[:3, 3]) - a[:3, 3] for a, b in motions])
    board = np.eye(4)
    board[:3, :3] = turn.as_matrix()
    board[:3, 3] = np.linalg.lstsq(rows, wanted, rcond=None)[0]
    cameras = np.array([a @ board @ np.linalg.inv(b) for a, b in pairs])
    camera = np.eye(4)
    camera[:3, :3] = Rotation.from_matrix(cameras[:, :3, :3]).mean().as_matrix()
    camera[:3, 3] = cameras[:, :3, 3].mean(axis=0)
    return Pose.from_matrix(camera), Pose.from_matrix(board)


def _refined(
    views: Sequence[View], intrinsics: Intrinsics, mounting: str, camera: Pose, board: Pose
) -> HandEye:
    """Minimise the distances in the pictures over the twelve unknowns."""
    places = [known(mounting, view.tool).matrix for view in views]

    def errors(unknowns: FloatArray) -> FloatArray:
        inverse = np.linalg.inv(Pose.from_rotvec(unknowns[:6]).matrix)
        target = Pose.from_rotvec(unknowns[6:]).matrix
        parts = []
        for place, view in zip(places, views, strict=True):
            pose = inverse @ place @ target
            points = view.corners.points @ pose[:3, :3].T + pose[:3, 3]
            parts.append((project(points, intrinsics) - view.corners.pixels).ravel())
        return np.concatenate(parts)

    start = np.concatenate([camera.rotvec, board.rotvec])
    found = least_squares(errors, start, loss="soft_l1", f_scale=_OUTLIER, x_scale="jac")
    left = errors(found.x)
    covariance = _covariance(found.jac, left, views)
    return HandEye(
        mounting,
        Pose.from_rotvec(found.x[:6]),
        Pose.from_rotvec(found.x[6:]),
        _per_view(left, views),
        float(np.sqrt(np.trace(covariance[:3, :3]))),
        float(np.sqrt(np.trace(covariance[3:6, 3:6]))),
    )


def _covariance(jacobian: FloatArray, left: FloatArray, views: Sequence[View]) -> FloatArray:
    """Covariance of the unknowns, 12×12, where errors within a view belong together.

    What the arm reports wrongly moves all corners of a view alike, so views count, not corners
    (the sandwich estimator with clusters, Liang and Zeger 1986).
    """
    inverse = np.linalg.pinv(jacobian.T @ jacobian)
    ends = 2 * _ends(views)
    parts = zip(np.split(jacobian, ends), np.split(left, ends), strict=True)
    scores = np.array([rows.T @ errors for rows, errors in parts])
    count = len(views)
    return np.asarray(inverse @ (scores.T @ scores) @ inverse * count / max(1, count - 2))


def _per_view(left: FloatArray, views: Sequence[View]) -> FloatArray:
    """RMS distance of each view's corners, px."""
    distances = np.linalg.norm(left.reshape(-1, 2), axis=1)
    return np.array([np.sqrt(np.mean(part**2)) for part in np.split(distances, _ends(views))])


def _ends(views: Sequence[View]) -> NDArray[np.intp]:
    """Where each view but the last ends in the list of all corners."""
    return np.cumsum([len(view.corners.pixels) for view in views])[:-1]


def _rotvec(matrix: FloatArray) -> FloatArray:
    return np.asarray(Rotation.from_matrix(matrix[:3, :3]).as_rotvec())
