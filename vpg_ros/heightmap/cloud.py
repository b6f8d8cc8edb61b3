"""Frames to a clean point cloud in the base frame."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.frame import Frame, Intrinsics
from vpg_ros.geometry import Workspace

# Edge of the voxels that the outlier filter works on: coarse enough that its neighbour search is
# cheap, fine enough that a lone flying pixel does not hide beside a surface.
OUTLIER_VOXEL = 0.01


@dataclass(frozen=True)
class Cloud:
    """Coloured points in the base frame: points N×3 float32 m, colours N×3 uint8 RGB."""

    points: NDArray[np.float32]
    colours: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, chosen: NDArray[np.bool_]) -> "Cloud":
        index = np.flatnonzero(chosen)  # several times faster than a mask of rows
        return Cloud(self.points.take(index, axis=0), self.colours.take(index, axis=0))


def merge(clouds: Sequence[Cloud]) -> Cloud:
    """All points of several clouds."""
    if len(clouds) == 1:
        return clouds[0]
    return Cloud(
        np.concatenate([cloud.points for cloud in clouds]),
        np.concatenate([cloud.colours for cloud in clouds]),
    )


def validate(frame: Frame) -> None:
    """Raise INTRINSICS_CHANGED or PARAMETER_INVALID for a frame that contradicts itself."""
    intrinsics = frame.intrinsics
    size = (intrinsics.height, intrinsics.width)
    require(
        frame.depth.shape == size and frame.colour.shape == (*size, 3),
        f"frame.depth is {frame.depth.shape} and frame.colour {frame.colour.shape}; "
        f"the intrinsics are of a camera with {size[0]} × {size[1]} pixels",
        ErrorCode.INTRINSICS_CHANGED,
    )
    require(
        bool(np.isfinite([intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy]).all())
        and min(intrinsics.fx, intrinsics.fy) > 0,
        f"frame.intrinsics are {intrinsics}; all must be finite and both focal lengths > 0",
    )
    require(
        frame.colour.dtype == np.uint8 and np.issubdtype(frame.depth.dtype, np.floating),
        f"frame.colour is {frame.colour.dtype} and frame.depth {frame.depth.dtype}; "
        "they must be uint8 RGB and float32 metres",
    )
    pose = frame.camera_pose
    require(
        bool(np.isfinite([*pose.position, *pose.quaternion]).all())
        and abs(float(np.linalg.norm(pose.quaternion)) - 1.0) < 1e-3,
        f"frame.camera_pose is {pose}; it must be finite with a quaternion of length 1",
    )


def deproject(frame: Frame) -> NDArray[np.float32]:
    """Every depth pixel as a point in the base frame (pinhole model of ``Intrinsics``): H×W×3.

    Readings that are NaN, infinite, zero or negative are no readings: NaN. Raises DEPTH_EMPTY when
    no reading is left.
    """
    validate(frame)
    depth = frame.depth.astype(np.float32, copy=False)
    valid = np.isfinite(depth) & (depth > 0)
    if not valid.any():
        raise VpgError(
            ErrorCode.DEPTH_EMPTY,
            f"the depth image ({frame.depth.shape[1]} × {frame.depth.shape[0]}) has no valid "
            "reading: every pixel is NaN or 0; check the camera and what it looks at",
        )
    points = _rays(frame.intrinsics, frame.camera_pose.quaternion) * depth[..., None]
    points += np.asarray(frame.camera_pose.position, np.float32)
    points[~valid] = np.nan
    return points


@lru_cache(maxsize=4)
def _rays(intrinsics: Intrinsics, quaternion: tuple[float, ...]) -> NDArray[np.float32]:
    """Base-frame direction of each pixel per metre of depth, H×W×3; a fixed camera reuses it."""
    columns, rows = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
    x = (columns - intrinsics.cx) / intrinsics.fx
    y = (rows - intrinsics.cy) / intrinsics.fy
    optical = np.stack([x, y, np.ones_like(x)], axis=-1)
    rays = (optical @ Rotation.from_quat(quaternion).as_matrix().T).astype(np.float32)
    rays.flags.writeable = False
    return rays


def over(
    points: NDArray[np.float32], workspace: Workspace, margin: float, below: float, above: float
) -> NDArray[np.bool_]:
    """Which points lie over the workspace widened by ``margin``, ``below`` to ``above`` the table.

    All in m; NaN lies nowhere.
    """
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    low_x, low_y = workspace.origin_x - margin, workspace.origin_y - margin
    high_x = workspace.origin_x + workspace.columns * workspace.resolution + margin
    high_y = workspace.origin_y + workspace.rows * workspace.resolution + margin
    inside: NDArray[np.bool_] = (x > low_x) & (x < high_x) & (y > low_y) & (y < high_y)
    inside &= (z > workspace.table_z - below) & (z < workspace.table_z + above)
    return inside


def supported(points: NDArray[np.float32], radius: float, neighbours: int) -> NDArray[np.bool_]:
    """Which of N×3 points are no specks: over ``neighbours`` occupied voxels lie in ``radius`` m.

    Open3D's radius filter runs on the centres of the occupied voxels instead of on all points,
    which bounds its cost by the surface seen and makes it independent of the camera's distance.
    """
    if len(points) == 0:
        return np.zeros(0, np.bool_)
    x, y, z = (_bins(points[:, axis]) for axis in range(3))
    size = (int(x.max()) + 1, int(y.max()) + 1, int(z.max()) + 1)
    keys = (x * size[1] + y) * size[2] + z
    occupied = np.flatnonzero(np.bincount(keys, minlength=math.prod(size)))
    centres = np.stack(np.unravel_index(occupied, size), axis=-1) * OUTLIER_VOXEL
    voxels = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(centres))
    _, kept = voxels.remove_radius_outlier(nb_points=neighbours, radius=radius)
    keep = np.zeros(math.prod(size), np.bool_)
    keep[occupied[np.asarray(kept, np.intp)]] = True
    return keep[keys]


def _bins(values: NDArray[np.float32]) -> NDArray[np.int32]:
    """Index of each value's voxel along one axis."""
    return ((values - values.min()) * np.float32(1 / OUTLIER_VOXEL)).astype(np.int32)
