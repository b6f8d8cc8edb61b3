"""Squeeze: close the wide open gripper around a loose pair or row, and let go of it.

Both sides are held at once, so that what would fall or roll away from a push from one side stays,
gathered and aligned with the fingers.
"""

import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.geometry import Pose, half_turn, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.heightmap import OBJECT_HEIGHT
from vpg_ros.motion import GripperMove, HomeMove, JointMove, Motion, Outcome, RiseMove
from vpg_ros.primitives.base import Primitive, register
from vpg_ros.primitives.descent import APPROACH_HEIGHT, descent_to
from vpg_ros.primitives.region import Region, offsets
from vpg_ros.primitives.sweep import under_tool

OPEN_WIDTH = 0.110  # m: as wide as an RG2 opens
FINGERTIP = 0.006  # m around a fingertip's middle that must be free
FINGERTIP_OFFSET = OPEN_WIDTH / 2 + 0.005  # m from the tool's axis to a fingertip's middle
FREE_HEIGHT = 0.012  # m that may lie under the fingertips
TIP_HEIGHT = 0.004  # m of the fingertips above the table
SQUEEZE_FORCE = 15.0  # N
GATHERED = 0.006  # m by which a squeezed row has become shorter, or more
KEPT = 0.85  # share of the area that is still there; gaps that a camera fills are up to 0.14
_BETWEEN = Region(OPEN_WIDTH / 2, OPEN_WIDTH / 2, 0.010)  # what the fingers close around
_AROUND = Region(0.07, 0.07, 0.06)


@register
class Squeeze(Primitive):
    """Closes around the pixel along the rotation's direction, without picking anything up."""

    name = "squeeze"
    symmetric = True
    context = 0.084
    opening = OPEN_WIDTH

    def admissible(self, heightmap: Heightmap) -> NDArray[np.bool_]:
        """Where something stands between the fingers, with free table under both of them."""
        free = under_tool(heightmap, FINGERTIP) < FREE_HEIGHT
        occupied = under_tool(heightmap) > OBJECT_HEIGHT
        masks = []
        for rotation in range(self.rotations):
            sides = [_shifted(free, self.angle(rotation), side, heightmap) for side in (1, -1)]
            masks.append(occupied & sides[0] & sides[1])
        return np.stack(masks)

    def pose(self, row: int, column: int, rotation: int, heightmap: Heightmap) -> Pose:
        """Fingertips just above the table."""
        x, y = heightmap.workspace.to_metres(row, column)
        z = heightmap.workspace.table_z + TIP_HEIGHT
        return tool_down(x, y, z, half_turn(self.angle(rotation)))

    def motion(self, action: Action, heightmap: Heightmap) -> Motion:
        """Open wide, come down around it, close, let go, rise."""
        at, above = action.pose, action.pose.translated(dz=APPROACH_HEIGHT)
        steps = (
            GripperMove("open", OPEN_WIDTH),
            JointMove("approach", above),
            descent_to(at),
            GripperMove("squeeze", 0.0, SQUEEZE_FORCE),
        )
        release = GripperMove("let go", OPEN_WIDTH)
        rise = RiseMove("rise", above.position[2])
        return Motion(self.name, steps, (release, rise, HomeMove("home")))

    def worked(self, action: Action, outcome: Outcome, before: Heightmap, after: Heightmap) -> bool:
        """Whether what lay between the fingers is closer together, and all of it still there."""
        shorter = _length(action, before) - _length(action, after)
        areas = [_AROUND.area(action, heightmap) for heightmap in (before, after)]
        return shorter > GATHERED and areas[1] > KEPT * areas[0]


def _shifted(
    mask: NDArray[np.bool_], angle: float, side: int, heightmap: Heightmap
) -> NDArray[np.bool_]:
    """``mask`` read at one fingertip for the tool at every pixel; False beyond the workspace."""
    distance = side * FINGERTIP_OFFSET / heightmap.workspace.resolution
    down, right = round(distance * np.sin(angle)), round(distance * np.cos(angle))
    result = np.zeros_like(mask)
    result[_overlap(-down), _overlap(-right)] = mask[_overlap(down), _overlap(right)]
    return result


def _overlap(by: int) -> slice:
    """The part of an axis that a shift reads from; of one the other way, that it writes to."""
    return slice(by, None) if by >= 0 else slice(None, by)


def _length(action: Action, heightmap: Heightmap) -> float:
    """Extent along the closing axis of what lies between the fingers, m."""
    along, _ = offsets(action, heightmap)
    places = along[_BETWEEN.mask(action, heightmap) & heightmap.occupied]
    return float(np.ptp(places)) if places.size else 0.0
