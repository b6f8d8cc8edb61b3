"""Topple: push high on a tall object, so that it falls over and lies down."""

import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.geometry import Pose, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import GripperMove, HomeMove, JointMove, Motion, Outcome, RiseMove
from vpg_ros.primitives.base import Primitive, register
from vpg_ros.primitives.descent import descent_to
from vpg_ros.primitives.region import Region
from vpg_ros.primitives.sweep import ahead, end_of_sweep, sweep_to, under_tool

TALL = 0.080  # m that an object must stand above the table to be toppled
REACH = 0.050  # m ahead of the start within which it stands
LENGTH = 0.150  # m of the push: REACH, and what takes the top past the foot
BELOW_TOP = 0.015  # m of the fingertips below the top of what is ahead
CLEARANCE = 0.015  # m that what is under the fingertips must stay below them
APPROACH_HEIGHT = 0.06  # m: the push itself begins 65 mm above the table, or higher
SPEED = 0.10  # m/s
TOPPLE_FORCE = 60.0  # N at which the push has jammed
FALLEN = 0.85  # share of its height that a fallen object has at most
LESS = 0.25  # share by which the area that stands as tall has shrunk, or more: by one of three
GONE = 0.75  # share of that which is no longer covered where an object has left the table, or more
FAR_END = 0.28  # m ahead of the start up to which it may lie
_FALL = Region(0.02, FAR_END, 0.10)  # where it stood and may lie


@register
class Topple(Primitive):
    """Straight push near the top of a tall object, starting at the pixel beside it."""

    name = "topple"
    carries = FAR_END

    def admissible(self, heightmap: Heightmap) -> NDArray[np.bool_]:
        """Where something tall is near ahead, and what is under the fingertips is far lower."""
        under = under_tool(heightmap)
        angles = (self.angle(rotation) for rotation in range(self.rotations))
        tops = (ahead(heightmap, angle, REACH) for angle in angles)
        return np.stack([(top > TALL) & (under < top - BELOW_TOP - CLEARANCE) for top in tops])

    def pose(self, row: int, column: int, rotation: int, heightmap: Heightmap) -> Pose:
        """Fingertips BELOW_TOP below the top of what is ahead, closing axis across the push."""
        workspace, angle = heightmap.workspace, self.angle(rotation)
        x, y = workspace.to_metres(row, column)
        top = float(ahead(heightmap, angle, REACH)[row, column])
        z = workspace.table_z + max(top - BELOW_TOP, float(under_tool(heightmap)[row, column]))
        return tool_down(x, y, max(z, workspace.table_z + CLEARANCE), angle + np.pi / 2)

    def motion(self, action: Action, heightmap: Heightmap) -> Motion:
        """Close, come down beside the top, push it over (clipped to the workspace), rise."""
        start = action.pose
        end = end_of_sweep(start, action.angle, LENGTH, heightmap)
        steps = (
            GripperMove("close", 0.0),
            JointMove("approach", start.translated(dz=APPROACH_HEIGHT)),
            descent_to(start),
            sweep_to(end, "topple", SPEED, TOPPLE_FORCE),
        )
        rise = RiseMove("rise", start.position[2] + APPROACH_HEIGHT)
        return Motion(self.name, steps, (rise, HomeMove("home")))

    def worked(self, action: Action, outcome: Outcome, before: Heightmap, after: Heightmap) -> bool:
        """Whether less stands as tall as what stood ahead (FALLEN), and all of it is still there.

        Areas are compared, so that neither a neighbour that stands as tall hides a fall, nor a
        lower one that it has left the table.
        """
        tall = FALLEN * float(ahead(before, action.angle, REACH)[action.row, action.column])
        fallen = _FALL.area(action, before, tall) - _FALL.area(action, after, tall)
        gone = _FALL.area(action, before) - _FALL.area(action, after)
        return fallen > LESS * _FALL.area(action, before, tall) and gone < GONE * fallen
