"""Frame → Heightmap: the point cloud seen from straight above.

The cloud is re-projected point by point (Zeng et al. 2018, section IV), whatever the camera's pose:
deproject, crop to the workspace, remove outliers, sample surfaces between the pixels, fit the
table, keep the highest point of each cell. The same frames always give the same heightmap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.frame import Frame
from vpg_ros.geometry import DEFAULT_WORKSPACE, Workspace
from vpg_ros.heightmap.cloud import Cloud, deproject, merge, over, supported
from vpg_ros.heightmap.heightmap import Heightmap
from vpg_ros.heightmap.raster import close_pinholes, highest
from vpg_ros.heightmap.samples import between_samples
from vpg_ros.heightmap.table import TablePlane, fit_table

# Cells between neighbouring samples at most, so that no cell of a surface is stepped over.
SAMPLE_SPACING = 0.8


@dataclass(frozen=True)
class FusionConfig:
    """How a cloud is cleaned.

    max_height: m above the table; anything higher is not on it. below: m under the table that a
    noisy reading may lie. outlier_radius: m; outlier_neighbours: a point is a speck, and dropped,
    unless more than so many 10 mm voxels within that radius are occupied (0 keeps all). fit_table:
    measure heights from the plane that is seen (within the bounds of :mod:`.table`) instead of from
    workspace.table_z.
    """

    max_height: float = 0.4
    below: float = 0.02
    outlier_radius: float = 0.025
    outlier_neighbours: int = 4
    fit_table: bool = True

    def __post_init__(self) -> None:
        for name in ("max_height", "below", "outlier_radius"):
            value = getattr(self, name)
            require(value > 0, f"fusion.{name} is {value} m; it must be > 0")
        require(
            self.outlier_neighbours >= 0,
            f"fusion.outlier_neighbours is {self.outlier_neighbours}; it must be >= 0",
        )


DEFAULT_FUSION = FusionConfig()


def fuse(
    frames: Frame | Sequence[Frame],
    workspace: Workspace = DEFAULT_WORKSPACE,
    config: FusionConfig = DEFAULT_FUSION,
) -> Heightmap:
    """Heightmap of one or several frames; its stamp is the newest frame's.

    Raises DEPTH_EMPTY when no pixel has a valid reading or none lies in the workspace,
    INTRINSICS_CHANGED or PARAMETER_INVALID when a frame contradicts itself.
    """
    frames = (frames,) if isinstance(frames, Frame) else tuple(frames)
    require(len(frames) > 0, "frames is empty; a heightmap needs at least one frame")
    surface = merge([_surface(frame, workspace, config) for frame in frames])
    level = TablePlane(0.0, 0.0, workspace.table_z)
    table = fit_table(surface.points, workspace) if config.fit_table else level
    grid = highest(surface, table.height(surface.points), workspace)
    if np.isnan(grid[0]).all():
        raise VpgError(ErrorCode.DEPTH_EMPTY, _nothing_there(workspace))
    height, colour = close_pinholes(*grid)
    return Heightmap(colour, height, workspace, max(frame.stamp for frame in frames))


def _surface(frame: Frame, workspace: Workspace, config: FusionConfig) -> Cloud:
    """What the frame shows over the workspace and around it, without specks and sampling gaps."""
    points = deproject(frame)
    inside = over(points, workspace, config.outlier_radius, config.below, config.max_height)
    used = tuple(_extent(np.any(inside, axis=axis)) for axis in (1, 0))
    points, inside, colours = points[used], inside[used], frame.colour[used]
    cloud = Cloud(points.reshape(-1, 3), colours.reshape(-1, 3))
    seen = cloud[inside.reshape(-1)]
    if config.outlier_neighbours > 0:
        keep = supported(seen.points, config.outlier_radius, config.outlier_neighbours)
        seen, inside[inside] = seen[keep], keep
    points = np.where(inside[..., None], points, np.float32(np.nan))
    pitch = frame.depth[used] / min(frame.intrinsics.fx, frame.intrinsics.fy)
    between = between_samples(points, colours, pitch, SAMPLE_SPACING * workspace.resolution)
    return merge([seen, between])


def _extent(used: NDArray[np.bool_]) -> slice:
    """From the first to the last true element."""
    where = np.flatnonzero(used)
    return slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(0, 0)


def _nothing_there(workspace: Workspace) -> str:
    """Sentence for a camera that looks elsewhere."""
    x, y = workspace.centre
    return (
        "the depth image has valid readings but none over the workspace around "
        f"({x:.3f}, {y:.3f}) m; check the camera pose in the base frame"
    )
