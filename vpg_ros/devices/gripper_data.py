"""What is known of each gripper: the one description that arm, safety, drivers and emulators read.

Figures are the makers' (data sheets and manuals of OnRobot and Robotiq). Lengths are those with the
makers' own fingertips, bolted to the flange without an adapter; another length is told to
motion_node by its parameter ``tool_length``.
"""

from dataclasses import dataclass

from vpg_ros.errors import ErrorCode, require
from vpg_ros.geometry import Pose

_SLACK = 1e-6  # m of rounding beyond the stroke that is let pass


@dataclass(frozen=True)
class GripperData:
    """A gripper's size and strength.

    length: from the arm's ``tool0`` to the fingertips, m. stroke: between the fingertips, fully
    open, m. min_force, max_force: that it can be told to grip with, N. graded: whether the fingers
    stay at any width they are told, rather than open or closed alone.
    """

    length: float
    stroke: float
    min_force: float
    max_force: float
    graded: bool = True

    @property
    def tool(self) -> Pose:
        """The point between the fingertips in the arm's ``tool0`` frame."""
        return Pose((0.0, 0.0, self.length))

    def check(self, width: float, force: float) -> None:
        """Raise MOTION_REJECTED for a width (m) or force (N) that is not the gripper's."""
        require(
            0.0 <= width <= self.stroke + _SLACK,
            f"gripper width is {width:g} m; allowed: 0 … {self.stroke:g} m",
            ErrorCode.MOTION_REJECTED,
        )
        require(
            self.min_force <= force <= self.max_force,
            f"gripper force is {force:g} N; allowed: {self.min_force:g} … {self.max_force:g} N",
            ErrorCode.MOTION_REJECTED,
        )


RG2 = GripperData(length=0.200, stroke=0.110, min_force=3.0, max_force=40.0)
ROBOTIQ_2F85 = GripperData(length=0.163, stroke=0.085, min_force=20.0, max_force=235.0)
ROBOTIQ_HANDE = GripperData(length=0.156, stroke=0.050, min_force=20.0, max_force=185.0)
# No make in particular. How hard it grips is set at its valve, so any force may be asked for.
DIGITAL_OUTPUT = GripperData(
    length=0.200, stroke=0.080, min_force=0.0, max_force=1000.0, graded=False
)
