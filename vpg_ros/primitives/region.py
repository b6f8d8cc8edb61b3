"""What lies where, as seen from an action: along its angle, and across it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.geometry import FloatArray
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.heightmap import OBJECT_HEIGHT


@dataclass(frozen=True)
class Region:
    """Rectangle of table around an action's pixel.

    behind, ahead: m along the action's angle from the pixel. half_width: m to both sides.
    """

    behind: float
    ahead: float
    half_width: float

    def mask(self, action: Action, heightmap: Heightmap) -> NDArray[np.bool_]:
        """Its pixels: rows×columns."""
        along, across = offsets(action, heightmap)
        inside = (along >= -self.behind) & (along <= self.ahead)
        return inside & (np.abs(across) <= self.half_width)

    def top(self, action: Action, heightmap: Heightmap) -> float:
        """Highest point in it, m; 0 where all of it lies beyond the workspace."""
        return float(heightmap.filled[self.mask(action, heightmap)].max(initial=0.0))

    def area(self, action: Action, heightmap: Heightmap, above: float = OBJECT_HEIGHT) -> float:
        """m² of it on which something stands, higher than ``above`` m."""
        count = np.count_nonzero((heightmap.filled > above) & self.mask(action, heightmap))
        return float(count * heightmap.workspace.resolution**2)


def offsets(action: Action, heightmap: Heightmap) -> tuple[FloatArray, FloatArray]:
    """Places along an action's angle from its pixel, and across it to the left: rows×columns, m."""
    rows, columns = np.indices(heightmap.workspace.shape)
    resolution = heightmap.workspace.resolution
    dx, dy = (columns - action.column) * resolution, (rows - action.row) * resolution
    cosine, sine = np.cos(action.angle), np.sin(action.angle)
    return dx * cosine + dy * sine, dy * cosine - dx * sine
