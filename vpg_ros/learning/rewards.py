"""What counts as a clear table, a changed scene and a good action.

The task node, the environment and the learner all use these functions.
"""

import cv2
import numpy as np

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.heightmap import OBJECT_HEIGHT
from vpg_ros.motion import Outcome

CLEAR_AREA = 1.2e-4  # m² standing on the table below which it is clear: a fifth of the least block
CHANGED_AREA = 1e-4  # m² that rose or fell by OBJECT_HEIGHT
# Depth flickers by one pixel along edges; what changed is at least this many pixels wide.
CHANGED_WIDTH = 3
PICK_REWARD = 1.0


def is_clear(heightmap: Heightmap) -> bool:
    """Whether nothing is left on the table."""
    return bool(np.count_nonzero(heightmap.occupied) * _pixel_area(heightmap) < CLEAR_AREA)


def scene_changed(before: Heightmap, after: Heightmap) -> bool:
    """Whether more than CHANGED_AREA, seen both times, differs by OBJECT_HEIGHT or more."""
    difference = np.abs(after.height - before.height)  # NaN where either is unseen: not counted
    changed = (difference > OBJECT_HEIGHT).astype(np.uint8)
    square = np.ones((CHANGED_WIDTH, CHANGED_WIDTH), np.uint8)
    wide = cv2.morphologyEx(changed, cv2.MORPH_OPEN, square)
    return bool(np.count_nonzero(wide) * _pixel_area(before) > CHANGED_AREA)


def reward(action: Action, outcome: Outcome, before: Heightmap, after: Heightmap) -> float:
    """PICK_REWARD for an object taken off the table, else 0.

    A push earns nothing itself: its value is that of the scene it leaves (``learner``), so the
    heightmaps do not enter yet; they are what any other reward would be made of.
    """
    return PICK_REWARD if outcome.success and primitives.get(action.primitive).picks else 0.0


def _pixel_area(heightmap: Heightmap) -> float:
    return heightmap.workspace.resolution**2
