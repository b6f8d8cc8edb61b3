"""What counts as a clear table, a changed scene and a good action.

The task node, the environment and the learner all use these functions.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.heightmap import OBJECT_HEIGHT
from vpg_ros.motion import Outcome

CLEAR_AREA = 1.2e-4  # m² standing on the table below which it is clear: a fifth of the least block
CHANGED_AREA = 1e-4  # m² that rose or fell by OBJECT_HEIGHT
# Depth flickers by one pixel along edges; what changed is at least this many pixels wide.
CHANGED_WIDTH = 3
NEAR = 0.05  # m around an action within which a change makes it worth another try
PICK_REWARD = 1.0


def is_clear(heightmap: Heightmap) -> bool:
    """Whether nothing is left on the table."""
    return bool(np.count_nonzero(heightmap.occupied) * _pixel_area(heightmap) < CLEAR_AREA)


def scene_changed(before: Heightmap, after: Heightmap) -> bool:
    """Whether more than CHANGED_AREA, seen both times, differs by OBJECT_HEIGHT or more."""
    return _is_enough(_changed_pixels(before, after), before)


def failures(
    known: Sequence[Action], action: Action, outcome: Outcome, before: Heightmap, after: Heightmap
) -> list[Action]:
    """The actions that came to nothing where nothing has changed since, oldest first.

    known: those before ``action``, which led from ``before`` to ``after``. An action came to
    nothing when it picked nothing or, where it does not pick, changed nothing.
    """
    changed = _changed_pixels(before, after)
    picks = primitives.get(action.primitive).picks
    worked = outcome.success if picks else _is_enough(changed, before)
    radius = NEAR / before.workspace.resolution
    kept = [each for each in known if not _is_enough(_around(each, changed, radius), before)]
    return kept if worked else [*kept, action]


def reward(action: Action, outcome: Outcome, before: Heightmap, after: Heightmap) -> float:
    """PICK_REWARD for an object taken off the table, else 0.

    A push earns nothing itself: its value is that of the scene it leaves (``learner``), so the
    heightmaps do not enter yet; they are what any other reward would be made of.
    """
    return PICK_REWARD if outcome.success and primitives.get(action.primitive).picks else 0.0


def worked(action: Action, outcome: Outcome, before: Heightmap, after: Heightmap) -> bool:
    """Whether an action did what its primitive is for: the reward of a task that asks for that."""
    return primitives.get(action.primitive).worked(action, outcome, before, after)


def _changed_pixels(before: Heightmap, after: Heightmap) -> NDArray[np.uint8]:
    """Where the height differs by OBJECT_HEIGHT or more, without what flickers: rows×columns."""
    difference = np.abs(after.height - before.height)  # NaN where either is unseen: not counted
    changed = (difference > OBJECT_HEIGHT).astype(np.uint8)
    square = np.ones((CHANGED_WIDTH, CHANGED_WIDTH), np.uint8)
    return np.asarray(cv2.morphologyEx(changed, cv2.MORPH_OPEN, square), dtype=np.uint8)


def _around(action: Action, changed: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    """The part of ``changed`` within ``radius`` pixels of an action."""
    disc = np.zeros_like(changed)
    cv2.circle(disc, (action.column, action.row), round(radius), 1, cv2.FILLED)
    return np.asarray(changed * disc, dtype=np.uint8)


def _is_enough(changed: NDArray[np.uint8], heightmap: Heightmap) -> bool:
    return bool(np.count_nonzero(changed) * _pixel_area(heightmap) > CHANGED_AREA)


def _pixel_area(heightmap: Heightmap) -> float:
    return heightmap.workspace.resolution**2
