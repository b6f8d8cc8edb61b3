"""Roll: rest the two fingertips lightly on top of a round object and draw it along.

Between the tips the object cannot escape to either side, and they need no room beside it: what
lies in a corner comes out of it.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.geometry import Pose, Workspace, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.heightmap import OBJECT_HEIGHT
from vpg_ros.motion import GripperMove, HomeMove, JointMove, LinearMove, Motion, Outcome, RiseMove
from vpg_ros.primitives.base import Primitive, register
from vpg_ros.primitives.descent import APPROACH_HEIGHT
from vpg_ros.primitives.region import Region
from vpg_ros.primitives.sweep import end_of_sweep, sweep_to, under_tool

LENGTH = 0.10  # m that it is drawn along
MIN_LENGTH = 0.05  # m of it that must lie on the workspace
LARGEST = 0.060  # m of diameter
# Of a ball's diameter: between the fingertips, and from the table up to where they then touch it.
WIDTH_SHARE = 0.6
HEIGHT_SHARE = (1 + np.sqrt(1 - WIDTH_SHARE**2)) / 2
TOP_RADIUS = 0.010  # m around the pixel in which nothing is higher: it is the top
TOP_SLACK = 0.002  # m by which it may be, after all
TOUCH_SPEED, DRAW_SPEED = 0.05, 0.08  # m/s
TOUCH_FORCE = 8.0  # N at which the fingertips rest on it
DRAW_FORCE = 30.0  # N at which something is in the way
_LEFT = Region(0.008, 0.008, 0.008)  # that is empty when the object has gone
_REACHED = Region(-0.02, LENGTH + 0.06, 0.05)  # where it may be then
_ARRIVED_AREA = 5e-5  # m² more than before that show that it is
# m beside it without a neighbour or the end of the workspace, where a wall may be, so that fingers
# have room: of a ball of 24 mm, closing along a wall with 0.01, any way with 0.04.
_ROOM = 0.023
_SLACK = 0.005  # m that its side may be farther from what is taken for its middle


@register
class Roll(Primitive):
    """Draws what lies under the pixel along the rotation's direction."""

    name = "roll"
    graded = True

    def admissible(self, heightmap: Heightmap) -> NDArray[np.bool_]:
        """On the tops of small objects, with workspace ahead."""
        highest = under_tool(heightmap, TOP_RADIUS)
        tops = heightmap.occupied & (heightmap.filled >= highest - TOP_SLACK)
        tops &= heightmap.filled <= LARGEST
        return tops & _has_room(self, heightmap.workspace)

    def pose(self, row: int, column: int, rotation: int, heightmap: Heightmap) -> Pose:
        """Fingertips where they touch a ball as high as what is there, closing axis ahead."""
        workspace = heightmap.workspace
        x, y = workspace.to_metres(row, column)
        z = workspace.table_z + HEIGHT_SHARE * _top(row, column, heightmap)
        return tool_down(x, y, z, self.angle(rotation))

    def motion(self, action: Action, heightmap: Heightmap) -> Motion:
        """Open a little, touch the top from above, draw along (clipped to the workspace), rise."""
        start = action.pose
        end = end_of_sweep(start, action.angle, LENGTH, heightmap)
        width = WIDTH_SHARE * _top(action.row, action.column, heightmap)
        steps = (
            GripperMove("open", width),
            JointMove("approach", start.translated(dz=APPROACH_HEIGHT)),
            LinearMove("touch", start, TOUCH_SPEED, force_limit=TOUCH_FORCE, guarded=True),
            sweep_to(end, "draw", DRAW_SPEED, DRAW_FORCE),
        )
        rise = RiseMove("rise", start.position[2] + APPROACH_HEIGHT)
        return Motion(self.name, steps, (rise, HomeMove("home")))

    def worked(self, action: Action, outcome: Outcome, before: Heightmap, after: Heightmap) -> bool:
        """Whether its place is empty now, and something new lies ahead where a gripper has room.

        Drawn along a wall, or to the next one, it is no nearer to being grasped.
        """
        gone = _LEFT.top(action, after) < OBJECT_HEIGHT
        more = _REACHED.area(action, after) - _REACHED.area(action, before)
        if not gone or more <= _ARRIVED_AREA:
            return False
        arrived = _REACHED.mask(action, after) & after.occupied & ~before.occupied
        return _lies_free(arrived, after)


@lru_cache(maxsize=8)
def _has_room(roll: Roll, workspace: Workspace) -> NDArray[np.bool_]:
    """Where MIN_LENGTH ahead still lies on the workspace: rotations×rows×columns."""
    angles = np.array([roll.angle(k) for k in range(roll.rotations)])[:, None, None]
    rows, columns = np.indices(workspace.shape)
    reach = MIN_LENGTH / workspace.resolution
    row, column = rows + reach * np.sin(angles), columns + reach * np.cos(angles)
    inside = (row >= 0) & (row < workspace.rows)
    return np.asarray(inside & (column >= 0) & (column < workspace.columns))


def _lies_free(arrived: NDArray[np.bool_], heightmap: Heightmap) -> bool:
    """Whether around a ball of these pixels there is _ROOM without anything, all on the table."""
    workspace, places = heightmap.workspace, np.nonzero(arrived)
    row, column = (int(np.median(each)) for each in places)
    radius = _top(row, column, heightmap) / 2
    rows, columns = np.indices(workspace.shape)
    distances = workspace.resolution * np.hypot(rows - row, columns - column)
    ends = (row, column, workspace.rows - 1 - row, workspace.columns - 1 - column)
    beside = (distances > radius + _SLACK) & (distances < radius + _ROOM)
    clear = workspace.resolution * min(ends) >= radius + _ROOM
    return clear and not bool(heightmap.occupied[beside].any())


def _top(row: int, column: int, heightmap: Heightmap) -> float:
    """Height of what lies at a pixel, m, within what fingertips can touch."""
    reach = round(TOP_RADIUS / heightmap.workspace.resolution)
    rows = slice(max(0, row - reach), row + reach + 1)
    columns = slice(max(0, column - reach), column + reach + 1)
    top = float(heightmap.filled[rows, columns].max())
    return float(np.clip(top, OBJECT_HEIGHT, LARGEST))
