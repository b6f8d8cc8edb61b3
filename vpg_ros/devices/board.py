"""The ChArUco board: printed, found in pictures, and where it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros.errors import require
from vpg_ros.frame import Intrinsics
from vpg_ros.geometry import FloatArray, Pose

DICTIONARIES = {
    "4x4": cv2.aruco.DICT_4X4_100,
    "5x5": cv2.aruco.DICT_5X5_100,
    "6x6": cv2.aruco.DICT_6X6_100,
}
MARKERS = 100  # of each dictionary
# Corners that must be seen: with fewer, a pose is guesswork.
MIN_CORNERS = 8


@dataclass(frozen=True)
class Corners:
    """Corners of the board that were found in one picture.

    points: N×3, on the board, m. pixels: N×2, (u, v).
    """

    points: FloatArray
    pixels: FloatArray


@dataclass(frozen=True)
class Board:
    """A ChArUco board: a chessboard with a marker in every white square.

    columns, rows: squares along x and y. square, marker: sides of a square and of a marker, m.
    dictionary: of the markers, one of ``DICTIONARIES``.
    """

    columns: int = 7
    rows: int = 5
    square: float = 0.030
    marker: float = 0.022
    dictionary: str = "5x5"

    def __post_init__(self) -> None:
        require(
            self.columns >= 3 and self.rows >= 3,
            f"board of {self.columns} × {self.rows} squares; allowed: at least 3 × 3",
        )
        require(
            0.0 < self.marker < self.square <= 1.0,
            f"board with squares of {self.square:g} m and markers of {self.marker:g} m; "
            "allowed: above 0 and up to 1, the markers smaller than the squares",
        )
        require(
            self.dictionary in DICTIONARIES,
            f"board dictionary is {self.dictionary!r}; allowed: {', '.join(DICTIONARIES)}",
        )
        require(
            self.columns * self.rows <= 2 * MARKERS,
            f"board of {self.columns} × {self.rows} squares; allowed: at most {2 * MARKERS}, "
            "as every second one needs a marker of its own",
        )

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, m."""
        return self.columns * self.square, self.rows * self.square

    def picture(self, pixels_per_square: int = 200) -> NDArray[np.uint8]:
        """The board to print, H×W grey, without a margin."""
        shape = (self.columns * pixels_per_square, self.rows * pixels_per_square)
        return np.asarray(self._board.generateImage(shape), dtype=np.uint8)

    def find(self, colour: NDArray[np.uint8]) -> Corners | None:
        """The board's corners in an RGB picture; None where fewer than MIN_CORNERS are seen."""
        grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
        corners, numbers, *_ = self._detector.detectBoard(grey)
        if corners is None or numbers is None or len(numbers) < MIN_CORNERS:
            return None
        points, pixels = self._board.matchImagePoints(corners, numbers)
        return Corners(_flat(points, 3), _flat(pixels, 2))

    @property
    def outline(self) -> FloatArray:
        """Its four outer corners, 4×3, m."""
        width, height = self.size
        return np.array([[0, 0, 0], [width, 0, 0], [width, height, 0], [0, height, 0]])

    @cached_property
    def _board(self) -> Any:
        dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARIES[self.dictionary])
        shape = (self.columns, self.rows)
        return cv2.aruco.CharucoBoard(shape, self.square, self.marker, dictionary)

    @cached_property
    def _detector(self) -> Any:
        return cv2.aruco.CharucoDetector(self._board)


def board_pose(corners: Corners, intrinsics: Intrinsics) -> Pose | None:
    """The board in the camera's optical frame, or None where its corners fit no pose."""
    found, turn, shift = cv2.solvePnP(
        corners.points, corners.pixels, camera_matrix(intrinsics), None
    )
    if not found or float(shift[2, 0]) <= 0.0:
        return None
    return Pose.from_rotvec(np.concatenate([shift.ravel(), turn.ravel()]))


def camera_matrix(intrinsics: Intrinsics) -> FloatArray:
    """3×3 matrix of a pinhole camera."""
    return np.array(
        [
            [intrinsics.fx, 0.0, intrinsics.cx],
            [0.0, intrinsics.fy, intrinsics.cy],
            [0.0, 0.0, 1.0],
        ]
    )


def project(points: FloatArray, camera: Intrinsics) -> FloatArray:
    """Pixels N×2 of points N×3 in the optical frame, m."""
    u = camera.fx * points[:, 0] / points[:, 2] + camera.cx
    v = camera.fy * points[:, 1] / points[:, 2] + camera.cy
    return np.column_stack([u, v])


def _flat(values: Sequence[Any], width: int) -> FloatArray:
    return np.asarray(values, dtype=np.float64).reshape(-1, width)
