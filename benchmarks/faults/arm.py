"""Faults of the arm and its gripper."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from benchmarks.faults.operator import Operator
from benchmarks.faults.trial import MOVED, RECONNECT, STILL, Trial, check, fault
from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Pose, tool_down
from vpg_ros.heightmap import Heightmap

_NOBODY = "127.99.0.1"  # where no controller listens
_DRAWS = 30  # random actions after which a primitive counts as never chosen


@fault("arm", "no connection at start", ErrorCode.ARM_UNREACHABLE)
def unreachable_controller(trial: Trial) -> None:
    absent = {"robot_ip": _NOBODY, "connect_timeout": 0.5}
    trial.inject(lambda: trial.restart("motion_node", **absent))
    died = None
    try:
        trial.rig.until_ready("motion_node")
    except VpgError as error:
        died = error
    trial.expect(died)
    trial.stands()
    trial.clear(lambda: trial.restart("motion_node"))
    trial.rig.until_ready("motion_node")
    trial.recovers()


def _mid_move(trial: Trial, phase: str, line: str, parked: bool) -> None:
    """A task is under way; the side channel makes a fault as the arm begins ``phase``."""
    task = trial.task()
    trial.rig.until_phase(phase, task)
    trial.inject(lambda: trial.rig.channel.fault(line))
    trial.task_ends(task, parked)


def _waits_for_recovery(trial: Trial) -> None:
    """Nothing moves before a person asks for a recovery, whatever else asks; then all is well."""
    try:
        trial.rig.operator.trigger("motion_node/park")
        check(False, "the arm went home before anybody asked for a recovery")
    except VpgError as error:
        check(error.code is trial.code, f"told otherwise: {error.sentence}")
    trial.stands_still(STILL)
    trial.rig.operator.trigger("motion_node/recover")
    trial.recovers(within=20.0)


@fault("arm", "RTDE lost mid-move", ErrorCode.ARM_LINK_LOST, soak=True)
def link_lost(trial: Trial) -> None:
    _mid_move(trial, "approach", "drop", parked=False)
    trial.heals()
    trial.recovers()
    most = RECONNECT * trial.rig.patience
    check(
        trial.recover_s <= most, f"there again after {trial.recover_s:.1f} s; allowed: {most:g} s"
    )


@fault("arm", "protective stop mid-push", ErrorCode.PROTECTIVE_STOP, soak=True)
def protective_stop(trial: Trial) -> None:
    operator = trial.rig.operator
    try:
        with exploring(operator):
            _mid_move(trial, "push", "pstop", parked=False)
    finally:
        trial.clear()
        operator.trigger("motion_node/recover")
    trial.recovers(within=20.0)


@fault("arm", "emergency stop", ErrorCode.EMERGENCY_STOP, soak=True)
def emergency_stop(trial: Trial) -> None:
    channel, operator = trial.rig.channel, trial.rig.operator
    try:
        _mid_move(trial, "approach", "estop", parked=False)
        try:
            operator.trigger("motion_node/recover")
            check(False, "an emergency stop was ended without a person")
        except VpgError as error:
            check(error.code is ErrorCode.EMERGENCY_STOP, f"told otherwise: {error.sentence}")
    finally:
        trial.clear(lambda: (channel.fault("release"), channel.fault("power")))
    _waits_for_recovery(trial)


@fault("arm", "safeguard stop", ErrorCode.PROTECTIVE_STOP, soak=True)
def safeguard_stop(trial: Trial) -> None:
    """A light curtain that resets itself, beside somebody who is still there."""
    channel = trial.rig.channel
    _mid_move(trial, "approach", "safeguard", parked=False)
    trial.clear(lambda: channel.fault("safeguard-reset"))
    _waits_for_recovery(trial)


@fault("arm", "stop on the pendant", ErrorCode.CANCELLED, soak=True)
def pendant(trial: Trial) -> None:
    _mid_move(trial, "approach", "kill-script", parked=False)
    trial.clear()
    _waits_for_recovery(trial)


@fault("arm", "speed slider at 10 %", ErrorCode.OK)
def slider(trial: Trial) -> None:
    """A goal slowed down to a tenth in mid-move comes to its end, as if nothing were."""
    channel, phases = trial.rig.channel, trial.rig.operator.phases
    goal = trial.goal(*choose(trial))
    check(goal.reaches("approach"), "the goal ended before its approach")
    trial.inject(lambda: channel.fault("slider 0.1"))
    try:
        outcome = goal.end()
        check(outcome.error_code is ErrorCode.OK, outcome.error_msg)
        check({"close", "home"} <= set(phases), f"no whole goal: {', '.join(phases)}")
    finally:
        trial.clear(lambda: channel.fault("slider 1"))
    trial.recovers()


def _refused(trial: Trial, pose: Pose) -> None:
    """A goal that goes to ``pose`` is refused before anything moves."""
    operator, channel = trial.rig.operator, trial.rig.channel
    operator.trigger("motion_node/park")
    heightmap, before = operator.capture(), channel.joints()
    action = replace(primitives.get("grasp").action(112, 112, 0, heightmap), pose=pose)
    goal = trial.goal(action, heightmap)
    outcome = goal.end()
    trial.expect(VpgError(outcome.error_code, outcome.error_msg))
    trial.stands_still(STILL)
    moved = float(np.abs(channel.joints() - before).max())
    check(moved < MOVED, f"it moved by {moved:.3f} rad nevertheless")
    trial.clear()
    trial.recovers()


@fault("arm", "unreachable pose", ErrorCode.POSE_UNREACHABLE)
def unreachable_pose(trial: Trial) -> None:
    _refused(trial, tool_down(-0.79, 0.59, 0.10, 0.0))


@fault("arm", "pose below the table", ErrorCode.BELOW_TABLE)
def below_table(trial: Trial) -> None:
    _refused(trial, tool_down(-0.5, 0.0, -0.05, 0.0))


@fault("arm", "joint limit", ErrorCode.JOINT_LIMIT)
def joint_limit(trial: Trial) -> None:
    """The base would have to turn beyond the limit that the rig sets."""
    _refused(trial, tool_down(-0.21, 0.59, 0.10, 0.0))


@fault("gripper", "no answer", ErrorCode.GRIPPER_NO_ANSWER, soak=True)
def mute_gripper(trial: Trial) -> None:
    """As the fingers of a grasp close, low among the objects; out of there the arm goes home."""
    channel = trial.rig.channel
    try:
        _mid_move(trial, "close", "gripper-mute", parked=True)
    finally:
        trial.clear(lambda: channel.fault("gripper-answer"))
    trial.recovers()


@fault("gripper", "closed on nothing", ErrorCode.OK)
def closed_on_nothing(trial: Trial) -> None:
    operator = trial.rig.operator
    operator.trigger("motion_node/park")
    heightmap = operator.capture()
    row, column = _emptiest(heightmap)
    action = primitives.get("grasp").action(row, column, 0, heightmap)
    goal = trial.goal(action, heightmap)
    check(goal.reaches("close"), "it ended before the fingers closed")
    trial.inject(lambda: None)
    outcome = goal.end()
    trial.stands()
    check(not outcome.success, "a grasp of nothing counts as a success")
    trial.expect(None if outcome.error_code is ErrorCode.OK else _error(outcome))
    check("nothing held" in outcome.error_msg, f"told otherwise: {outcome.error_msg}")
    trial.clear()
    trial.recovers()


def choose(trial: Trial, primitive: str = "") -> tuple[Action, Heightmap]:
    """What the policy would do; on another scene where nothing is left.

    primitive: what it is to be, at random where the policy prefers another; "" leaves that to it.
    """
    operator = trial.rig.operator
    operator.trigger("motion_node/park")
    heightmap = operator.capture()
    if not heightmap.occupied.any():
        operator.trigger("pybullet_node/reset")
        heightmap = operator.capture()
    preferred = operator.select(heightmap)
    if primitive in ("", preferred.primitive):
        return preferred, heightmap
    with exploring(operator):
        for _ in range(_DRAWS):
            action = operator.select(heightmap)
            if action.primitive == primitive:
                return action, heightmap
    raise VpgError(ErrorCode.NO_ADMISSIBLE_ACTION, f"{primitive} is never chosen")


@contextmanager
def exploring(operator: Operator) -> Iterator[None]:
    """All actions are random, which pushes as often as it grasps."""
    operator.set("inference_node", exploration=1.0)
    try:
        yield
    finally:
        operator.set("inference_node", exploration=0.0)


def _emptiest(heightmap: Heightmap) -> tuple[int, int]:
    """The pixel that is farthest from every object and from the rim."""
    import cv2

    free = np.zeros_like(heightmap.occupied, dtype=np.uint8)
    free[30:-30, 30:-30] = ~heightmap.occupied[30:-30, 30:-30]
    distance = cv2.distanceTransform(free, cv2.DIST_L2, 5)
    row, column = np.unravel_index(int(distance.argmax()), distance.shape)
    return int(row), int(column)


def _error(outcome: object) -> VpgError:
    return VpgError(outcome.error_code, outcome.error_msg)  # type: ignore[attr-defined]
