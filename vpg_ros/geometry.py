"""Poses and the workspace: the only place that knows pixel ↔ metre.

All lengths are metres and all angles radians; everything is expressed in the robot's ``base``
frame (x and y parallel to the table, z up, right-handed, REP-103).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpg_ros import quaternions
from vpg_ros.errors import require

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """Rigid transform from a local frame to the base frame.

    ``position``: (x, y, z) in m. ``quaternion``: (x, y, z, w), unit length (ROS order).
    """

    position: tuple[float, float, float]
    quaternion: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)

    @staticmethod
    def from_matrix(matrix: FloatArray) -> "Pose":
        """Pose of a 4×4 homogeneous matrix."""
        x, y, z = (float(value) for value in matrix[:3, 3])
        return Pose((x, y, z), quaternions.from_matrix(matrix))

    @staticmethod
    def from_rotvec(vector: FloatArray) -> "Pose":
        """Pose of a Universal Robots 6-vector (x, y, z, rx, ry, rz): m and axis-angle rad."""
        x, y, z = (float(value) for value in vector[:3])
        return Pose((x, y, z), quaternions.from_rotvec(vector[3:6]))

    @property
    def matrix(self) -> FloatArray:
        """4×4 homogeneous matrix."""
        result = np.eye(4)
        result[:3, :3] = quaternions.to_matrix(self.quaternion)
        result[:3, 3] = self.position
        return result

    @property
    def rotvec(self) -> FloatArray:
        """Universal Robots 6-vector (x, y, z, rx, ry, rz): m and axis-angle rad."""
        return np.concatenate([self.position, quaternions.to_rotvec(self.quaternion)])

    def __matmul__(self, other: "Pose") -> "Pose":
        """The pose of ``other``, given in this pose's local frame, in the base frame."""
        return Pose.from_matrix(self.matrix @ other.matrix)

    def inverse(self) -> "Pose":
        """The transform from the base frame to this local frame."""
        return Pose.from_matrix(np.asarray(np.linalg.inv(self.matrix), dtype=np.float64))

    def translated(self, dx: float = 0.0, dy: float = 0.0, dz: float = 0.0) -> "Pose":
        """The same orientation, moved by (dx, dy, dz) m along the base axes."""
        x, y, z = self.position
        return Pose((x + dx, y + dy, z + dz), self.quaternion)


def half_turn(angle: float) -> float:
    """The angle in [−π/2, π/2) of the same undirected axis; a parallel gripper cannot tell them."""
    return float((angle + np.pi / 2) % np.pi - np.pi / 2)


def point_text(point: tuple[float, float, float]) -> str:
    """A point as sentences have it, to the millimetre; the unit follows it."""
    return "(" + ", ".join(f"{value:.3f}" for value in point) + ")"


def tool_down(x: float, y: float, z: float, yaw: float) -> Pose:
    """Pose of a tool that points down, its closing axis (tool x) at ``yaw`` about base +z."""
    return Pose((x, y, z), (math.cos(yaw / 2), math.sin(yaw / 2), 0.0, 0.0))


def look_at(eye: FloatArray, target: FloatArray, up: FloatArray) -> Pose:
    """Pose of a camera's optical frame (z forward, x right, y down, REP-103) at ``eye``."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    matrix[:3, 3] = eye
    return Pose.from_matrix(matrix)


@dataclass(frozen=True)
class Workspace:
    """The square of table that heightmaps cover.

    Row r, column c covers x in [origin_x + c·resolution, +resolution) and y in
    [origin_y + r·resolution, +resolution): columns run along base +x, rows along base +y.

    origin_x, origin_y: corner of pixel (0, 0), m. table_z: height of the table, m.
    resolution: m per pixel. rows, columns: size in pixels.
    """

    origin_x: float
    origin_y: float
    table_z: float
    resolution: float
    rows: int
    columns: int

    def __post_init__(self) -> None:
        require(self.resolution > 0, f"workspace.resolution is {self.resolution} m; it must be > 0")
        require(
            self.rows > 0 and self.columns > 0,
            f"workspace.rows × columns is {self.rows} × {self.columns}; both must be > 0",
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.rows, self.columns

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the middle, m."""
        return (
            self.origin_x + self.columns * self.resolution / 2,
            self.origin_y + self.rows * self.resolution / 2,
        )

    def to_metres(self, row: float, column: float) -> tuple[float, float]:
        """(x, y) in m of a pixel's centre; fractional pixels interpolate."""
        return (
            self.origin_x + (column + 0.5) * self.resolution,
            self.origin_y + (row + 0.5) * self.resolution,
        )

    def to_pixel(self, x: float, y: float) -> tuple[int, int]:
        """(row, column) of the pixel that holds (x, y) m; it may lie outside (see ``contains``)."""
        return (
            int(np.floor((y - self.origin_y) / self.resolution)),
            int(np.floor((x - self.origin_x) / self.resolution)),
        )

    def to_pixels(self, xy: FloatArray) -> NDArray[np.intp]:
        """(row, column) of N points, N×2 in m → N×2; vectorised ``to_pixel``."""
        cells = np.floor((xy - [self.origin_x, self.origin_y]) / self.resolution)
        return cells[:, ::-1].astype(np.intp)

    def contains(self, x: float, y: float) -> bool:
        """Whether (x, y) m lies on the workspace."""
        row, column = self.to_pixel(x, y)
        return 0 <= row < self.rows and 0 <= column < self.columns


# The original's workspace: 0.448 m square, 2 mm per pixel (Zeng et al. 2018, simulation).
DEFAULT_WORKSPACE = Workspace(-0.724, -0.224, 0.0, 0.002, 224, 224)
# Where the tool lets go of what was picked, above the simulated cell's bin, x y z in m.
DEFAULT_BIN = (-0.35, 0.45, 0.22)
