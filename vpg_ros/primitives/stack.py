"""Stack: grasp what lies at the pixel and place it on the tallest thing beside it.

Two steps in one Motion: a grasp, whose way to the bin becomes the way to the top of the tower.
"""

import math
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.geometry import Pose, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Motion, Outcome
from vpg_ros.primitives.base import register
from vpg_ros.primitives.grasp import Grasp
from vpg_ros.primitives.region import Region
from vpg_ros.returning import put_down

DROP = 0.003  # m that the object may fall: onto the tower, not through the air
TALLEST = 0.20  # m of a tower that the arm still builds on
TOP = 0.008  # m below its highest point that still belong to a tower's top
APART = 0.010  # m that must lie between two objects for them to be two
RISEN = 0.015  # m by which a tower has grown, or more
_TOP = Region(0.015, 0.015, 0.015)


@register
class Stack(Grasp):
    """Places what lies at the pixel on the tallest other thing; the fingers close as a grasp's."""

    name = "stack"
    picks = False
    carries = math.inf

    def admissible(self, heightmap: Heightmap) -> NDArray[np.bool_]:
        """Where a grasp is, on anything but the only thing and the tallest one."""
        labels, tallest = _things(heightmap)
        others = (labels > 0) & (labels != tallest)
        low = heightmap.filled[labels == tallest].max(initial=0.0) < TALLEST
        return np.asarray(super().admissible(heightmap) & others & low, dtype=np.bool_)

    def motion(self, action: Action, heightmap: Heightmap) -> Motion:
        """Grasp, lift, verify; lower onto the tower, let go, rise; home."""
        held = super().motion(action, heightmap)
        place = tower(action, heightmap)
        return replace(put_down(held, place, heightmap, DROP), primitive=self.name)

    def worked(self, action: Action, outcome: Outcome, before: Heightmap, after: Heightmap) -> bool:
        """Whether the tower has grown."""
        row, column = before.workspace.to_pixel(*tower(action, before).position[:2])
        at = replace(action, row=row, column=column)
        return outcome.success and _TOP.top(at, after) > _TOP.top(at, before) + RISEN


def tower(action: Action, heightmap: Heightmap) -> Pose:
    """Tool pose, turned as in ``action``, on the middle of the tallest thing's top.

    The thing at the action's own pixel does not count; where there is no other, the middle of the
    workspace's table is meant.
    """
    workspace = heightmap.workspace
    labels, _ = _things(heightmap)
    others = (labels > 0) & (labels != labels[action.row, action.column])
    height = np.where(others, heightmap.filled, 0.0)
    highest = int(np.argmax(height))
    top = float(height.flat[highest])
    if top == 0.0:
        row, column = ((count - 1) / 2 for count in workspace.shape)
    else:
        same = labels == labels.flat[highest]
        row, column = np.argwhere(same & (height > top - TOP)).mean(axis=0)
    x, y = workspace.to_metres(row, column)
    pose = tool_down(x, y, workspace.table_z + top, 0.0)
    return replace(pose, quaternion=action.pose.quaternion)


def _things(heightmap: Heightmap) -> tuple[NDArray[np.int32], int]:
    """Connected things by number, rows×columns with 0 for table, and the tallest one's number."""
    reach = max(1, round(APART / 2 / heightmap.workspace.resolution))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    closed = cv2.dilate(heightmap.occupied.astype(np.uint8), disc)
    _, components = cv2.connectedComponents(closed)
    labels = np.where(heightmap.occupied, components, 0).astype(np.int32)
    row, column = np.unravel_index(int(np.argmax(heightmap.filled)), labels.shape)
    return labels, int(labels[row, column])
