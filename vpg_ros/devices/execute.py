"""Run a Motion on an arm and a gripper: the one executor of robot, emulator and training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from vpg_ros.devices.interfaces import Arm, Gripper, MoveEnd, MoveResult
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import FloatArray, Pose
from vpg_ros.motion import (
    BackMove,
    GripperMove,
    HomeMove,
    JointMove,
    LinearMove,
    Motion,
    Outcome,
    RiseMove,
    Step,
    VerifyGrasp,
)

# After these the arm cannot or must not move on its own, so there is no retreat.
_STAY = frozenset(
    {
        ErrorCode.CANCELLED,
        ErrorCode.ARM_LINK_LOST,
        ErrorCode.ARM_UNREACHABLE,
        ErrorCode.PROTECTIVE_STOP,
        ErrorCode.EMERGENCY_STOP,
    }
)


_STAYS = "the arm stays where it is"


class _StepFailed(Exception):
    """A step ended without an error, but the Motion's aim is missed."""


@dataclass
class _Run:
    """What has been observed so far while a Motion runs."""

    arm: Arm
    gripper: Gripper
    home: FloatArray
    on_phase: Callable[[str], None]
    width: float = 0.0
    held: bool = False  # width is that of something held; opening to let go of it is not
    peak_force: float = field(default=0.0)
    contacts: list[str] = field(default_factory=list)  # that were expected, in words

    def steps(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self.on_phase(step.phase)
            self._step(step)

    def _step(self, step: Step) -> None:
        match step:
            case JointMove():
                self._note(self.arm.move_to(step.pose, step.speed, step.acceleration))
            case HomeMove():
                self._note(self.arm.move_joints(self.home, step.speed, step.acceleration))
            case LinearMove():
                self._linear(step)
            case RiseMove() | BackMove():
                line = step.line(self.arm.state().tool)
                if line is not None:
                    self._linear(line)
            case GripperMove():
                self._grip(step)
            case VerifyGrasp():
                self._verify(step)

    def _linear(self, step: LinearMove) -> None:
        start = self.arm.state().tool
        result = self.arm.move_linear(step.pose, step.speed, step.acceleration, step.force_limit)
        self._note(result)
        if result.end is not MoveEnd.CONTACT:
            return
        contact = (
            f"stopped in '{step.phase}' by {result.peak_force:.0f} N; "
            f"the limit is {step.force_limit:.0f} N"
        )
        if not step.guarded:
            raise _StepFailed(contact)
        self.contacts.append(contact)
        if step.back_off > 0:
            self._back_off(step, start, result.pose)

    def _back_off(self, step: LinearMove, start: Pose, stopped: Pose) -> None:
        """Go back towards ``start``, at most all the way; the end of contact feels like force."""
        way = np.subtract(start.position, stopped.position)
        length = float(np.linalg.norm(way))
        if length > 0:
            dx, dy, dz = (way * min(1.0, step.back_off / length)).tolist()
            back = stopped.translated(dx, dy, dz)
            self.arm.move_linear(back, step.speed, step.acceleration, step.release_force)

    def _grip(self, step: GripperMove) -> None:
        width = self.gripper.move(step.width, step.force)
        if not self.held:
            self.width = width

    def _verify(self, step: VerifyGrasp) -> None:
        self.width = self.gripper.width()
        if not self.gripper.is_holding() or self.width < step.min_width:
            raise _StepFailed(f"nothing held in '{step.phase}' ({self.width * 1000:.0f} mm wide)")
        self.held = True

    def _note(self, result: MoveResult) -> None:
        self.peak_force = max(self.peak_force, result.peak_force)


def execute(
    motion: Motion,
    arm: Arm,
    gripper: Gripper,
    home: FloatArray,
    on_phase: Callable[[str], None] = lambda phase: None,
    replan: Callable[[], Sequence[Step]] | None = None,
) -> Outcome:
    """Run ``motion``; ``on_phase`` hears each phase's name as it begins.

    replan: asked where something was met or failed, for then the retreat begins elsewhere than
    planned; the retreat as it may be run from where the arm is, or it raises why it may not, and
    the arm stays.

    Success means that every step was completed. Device errors become the outcome's code and
    sentence, never an exception; after one the arm retreats only if it safely can. ``home`` is the
    joint configuration of HomeMove, rad.
    """
    run = _Run(arm, gripper, home, on_phase)
    start = arm.state().stamp
    success, code, message = _attempt(run, motion.steps)
    width = run.width  # the retreat opens the gripper
    if code not in _STAY:
        astray = replan if run.contacts or not success else None
        retreat_code, retreat_message = _retreat(run, astray or (lambda: motion.retreat))
        if code is ErrorCode.OK and retreat_code is not ErrorCode.OK:
            success, code, message = False, retreat_code, retreat_message
    message = message or ", ".join(run.contacts)
    duration = _stamp(arm, start) - start
    return Outcome(success, width, run.peak_force, duration, code, message)


def _retreat(run: _Run, plan: Callable[[], Sequence[Step]]) -> tuple[ErrorCode, str]:
    """(code, sentence) of the first error.

    The arm gets out of the camera's view even with a gripper that no longer does as it is told, but
    not sideways where it could not rise.
    """
    first = (ErrorCode.OK, "")
    try:
        steps = plan()
    except VpgError as error:
        return error.code, f"{error.message}; {_STAYS}"
    for step in steps:
        done, code, message = (
            _rise(run, step) if isinstance(step, RiseMove) else _attempt(run, (step,))
        )
        first = first if first[0] is not ErrorCode.OK else (code, message)
        if not done and (not isinstance(step, GripperMove) or code in _STAY):
            break
    return first


def _rise(run: _Run, step: RiseMove) -> tuple[bool, ErrorCode, str]:
    """As ``_attempt``, but what stops it twice is in the way.

    The end of a contact feels like force too, but once only.
    """
    for _ in range(2):
        met = len(run.contacts)
        result = _attempt(run, (step,))
        if len(run.contacts) == met:
            return result
    return False, ErrorCode.MOTION_BLOCKED, f"{run.contacts[-1]}; {_STAYS}"


def _attempt(run: _Run, steps: Sequence[Step]) -> tuple[bool, ErrorCode, str]:
    """(whether all steps were completed, error code, sentence)."""
    try:
        run.steps(steps)
    except _StepFailed as failure:
        return False, ErrorCode.OK, str(failure)
    except VpgError as error:
        return False, error.code, error.message
    return True, ErrorCode.OK, ""


def _stamp(arm: Arm, fallback: float) -> float:
    """Controller time, or ``fallback`` when the arm no longer answers."""
    try:
        return arm.state().stamp
    except VpgError:
        return fallback
