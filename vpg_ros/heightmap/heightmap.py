"""The Heightmap noun."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vpg_ros.errors import ErrorCode, require
from vpg_ros.geometry import Workspace

# Anything lower than this is table: depth noise and the fitted plane stay well below it.
OBJECT_HEIGHT = 0.01


@dataclass(frozen=True)
class Heightmap:
    """The workspace seen from straight above.

    colour: rows×columns×3 uint8 RGB (0 where unseen). height: rows×columns float32, m above the
    table, NaN where unseen. workspace: the pixel ↔ metre map. stamp: s, of the frame it came from.
    """

    colour: NDArray[np.uint8]
    height: NDArray[np.float32]
    workspace: Workspace
    stamp: float = 0.0

    def __post_init__(self) -> None:
        shape = self.workspace.shape
        require(
            self.height.shape == shape and self.colour.shape == (*shape, 3),
            f"heightmap is {self.height.shape} with colour {self.colour.shape}; "
            f"the workspace has {shape} pixels",
            ErrorCode.HEIGHTMAP_INVALID,
        )

    @cached_property
    def filled(self) -> NDArray[np.float32]:
        """Height with unseen pixels taken for table, m."""
        return np.nan_to_num(self.height, nan=0.0)

    @cached_property
    def occupied(self) -> NDArray[np.bool_]:
        """Pixels where something stands on the table."""
        return self.filled > OBJECT_HEIGHT
