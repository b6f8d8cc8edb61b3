"""Grasp: descend between the fingers' pre-opened width, close, lift, and drop into the bin."""

import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.geometry import DEFAULT_BIN, Pose, half_turn, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import (
    Carry,
    GripperMove,
    HomeMove,
    JointMove,
    Lift,
    Motion,
    RiseMove,
    VerifyGrasp,
)
from vpg_ros.primitives.base import Primitive, register
from vpg_ros.primitives.descent import APPROACH_HEIGHT, descent_to

OPEN_WIDTH = 0.085  # m: wide enough for a 50 mm block and its neighbours' gaps
GRASP_DEPTH = 0.03  # m below the top of what is grasped (the paper's 3 cm)
FINGER_CLEARANCE = 0.004  # m between fingertips and table at the deepest
LOOSE_HEIGHT = 0.03  # m above the grasp where the object has come free of its neighbours
LIFT_HEIGHT = 0.15  # m
GRASP_FORCE = 25.0  # N
# m that the fingertips then rise: pressed on a block's top while they close, they would catch a lip
# of it where no finger fits.
BACK_OFF = 0.002
NEIGHBOURHOOD = 0.006  # m around the pixel whose highest point sets the depth


@register
class Grasp(Primitive):
    """Top-down grasp whose fingers close along the rotation's direction."""

    name = "grasp"
    symmetric = True
    picks = True
    context = 0.072

    def admissible(self, heightmap: Heightmap) -> NDArray[np.bool_]:
        """Every occupied pixel, at every rotation."""
        shape = (self.rotations, *heightmap.workspace.shape)
        return np.broadcast_to(heightmap.occupied, shape).copy()

    def pose(self, row: int, column: int, rotation: int, heightmap: Heightmap) -> Pose:
        """Fingertips GRASP_DEPTH below the local top, never into the table."""
        workspace = heightmap.workspace
        reach = round(NEIGHBOURHOOD / workspace.resolution)
        rows = slice(max(0, row - reach), row + reach + 1)
        columns = slice(max(0, column - reach), column + reach + 1)
        top = float(heightmap.filled[rows, columns].max())
        z = workspace.table_z + max(top - GRASP_DEPTH, FINGER_CLEARANCE)
        x, y = workspace.to_metres(row, column)
        return tool_down(x, y, z, half_turn(self.angle(rotation)))

    def motion(self, action: Action, heightmap: Heightmap) -> Motion:
        """Approach, guarded descent, close, loosen, lift, verify; then to the bin and home."""
        grasp, carried = action.pose, heightmap.workspace.table_z + DEFAULT_BIN[2]
        above = grasp.translated(dz=APPROACH_HEIGHT)
        # What hangs below the fingertips must not meet the bin's wall on its way there.
        lifted = grasp.translated(dz=max(LIFT_HEIGHT, carried - grasp.position[2]))
        loose = grasp.position[2] + LOOSE_HEIGHT  # never down onto what stopped the descent higher
        steps = (
            GripperMove("open", OPEN_WIDTH),
            JointMove("approach", above),
            descent_to(grasp, BACK_OFF),
            GripperMove("close", 0.0, GRASP_FORCE),
            RiseMove("loosen", loose),
            Lift("lift", lifted),
            VerifyGrasp("verify"),
            Carry("carry", tool_down(*DEFAULT_BIN, 0.0)),
            VerifyGrasp("still held"),
        )
        # One that failed low must not go sideways there; above the bin the tool is high enough.
        height = min(above.position[2], carried)
        rise = RiseMove("rise", height)
        retreat = (GripperMove("release", OPEN_WIDTH), rise, HomeMove("home"))
        return Motion(self.name, steps, retreat)
