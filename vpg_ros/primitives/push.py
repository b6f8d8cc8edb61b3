"""Push: close the gripper, come down beside the clutter and sweep 10 cm in a straight line."""

import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.geometry import Pose, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import GripperMove, HomeMove, JointMove, Motion, RiseMove
from vpg_ros.primitives.base import Primitive, register
from vpg_ros.primitives.descent import APPROACH_HEIGHT, descent_to
from vpg_ros.primitives.sweep import ahead, end_of_sweep, sweep_to, under_tool

PUSH_LENGTH = 0.10  # m (Zeng et al. 2018)
MIN_TRAVEL = 0.02  # m of the push left when it meets what it pushes
TIP_HEIGHT = 0.010  # m of the fingertips above what lies under them at the start
RISE = 0.008  # m something ahead must stand above the fingertips to be pushed
PUSH_SPEED = 0.1  # m/s
PUSH_FORCE = 60.0  # N at which a push has jammed


@register
class Push(Primitive):
    """Straight push starting at the pixel, along the rotation's direction."""

    name = "push"

    def admissible(self, heightmap: Heightmap) -> NDArray[np.bool_]:
        """Where something ahead within reach stands above the fingertips' start height."""
        needed = under_tool(heightmap) + TIP_HEIGHT + RISE
        angles = (self.angle(rotation) for rotation in range(self.rotations))
        reach = PUSH_LENGTH - MIN_TRAVEL
        return np.stack([ahead(heightmap, angle, reach) > needed for angle in angles])

    def pose(self, row: int, column: int, rotation: int, heightmap: Heightmap) -> Pose:
        """Fingertips just above what lies under them, closing axis across the push."""
        workspace = heightmap.workspace
        x, y = workspace.to_metres(row, column)
        z = workspace.table_z + float(under_tool(heightmap)[row, column]) + TIP_HEIGHT
        return tool_down(x, y, z, self.angle(rotation) + np.pi / 2)

    def motion(self, action: Action, heightmap: Heightmap) -> Motion:
        """Close, come down at the start, sweep towards the end (clipped to the workspace), rise."""
        start = action.pose
        end = end_of_sweep(start, action.angle, PUSH_LENGTH, heightmap)
        steps = (
            GripperMove("close", 0.0),
            JointMove("approach", start.translated(dz=APPROACH_HEIGHT)),
            descent_to(start),
            sweep_to(end, "push", PUSH_SPEED, PUSH_FORCE),
        )
        rise = RiseMove("rise", start.position[2] + APPROACH_HEIGHT)
        return Motion(self.name, steps, (rise, HomeMove("home")))
