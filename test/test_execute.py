"""What the executor does when a step goes wrong: the outcome it tells and the steps it still runs.

The arm here follows orders and fails where it is told to, which no real device does on demand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from vpg_ros import primitives
from vpg_ros.devices.execute import execute
from vpg_ros.devices.interfaces import ArmState, MoveEnd, MoveResult
from vpg_ros.devices.kinematics import HOME_JOINTS
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, FloatArray, Pose, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import (
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

Replan = Callable[[], Sequence[Step]]
TARGET = tool_down(-0.5, 0.0, 0.05, 0.0)
HIGH = TARGET.translated(dz=0.3)


@dataclass
class ObedientArm:
    """Reaches every goal at once, but ends linear moves as told."""

    linear: MoveEnd | VpgError = MoveEnd.REACHED
    moves: list[str] = field(default_factory=list)
    goals: list[Pose] = field(default_factory=list)
    time: float = 10.0
    at: Pose = TARGET

    def state(self) -> ArmState:
        return ArmState(HOME_JOINTS, np.zeros(6), self.at, 0.0, self.time)

    def move_joints(self, joints: FloatArray, speed: float, acceleration: float) -> MoveResult:
        return self._done("joints", MoveEnd.REACHED, 1.0)

    def move_to(self, pose: Pose, speed: float, acceleration: float) -> MoveResult:
        return self._done("to", MoveEnd.REACHED, 1.0)

    def move_linear(
        self, pose: Pose, speed: float, acceleration: float, force_limit: float
    ) -> MoveResult:
        if isinstance(self.linear, VpgError):
            raise self.linear
        self.goals.append(pose)
        return self._done("linear", self.linear, 42.0)

    def stop(self) -> None:
        self.moves.append("stop")

    def _done(self, name: str, end: MoveEnd, force: float) -> MoveResult:
        self.moves.append(name)
        self.time += 1.0
        return MoveResult(end, TARGET, force)


@dataclass
class ObedientGripper:
    held: float | None = None

    def move(self, width: float, force: float) -> float:
        self.held = self.held if width == 0.0 else None  # opening lets go
        return self.held or width

    def width(self) -> float:
        return self.held or 0.0

    def is_holding(self) -> bool:
        return self.held is not None


@dataclass
class MutedGripper(ObedientGripper):
    """Answers no more from when it has to close."""

    muted: bool = False

    def move(self, width: float, force: float) -> float:
        self.muted = self.muted or width == 0.0
        if self.muted:
            raise VpgError(ErrorCode.GRIPPER_NO_ANSWER, "muted")
        return width


@dataclass
class TravellingArm(ObedientArm):
    """Is where it was sent; sideways: heights from which it left in joint space, m."""

    at: Pose = HIGH
    sideways: list[float] = field(default_factory=list)

    def move_joints(self, joints: FloatArray, speed: float, acceleration: float) -> MoveResult:
        self.sideways.append(self.at.position[2])
        return super().move_joints(joints, speed, acceleration)

    def move_to(self, pose: Pose, speed: float, acceleration: float) -> MoveResult:
        self.sideways.append(self.at.position[2])
        self.at = pose
        return super().move_to(pose, speed, acceleration)

    def move_linear(
        self, pose: Pose, speed: float, acceleration: float, force_limit: float
    ) -> MoveResult:
        self.at = pose
        return super().move_linear(pose, speed, acceleration, force_limit)


@dataclass
class DeadGripper(ObedientGripper):
    code: ErrorCode = ErrorCode.GRIPPER_NO_ANSWER

    def move(self, width: float, force: float) -> float:
        raise VpgError(self.code, "told to fail")


def run(arm: ObedientArm, gripper: ObedientGripper, guarded: bool = False) -> Outcome:
    steps = (
        LinearMove("descend", TARGET, guarded=guarded),
        GripperMove("close", 0.0),
        VerifyGrasp("verify"),
    )
    return execute(Motion("test", steps, (HomeMove("home"),)), arm, gripper, HOME_JOINTS)


def test_every_step_done_is_success() -> None:
    outcome = run(ObedientArm(), ObedientGripper(held=0.03))
    assert outcome == Outcome(True, 0.03, 42.0, 2.0)


def test_holding_nothing_fails_and_still_goes_home() -> None:
    arm = ObedientArm()
    outcome = run(arm, ObedientGripper())
    assert not outcome.success and outcome.error_code is ErrorCode.OK
    assert "nothing held in 'verify'" in outcome.error_msg
    assert arm.moves == ["linear", "joints"]


def test_a_sliver_between_the_fingers_is_nothing() -> None:
    assert not run(ObedientArm(), ObedientGripper(held=0.001)).success


def test_unexpected_contact_ends_the_motion_and_names_the_force() -> None:
    arm = ObedientArm(linear=MoveEnd.CONTACT)
    outcome = run(arm, ObedientGripper(held=0.03))
    assert not outcome.success
    assert "stopped in 'descend' by 42 N" in outcome.error_msg
    assert arm.moves == ["linear", "joints"]


def test_expected_contact_lets_the_motion_go_on_and_is_told() -> None:
    arm = ObedientArm(linear=MoveEnd.CONTACT)
    outcome = run(arm, ObedientGripper(held=0.03), guarded=True)
    assert outcome.success and outcome.error_code is ErrorCode.OK
    assert "stopped in 'descend' by 42 N" in outcome.error_msg


def test_after_expected_contact_the_arm_backs_off_as_far_as_told() -> None:
    arm = ObedientArm(linear=MoveEnd.CONTACT, at=TARGET.translated(dz=0.2))
    step = LinearMove("descend", TARGET, guarded=True, back_off=0.002)
    execute(Motion("test", (step,), ()), arm, ObedientGripper(), HOME_JOINTS)
    assert arm.moves == ["linear", "linear"]
    assert arm.goals[1].position == pytest.approx(TARGET.translated(dz=0.002).position)


def test_a_move_that_met_nothing_does_not_back_off() -> None:
    arm = ObedientArm()
    step = LinearMove("descend", TARGET, guarded=True, back_off=0.002)
    execute(Motion("test", (step,), ()), arm, ObedientGripper(), HOME_JOINTS)
    assert arm.moves == ["linear"]


@pytest.mark.parametrize(
    ("code", "retreats"),
    [
        (ErrorCode.CANCELLED, False),
        (ErrorCode.PROTECTIVE_STOP, False),
        (ErrorCode.EMERGENCY_STOP, False),
        (ErrorCode.ARM_LINK_LOST, False),
        (ErrorCode.MOTION_TIMEOUT, True),
        (ErrorCode.GRIPPER_NO_ANSWER, True),
    ],
)
def test_the_arm_retreats_only_when_it_safely_can(code: ErrorCode, retreats: bool) -> None:
    arm = ObedientArm(linear=VpgError(code, "told to fail"))
    outcome = run(arm, ObedientGripper())
    assert (outcome.error_code, outcome.error_msg) == (code, "told to fail")
    assert not outcome.success
    assert arm.moves == (["joints"] if retreats else [])


def test_a_gripper_that_fails_does_not_keep_the_arm_from_going_home() -> None:
    arm, retreat = ObedientArm(), (GripperMove("release", 0.085), HomeMove("home"))
    motion = Motion("test", (GripperMove("close", 0.0),), retreat)
    outcome = execute(motion, arm, DeadGripper(), HOME_JOINTS)
    assert (outcome.success, outcome.error_code) == (False, ErrorCode.GRIPPER_NO_ANSWER)
    assert arm.moves == ["joints"]


def test_a_grasp_whose_gripper_fails_low_leaves_straight_up() -> None:
    arm, motion = TravellingArm(), grasp()
    outcome = execute(motion, arm, MutedGripper(), HOME_JOINTS)
    assert outcome.error_code is ErrorCode.GRIPPER_NO_ANSWER
    assert arm.moves == ["to", "linear", "linear", "joints"]
    down, up = arm.goals
    assert up.position[:2] == down.position[:2] and up.quaternion == down.quaternion
    assert min(arm.sideways) > down.position[2] + 0.1


@pytest.mark.parametrize("held", [None, 0.03])
def test_a_grasp_that_is_high_in_the_end_does_not_rise(held: float | None) -> None:
    """Lifted with nothing, or at the bin."""
    arm, motion = TravellingArm(), grasp()
    opened = replace(motion, steps=motion.steps[1:])  # opening would let go of what is held
    execute(opened, arm, ObedientGripper(held), HOME_JOINTS)
    carried = ["to"] if held else []
    assert arm.moves == ["to", "linear", "linear", "linear", *carried, "joints"]


def grasp() -> Motion:
    """Of a block of 5 cm."""
    height = np.full(DEFAULT_WORKSPACE.shape, 0.05, np.float32)
    heightmap = Heightmap(np.zeros((*height.shape, 3), np.uint8), height, DEFAULT_WORKSPACE)
    primitive = primitives.get("grasp")
    return primitive.motion(primitive.action(112, 112, 0, heightmap), heightmap)


@pytest.mark.parametrize("missing", [0.003, 0.05])
def test_a_rise_moves_only_a_tool_that_is_lower(missing: float) -> None:
    arm = TravellingArm()
    rise = RiseMove("rise", arm.at.position[2] + missing)
    outcome = execute(Motion("test", (rise,), ()), arm, ObedientGripper(), HOME_JOINTS)
    assert outcome.success
    assert arm.moves == (["linear"] if missing > 0.01 else [])


@pytest.mark.parametrize("code", [ErrorCode.CANCELLED, ErrorCode.PROTECTIVE_STOP])
def test_a_stop_during_the_release_ends_the_retreat(code: ErrorCode) -> None:
    arm, retreat = ObedientArm(), (GripperMove("release", 0.085), HomeMove("home"))
    outcome = execute(Motion("test", (), retreat), arm, DeadGripper(code=code), HOME_JOINTS)
    assert (outcome.error_code, arm.moves) == (code, [])


def test_the_width_told_is_that_of_the_grasp_not_of_the_release() -> None:
    motion = Motion("test", (VerifyGrasp("verify"),), (GripperMove("release", 0.085),))
    outcome = execute(motion, ObedientArm(), ObedientGripper(held=0.03), HOME_JOINTS)
    assert outcome.gripper_width == 0.03


def test_phases_are_told_in_order() -> None:
    heard: list[str] = []
    motion = Motion("test", (LinearMove("descend", TARGET),), (HomeMove("home"),))
    execute(motion, ObedientArm(), ObedientGripper(), HOME_JOINTS, heard.append)
    assert heard == ["descend", "home"]


def test_nothing_goes_sideways_where_the_arm_cannot_rise() -> None:
    arm = ObedientArm(linear=MoveEnd.CONTACT)
    retreat = (RiseMove("rise", HIGH.position[2] + 0.1), HomeMove("home"))
    outcome = execute(Motion("test", (), retreat), arm, ObedientGripper(), HOME_JOINTS)
    assert (outcome.success, outcome.error_code) == (False, ErrorCode.MOTION_BLOCKED)
    assert "'rise'" in outcome.error_msg and "stays" in outcome.error_msg
    assert "joints" not in arm.moves


def test_the_end_of_a_contact_does_not_keep_the_arm_from_rising() -> None:
    class Pressed(ObedientArm):
        def move_linear(self, *args: Any) -> MoveResult:
            result = super().move_linear(*args)
            self.linear = MoveEnd.REACHED  # from now on
            return result

    arm = Pressed(linear=MoveEnd.CONTACT)
    retreat = (RiseMove("rise", TARGET.position[2] + 0.1), HomeMove("home"))
    outcome = execute(Motion("test", (), retreat), arm, ObedientGripper(), HOME_JOINTS)
    assert outcome.success and arm.moves == ["linear", "linear", "joints"]


def test_after_contact_the_retreat_is_the_one_that_may_be_run_from_there() -> None:
    slow = HomeMove("home", speed=0.1)
    heard: list[str] = []

    def run_with(linear: MoveEnd, replan: Replan) -> tuple[Outcome, list[str]]:
        arm = ObedientArm(linear=linear)
        push = Motion("test", (LinearMove("push", TARGET, guarded=True),), (HomeMove("home"),))
        gripper = ObedientGripper()
        return execute(push, arm, gripper, HOME_JOINTS, heard.append, replan), arm.moves

    def refuse() -> Sequence[Step]:
        raise VpgError(ErrorCode.COLLISION, "a rim is in the way")

    outcome, moves = run_with(MoveEnd.CONTACT, refuse)
    assert outcome.error_code is ErrorCode.COLLISION and "stays" in outcome.error_msg
    assert moves == ["linear"] and not outcome.success
    outcome, moves = run_with(MoveEnd.CONTACT, lambda: (replace(slow, phase="slowly"),))
    assert outcome.success and moves == ["linear", "joints"] and heard[-1] == "slowly"
    outcome, moves = run_with(MoveEnd.REACHED, refuse)
    assert outcome.success and moves == ["linear", "joints"]


@pytest.mark.parametrize("name", primitives.names())
def test_no_primitive_goes_on_against_what_has_stopped_it(name: str) -> None:
    """Stopped where it began, the arm next moves straight up or backwards."""
    motion = motion_of(name)
    sweep = [step for step in motion.steps if isinstance(step, LinearMove)][-1]
    start = next(step for step in motion.steps if isinstance(step, JointMove)).pose
    way = np.subtract(sweep.pose.position, start.position)[:2]
    arm = TravellingArm(at=start.translated(dz=-0.05))
    execute(replace(motion, steps=()), arm, ObedientGripper(), HOME_JOINTS)
    for goal in arm.goals:
        assert np.subtract(goal.position, start.position)[:2] @ way <= 1e-9


def motion_of(name: str) -> Motion:
    """On a table with something for each: a tower, a block, a plank that ends at another block."""
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    height[40:60, 40:60], height[170:190, 40:60] = 0.12, 0.04
    height[100:130, 100:140], height[100:130, 140:170] = 0.015, 0.04
    heightmap = Heightmap(np.zeros((*height.shape, 3), np.uint8), height, DEFAULT_WORKSPACE)
    primitive = primitives.get(name)
    rotation, row, column = np.argwhere(primitive.admissible(heightmap))[0].tolist()
    return primitive.motion(primitive.action(row, column, rotation, heightmap), heightmap)
