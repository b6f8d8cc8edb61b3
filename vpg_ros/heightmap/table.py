"""Where the table really is: a plane fitted to the cloud, within bounds.

A camera calibrated to a few millimetres sees the table a little off and a little tilted. Heights
are measured from the plane that is seen, as long as it is credible.
"""

from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from vpg_ros.geometry import Workspace

MAX_OFFSET = 0.008  # m: less than any object is tall, so that no flat object passes for the table
MAX_TILT = 0.026  # rad (1.5°)
INLIER_DISTANCE = 0.004  # m
MIN_INLIERS = 400  # points, of at most MAX_POINTS
MIN_FRACTION = 0.5  # of the points near the table
MIN_SPREAD = 0.08  # standard deviation along the inliers' short axis, per side of the workspace
MAX_POINTS = 4000
ITERATIONS = 50


@dataclass(frozen=True)
class TablePlane:
    """z = slope_x·x + slope_y·y + offset in the base frame, m."""

    slope_x: float
    slope_y: float
    offset: float

    def height(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vertical distance of N×3 points above the plane, m."""
        x, y, z = points.T
        table = self.slope_x * x + self.slope_y * y + self.offset
        return (z - table).astype(np.float32, copy=False)

    def elevation(
        self, x: NDArray[np.float64], y: NDArray[np.float64], height: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Base-frame z of points at (x, y) that stand ``height`` above the plane, m."""
        return self.slope_x * x + self.slope_y * y + self.offset + height


def fit_table(points: NDArray[np.float32], workspace: Workspace) -> TablePlane:
    """The plane seen near the table, or the level one at ``workspace.table_z`` if none is credible.

    RANSAC (Open3D, fixed seed, no early exit, hence deterministic), then least squares over its
    inliers. Credible: at least half of the points near the table lie on it, these spread over the
    workspace, and it is at most MAX_OFFSET away and MAX_TILT tilted from the expected table.
    """
    level = TablePlane(0.0, 0.0, workspace.table_z)
    centre = np.array([*workspace.centre, workspace.table_z])
    side = workspace.resolution * max(workspace.shape)
    band = MAX_OFFSET + np.tan(MAX_TILT) * side / np.sqrt(2)
    index = np.flatnonzero(np.abs(points[:, 2] - workspace.table_z) < band)
    near = points[index[:: len(index) // MAX_POINTS + 1]].astype(np.float64) - centre
    if len(near) < MIN_INLIERS:
        return level
    inliers = near[_ransac(near)]
    enough = max(MIN_INLIERS, MIN_FRACTION * len(near))
    if len(inliers) < enough or _spread(inliers) < MIN_SPREAD * side:
        return level
    slope_x, slope_y, rise = _least_squares(inliers)
    if abs(rise) > MAX_OFFSET or np.arctan(np.hypot(slope_x, slope_y)) > MAX_TILT:
        return level
    offset = workspace.table_z + rise - slope_x * centre[0] - slope_y * centre[1]
    return TablePlane(slope_x, slope_y, float(offset))


def _ransac(points: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices of the inliers of the plane with the most of them."""
    o3d.utility.random.seed(0)
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    _, inliers = cloud.segment_plane(INLIER_DISTANCE, 3, ITERATIONS, probability=1.0)
    return np.asarray(inliers, np.intp)


def _spread(points: NDArray[np.float64]) -> float:
    """Standard deviation of the points' (x, y) along their short axis, m."""
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(np.cov(points[:, :2].T))[0])))


def _least_squares(points: NDArray[np.float64]) -> tuple[float, float, float]:
    """(slope_x, slope_y, offset) of z = slope_x·x + slope_y·y + offset."""
    design = np.column_stack([points[:, :2], np.ones(len(points))])
    slope_x, slope_y, offset = np.linalg.lstsq(design, points[:, 2], rcond=None)[0]
    return float(slope_x), float(slope_y), float(offset)
