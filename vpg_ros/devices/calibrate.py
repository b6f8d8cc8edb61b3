"""Calibrate a camera: look at a board from many poses of the arm, each one checked for safety."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from vpg_ros.devices.board import Board
from vpg_ros.devices.handeye import EYE_IN_HAND, MIN_VIEWS, HandEye, View, solve
from vpg_ros.devices.interfaces import Arm, Camera
from vpg_ros.devices.safety import SafetyGate
from vpg_ros.devices.views import first_poses, next_poses
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.frame import Frame, Intrinsics
from vpg_ros.geometry import Pose
from vpg_ros.motion import HomeMove, JointMove, Motion

_SPEED, _ACCELERATION = 0.5, 1.0  # rad/s, rad/s²
_ESTIMATE_EVERY = 5  # views between two estimates of where the board will be seen
_REFUSALS = 60  # proposals that the gate may refuse before there is none

# Hears how many views there are and what happened last.
OnProgress = Callable[[int, str], None]


@dataclass(frozen=True)
class Plan:
    """How to calibrate.

    views: pictures of the board to take. mounting: one of ``handeye.MOUNTINGS``. max_residual: RMS
    distance of corners, px, above which a calibration is refused. max_sigma: the same for the
    standard deviation of the camera's position, m. settle: s to wait after a move.
    """

    mounting: str
    board: Board = field(default_factory=Board)
    views: int = 20
    max_residual: float = 1.0
    max_sigma: float = 0.002
    settle: float = 0.5

    def __post_init__(self) -> None:
        require(
            self.views >= 2 * MIN_VIEWS,
            f"{self.views} views; allowed: at least {2 * MIN_VIEWS}",
        )
        require(
            0.0 < self.max_residual < math.inf,
            f"max_residual is {self.max_residual:g} px; allowed: a finite number above 0",
        )


@dataclass(frozen=True)
class Record:
    """A calibration and what it rests on: views, their pictures (RGB), and the camera's optics.

    tool: its pose in the base frame with the arm at ``home``, joint angles in rad, for a camera on
    the tool. The arm tells it, as it did for each view: its real lengths differ from the maker's by
    millimetres.
    """

    result: HandEye
    views: tuple[View, ...]
    pictures: tuple[NDArray[np.uint8], ...]
    intrinsics: Intrinsics
    tool: Pose | None = None
    home: tuple[float, ...] = ()

    @property
    def camera(self) -> Pose:
        """The camera in the base frame; of one on the tool, with the arm at home."""
        return self.tool @ self.result.camera if self.tool else self.result.camera


class Calibration:
    """One calibration run of ``arm`` and ``camera``; every move passes ``gate`` first.

    The arm starts where a person has brought the board into view, and ends there, or at home with
    a camera on the tool that was found. After an interrupt, or an error of arm or camera, it is not
    moved again: somebody wants it to stand.
    """

    def __init__(
        self, arm: Arm, camera: Camera, gate: SafetyGate, plan: Plan, rng: np.random.Generator
    ) -> None:
        self._arm, self._camera, self._gate, self._plan = arm, camera, gate, plan
        self._rng = rng
        self._views: list[View] = []
        self._pictures: list[NDArray[np.uint8]] = []
        self._intrinsics: Intrinsics | None = None
        self._refusal = ""  # why there was no pose to go to, the last time

    def run(self, on_progress: OnProgress = lambda count, what: None) -> Record:
        """Look, move, look …; then solve.

        Raises CALIBRATION_FAILED, saying what to change, when the board is not seen, no pose is
        left, or the result is not as good as the plan wants it; and what the devices raise.
        """
        start = self._arm.state().tool
        require(
            self._look(),
            "the board is not seen from where the arm stands: bring it to the middle of the "
            "picture, and check its size, its dictionary and the light",
            ErrorCode.CALIBRATION_FAILED,
        )
        on_progress(len(self._views), "the board is in view")
        if self._plan.mounting == EYE_IN_HAND:
            self._way_home()  # refused now, before any view is taken for nothing
        try:
            self._collect(start, on_progress)
        except VpgError as error:
            if error.code is not ErrorCode.CALIBRATION_FAILED:
                sentence = f"{error.message}; the arm is not sent back to where it started"
                raise VpgError(error.code, sentence) from error
            self._move_first([start])
            raise
        self._move_first([start])
        record = self._record()
        self._check(record.result)
        if record.result.mounting == EYE_IN_HAND:
            home = tuple(self._gate.home.tolist())
            return replace(record, tool=self._tool_at_home(), home=home)
        return record

    def _way_home(self) -> HomeMove:
        """The move there from where the arm is; raises why the gate does not allow it."""
        motion = Motion("calibrate", (HomeMove("home", _SPEED, _ACCELERATION),), ())
        (step,) = self._gate.check(motion, self._arm.state().joints).steps
        assert isinstance(step, HomeMove)
        return step

    def _tool_at_home(self) -> Pose:
        """Go home and ask the arm where its tool is."""
        step = self._way_home()
        self._arm.move_joints(self._gate.home, step.speed, step.acceleration)
        time.sleep(self._plan.settle)
        return self._arm.state().tool

    def _collect(self, start: Pose, on_progress: OnProgress) -> None:
        for pose in first_poses(start):
            what = self._visit([pose])
            on_progress(len(self._views), what)
        if len(self._views) < MIN_VIEWS:
            return  # nothing to estimate from; _record says why
        for attempt in range(2 * self._plan.views):
            if len(self._views) >= self._plan.views:
                return
            if attempt % _ESTIMATE_EVERY == 0:
                estimate = solve(self._views, self._optics, self._plan.mounting)
            taken = [view.tool for view in self._views]
            poses = next_poses(start, estimate, self._plan.board, self._optics, taken, self._rng)
            what = self._visit(poses)
            on_progress(len(self._views), what)

    def _visit(self, poses: Iterable[Pose]) -> str:
        """Go to the first of ``poses`` that the gate allows and look; what came of it."""
        if refusal := self._move_first(poses):
            self._refusal = refusal
            return f"no safe pose that shows the board: {refusal}"
        return "seen" if self._look() else "the board is not seen from here"

    def _move_first(self, poses: Iterable[Pose]) -> str:
        """Move to the first of ``poses`` that the gate allows; why not, "" where it did."""
        refusal = "none is left"
        for pose, _ in zip(poses, range(_REFUSALS), strict=False):
            joints = self._arm.state().joints
            step = JointMove("look", pose, _SPEED, _ACCELERATION)
            try:
                sent = self._gate.check(Motion("calibrate", (step,), ()), joints).steps[0]
            except VpgError as error:
                refusal = error.message
                continue
            assert isinstance(sent, JointMove)
            self._arm.move_to(sent.pose, sent.speed, sent.acceleration)
            time.sleep(self._plan.settle)
            return ""
        return refusal

    def _look(self) -> bool:
        """Take a picture; whether the board is in it."""
        frame: Frame = self._camera.read()
        corners = self._plan.board.find(frame.colour)
        if self._intrinsics not in (None, frame.intrinsics):
            raise VpgError(ErrorCode.INTRINSICS_CHANGED, "the camera's optics have changed")
        self._intrinsics = frame.intrinsics
        if corners is None:
            return False
        self._views.append(View(self._arm.state().tool, corners))
        self._pictures.append(frame.colour)
        return True

    @property
    def _optics(self) -> Intrinsics:
        assert self._intrinsics is not None
        return self._intrinsics

    def _record(self) -> Record:
        refusal = f"; the last refusal: {self._refusal}" if self._refusal else ""
        require(
            len(self._views) >= self._plan.views,
            f"the board was seen from {len(self._views)} poses of {self._plan.views}: give the arm "
            f"more room around it (keep_out, limits), or use a smaller board{refusal}",
            ErrorCode.CALIBRATION_FAILED,
        )
        result = solve(self._views, self._optics, self._plan.mounting)
        return Record(result, tuple(self._views), tuple(self._pictures), self._optics)

    def _check(self, result: HandEye) -> None:
        plan = self._plan
        require(
            result.residual <= plan.max_residual,
            f"the corners are {result.residual:.2f} px off their places; allowed: "
            f"{plan.max_residual:g} px. Is the board flat and firmly mounted, is its size right "
            f"(squares of {plan.board.square * 1000:g} mm), does the arm report the right tool?",
            ErrorCode.CALIBRATION_FAILED,
        )
        require(
            result.position_sigma <= plan.max_sigma,
            f"the camera's position is uncertain by {result.position_sigma * 1000:.1f} mm; "
            f"allowed: {plan.max_sigma * 1000:g} mm. Take more views, or bring the board closer",
            ErrorCode.CALIBRATION_FAILED,
        )
