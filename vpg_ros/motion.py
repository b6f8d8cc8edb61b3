"""Motion: the short list of steps a primitive asks of an arm and a gripper; and its Outcome.

Steps are plain data in SI units in the base frame; primitives make them, the safety gate checks
them, arms and grippers run them. Poses are of the tool centre point, between the fingertips.
"""

from dataclasses import dataclass, replace

from vpg_ros.errors import ErrorCode
from vpg_ros.geometry import Pose

AS_HIGH = 0.005  # m below a height that an arm which was sent there may stand
# N at which a way back or up is blocked: well above what the end of a contact feels like, where
# fingers pressed on something as the move began.
RETREAT_FORCE = 80.0


@dataclass(frozen=True)
class JointMove:
    """Move to ``pose`` along a joint-space path, through free space.

    speed: rad/s of the leading axis; acceleration: rad/s².
    """

    phase: str
    pose: Pose
    speed: float = 2.0
    acceleration: float = 6.0


@dataclass(frozen=True)
class Carry(JointMove):
    """The joint move that takes what was picked to where it is let go of.

    Gently: what is held off its centre turns in the grip, or slips out of it, when it is swung.
    """

    acceleration: float = 2.0


@dataclass(frozen=True)
class HomeMove:
    """Move to the arm's home configuration, out of the camera's view."""

    phase: str
    speed: float = 2.0
    acceleration: float = 6.0


@dataclass(frozen=True)
class LinearMove:
    """Move the tool in a straight line to ``pose``.

    speed: m/s; acceleration: m/s². force_limit: N; when contact forces exceed it the arm stops.
    guarded: contact is expected (a descent onto an object), so the Motion goes on from where the
    arm stopped; otherwise it ends there, unsuccessful. back_off: m that the arm then goes back
    against the direction of the move, so that it no longer presses on what it met. release_force:
    N at which going back is stuck.
    """

    phase: str
    pose: Pose
    speed: float = 0.25
    acceleration: float = 1.2
    force_limit: float = 50.0
    guarded: bool = False
    back_off: float = 0.0
    release_force: float = RETREAT_FORCE


@dataclass(frozen=True)
class Lift(LinearMove):
    """The way up from which what was picked is carried: at least as high as where it is let go."""

    force_limit: float = RETREAT_FORCE


@dataclass(frozen=True)
class RiseMove:
    """Lift a tool that is lower than ``height`` (m, base frame) straight up to it; else nothing.

    Up from wherever it was stopped, not on into what stopped it. speed, acceleration and
    force_limit are a LinearMove's. Contact is expected.
    """

    phase: str
    height: float
    speed: float = 0.25
    acceleration: float = 1.2
    force_limit: float = RETREAT_FORCE

    def line(self, tool: Pose) -> LinearMove | None:
        """The way up from ``tool``; None where it is high enough, give or take AS_HIGH."""
        missing = self.height - tool.position[2]
        if missing <= AS_HIGH:
            return None
        above = tool.translated(dz=missing)
        return LinearMove(self.phase, above, self.speed, self.acceleration, self.force_limit, True)


@dataclass(frozen=True)
class BackMove:
    """Move the tool by ``offset`` (x, y, z m, base frame) from wherever it is, in a straight line.

    speed, acceleration and force_limit are a LinearMove's. Contact is expected.
    """

    phase: str
    offset: tuple[float, float, float]
    speed: float = 0.25
    acceleration: float = 1.2
    force_limit: float = RETREAT_FORCE

    def line(self, tool: Pose) -> LinearMove:
        """The way from ``tool``."""
        goal = tool.translated(*self.offset)
        return LinearMove(self.phase, goal, self.speed, self.acceleration, self.force_limit, True)


@dataclass(frozen=True)
class GripperMove:
    """Open or close to ``width`` m between the fingertips with at most ``force`` N."""

    phase: str
    width: float
    force: float = 20.0


@dataclass(frozen=True)
class VerifyGrasp:
    """Read the gripper: the Motion goes on only if it holds more than ``min_width`` m."""

    phase: str
    min_width: float = 0.004


Relative = RiseMove | BackMove
Move = JointMove | HomeMove | LinearMove | Relative
Step = Move | GripperMove | VerifyGrasp


@dataclass(frozen=True)
class Motion:
    """What a primitive does.

    steps: run in order until one fails. retreat: run afterwards whatever happened, as long as the
    arm can move, so that the camera sees the table again.
    """

    primitive: str
    steps: tuple[Step, ...]
    retreat: tuple[Step, ...]

    def carried_to(self, pose: Pose) -> "Motion":
        """The same, but what is picked is carried to ``pose``, from as high as that at least."""

        def moved(step: Step) -> Step:
            match step:
                case Carry():
                    return replace(step, pose=pose)
                case Lift():
                    missing = pose.position[2] - step.pose.position[2]
                    return replace(step, pose=step.pose.translated(dz=max(0.0, missing)))
            return step

        return replace(self, steps=tuple(map(moved, self.steps)))


@dataclass(frozen=True)
class Outcome:
    """What happened when a Motion ran.

    success: the primitive's own criterion. gripper_width: m after closing, around what is held if
    anything was. peak_force: N at the tool. duration: s. error_code: OK unless the Motion could not
    be completed. error_msg: why it could not, what was missed, or which contact ended a step early.
    accidents: losses meanwhile, such as an object that fell off the table; 0 where nobody can tell.
    """

    success: bool
    gripper_width: float = 0.0
    peak_force: float = 0.0
    duration: float = 0.0
    error_code: ErrorCode = ErrorCode.OK
    error_msg: str = ""
    accidents: int = 0

    @property
    def verdict(self) -> str:
        """Success or not, and what there is to say about it."""
        word = "success" if self.success else "no success"
        return f"{word}: {self.error_msg}" if self.error_msg else word
