"""The speeds, accelerations, forces and widths that steps ask for, and a Motion in words."""

from dataclasses import dataclass

from vpg_ros.geometry import point_text
from vpg_ros.motion import (
    BackMove,
    GripperMove,
    HomeMove,
    JointMove,
    LinearMove,
    Motion,
    Relative,
    RiseMove,
    Step,
)


@dataclass(frozen=True)
class Rate:
    """One number of a step that has a limit.

    field: of the step. limit: field of :class:`vpg_ros.devices.safety.Limits`. name, unit: in
    words. may_be_zero: whether 0 means something. least: field of Limits that it is raised to, if
    any.
    """

    field: str
    limit: str
    name: str
    unit: str
    may_be_zero: bool = False
    least: str = ""

    def of(self, step: Step) -> float:
        """Its value in ``step``."""
        return float(getattr(step, self.field))


_JOINT = (
    Rate("speed", "joint_speed", "joint speed", "rad/s"),
    Rate("acceleration", "joint_acceleration", "joint acceleration", "rad/s²"),
)
_LINEAR = (
    Rate("speed", "tool_speed", "tool speed", "m/s"),
    Rate("acceleration", "tool_acceleration", "tool acceleration", "m/s²"),
    Rate("force_limit", "tool_force", "tool force", "N"),
)
_BACKING_OFF = (*_LINEAR, Rate("release_force", "tool_force", "force to back off", "N"))
_GRIPPER = (
    Rate("width", "gripper_width", "gripper width", "m", may_be_zero=True),
    Rate("force", "gripper_force", "gripper force", "N", True, "least_gripper_force"),
)


def rates_of(step: Step) -> tuple[Rate, ...]:
    """The rates of a step; none of one that moves nothing."""
    if isinstance(step, JointMove | HomeMove):
        return _JOINT
    if isinstance(step, LinearMove) and step.back_off:
        return _BACKING_OFF
    if isinstance(step, LinearMove | Relative):
        return _LINEAR
    return _GRIPPER if isinstance(step, GripperMove) else ()


def changes(asked: Motion, sent: Motion) -> str:
    """Which rates of ``asked`` are others in ``sent``, in words; "" for none."""
    pairs = zip((*asked.steps, *asked.retreat), (*sent.steps, *sent.retreat), strict=True)
    words = [
        f"{step.phase}: {rate.name} {rate.of(lowered):g} {rate.unit} instead of {rate.of(step):g}"
        for step, lowered in pairs
        for rate in rates_of(step)
        if rate.of(step) != rate.of(lowered)
    ]
    return "; ".join(words)


def describe(motion: Motion) -> str:
    """Every step of ``motion`` with where it goes and its rates, in words."""
    return "; ".join(_words(step) for step in (*motion.steps, *motion.retreat))


def _words(step: Step) -> str:
    place = ""
    if isinstance(step, JointMove | LinearMove):
        place = f" to {point_text(step.pose.position)} m"
    elif isinstance(step, BackMove):
        place = f" by {point_text(step.offset)} m"
    elif isinstance(step, RiseMove):
        place = f" to z = {step.height:.3f} m where lower"
    rates = ", ".join(f"{rate.of(step):g} {rate.unit}" for rate in rates_of(step))
    return f"{step.phase}{place}" + (f" at {rates}" if rates else "")
