"""The robot as motion_node uses it: one job at a time, stoppable from any thread."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from vpg_ros.devices.execute import execute
from vpg_ros.devices.interfaces import ArmState, Gripper, RemoteArm
from vpg_ros.devices.rates import describe
from vpg_ros.devices.safety import SafetyGate
from vpg_ros.devices.ur_recovery import check_wanted
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.motion import HomeMove, Motion, Outcome, RiseMove, Step

PARK_HEIGHT = 0.20  # m above the table to which a lower tool is lifted before it goes home
AT_HOME = 0.02  # rad that every joint may be off home and still count as there
_LOOK = 0.1  # s between two looks at whether a recovery that waits is still wanted
STOP_DEADLINE = 3.0  # s within which a job has ended after stop()
# After a stop whose cause only a person has seen: rad/s and rad/s², and m/s.
SLOW_JOINTS, SLOW_ACCELERATION, SLOW_RISE = 0.5, 1.0, 0.05
SLOW_TOOL = 0.25  # m/s of the tool then, the reduced speed of ISO 10218-1

OnPhase = Callable[[str], None]
OnSent = Callable[[Motion], None]

# Failures of a job that say more than that it was stopped.
_GRAVE = frozenset({ErrorCode.PROTECTIVE_STOP, ErrorCode.EMERGENCY_STOP, ErrorCode.ARM_LINK_LOST})


class Robot:
    """Arm, gripper and safety gate. Without an arm (a dry run) motions are checked only."""

    def __init__(self, gate: SafetyGate, arm: RemoteArm | None, gripper: Gripper | None) -> None:
        self._gate = gate
        self._arm = arm
        self._gripper = gripper
        self._busy = threading.Lock()
        self._stopping = threading.Lock()
        self._linking = threading.Lock()  # held while the link is made anew, and by a recovery
        self._stops = 0
        self._unsure = False  # whether a recovery has begun whose way home has not come to its end
        self._cut_off = False

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return self._busy.locked()

    @property
    def ticket(self) -> int:
        """Draw it when a job is accepted: the job runs only while no stop has come since."""
        return self._stops

    @property
    def state(self) -> ArmState:
        """The arm's newest state; at rest at home in a dry run. Raises ARM_LINK_LOST."""
        if self._arm is not None:
            return self._arm.state()
        home = self._gate.home
        tool = self._gate.kinematics.forward(home)
        return ArmState(home, np.zeros_like(home), tool, force=0.0, stamp=0.0)

    @property
    def at_home(self) -> bool:
        """Whether every joint is where HomeMove goes."""
        return bool(np.abs(self.state.joints - self._gate.home).max() < AT_HOME)

    @property
    def refusal(self) -> VpgError | None:
        """Why no motion may begin now: a lost link, a safety stop, a person; None where one may."""
        try:
            self._check_ready()
        except VpgError as error:
            return error
        return None

    @property
    def cut_off(self) -> bool:
        """Whether the link was lost, and nothing has been asked of the arm since."""
        return self._cut_off

    def allows(self, motion: Motion) -> bool:
        """Whether ``motion``, begun where the arm is now, passes the safety gate."""
        try:
            self._gate.check(motion, self.state.joints)
        except VpgError:
            return False
        return True

    def run(
        self, motion: Motion, on_phase: OnPhase, ticket: int, on_sent: OnSent = lambda motion: None
    ) -> Outcome:
        """Carry out ``motion``; whatever goes wrong is in the outcome, never raised.

        ``on_sent`` hears what is really sent: the motion as the safety gate has let it through.
        """
        try:
            with self._job():
                return self._carry_out(self._gate, motion, on_phase, ticket, on_sent)
        except VpgError as error:
            return Outcome(False, error_code=error.code, error_msg=error.message)

    def park(self, ticket: int) -> Outcome:
        """Lift the tool where it is low, then go home, unless a stop has come since ``ticket``.

        Slowly after a recovery that did not get there.
        """
        try:
            with self._job():
                return self._go_home(ticket)
        except VpgError as error:
            return Outcome(False, error_code=error.code, error_msg=error.message)

    def reconnect(self) -> bool:
        """Make the link anew where it is lost; whether it was, and now is not.

        Whatever was accepted before is void. Raises why there is no link.
        """
        if self._arm is None or self.busy or not self._linking.acquire(blocking=False):
            return False
        try:
            self._arm.state()
        except VpgError:
            self._void()
            self._cut_off = True
            self._arm.reconnect()
            self._void()
            return True
        finally:
            self._linking.release()
        return False

    def recover(self, interrupt: threading.Event) -> Outcome:
        """After a safety stop: unlock, make the link anew, go home slowly.

        Whatever was accepted before is void. CANCELLED on ``interrupt``.
        """
        try:
            with self._link_held(interrupt):
                ticket = self.stop()
                with self._job():
                    self._unsure = True
                    if self._arm is not None:
                        self._arm.unlock(interrupt)
                    return self._go_home(ticket)
        except VpgError as error:
            return Outcome(False, error_code=error.code, error_msg=error.message)

    def stop(self) -> int:
        """Stop the job under way and stay; returns when it has ended, within STOP_DEADLINE.

        No new job begins before that, and none whose ticket was drawn before; returns the first
        one that is good again.
        """
        with self._stopping:
            self._stops += 1
            ticket = self._stops
            deadline = time.monotonic() + STOP_DEADLINE
            while self._arm is not None and self.busy and time.monotonic() < deadline:
                # Again and again, because the next step of the job may just have been starting.
                # What fails here fails in the job too, which reports it.
                with contextlib.suppress(VpgError):
                    if self._gripper is not None:
                        self._gripper.stop()
                    self._arm.stop()
                time.sleep(0.02)
        return ticket

    def _void(self) -> None:
        """Whatever was accepted before is void."""
        with self._stopping:
            self._stops += 1

    @contextlib.contextmanager
    def _link_held(self, interrupt: threading.Event) -> Iterator[None]:
        """Nobody else makes the link anew; raises CANCELLED on ``interrupt``."""
        while not self._linking.acquire(timeout=_LOOK):
            check_wanted(interrupt)
        try:
            check_wanted(interrupt)
            yield
        finally:
            self._linking.release()

    @contextlib.contextmanager
    def _job(self) -> Iterator[None]:
        """The only job; raises GOAL_REJECTED while there is another."""
        with self._stopping:
            if not self._busy.acquire(blocking=False):
                sentence = "the arm is carrying out another goal; wait for it or cancel it"
                raise VpgError(ErrorCode.GOAL_REJECTED, sentence)
        try:
            yield
        finally:
            self._busy.release()

    def _go_home(self, ticket: int) -> Outcome:
        """As ``park``, within a job."""
        height = self._gate.limits.table_z + PARK_HEIGHT
        steps: tuple[Step, ...] = (RiseMove("rise", height), HomeMove("home"))
        gate = _slow(self._gate) if self._unsure else self._gate
        # As a retreat, which ends where the arm cannot rise.
        motion = Motion("park", (), tuple(map(_slowed, steps)) if self._unsure else steps)
        outcome = self._carry_out(gate, motion, lambda _: None, ticket, lambda _: None)
        self._unsure = self._unsure and not outcome.success
        return outcome

    def _carry_out(
        self, gate: SafetyGate, motion: Motion, on_phase: OnPhase, ticket: int, on_sent: OnSent
    ) -> Outcome:
        """Check and run ``motion``, within a job."""
        self._check_ready()
        self._cut_off = False
        sent = gate.check(motion, self.state.joints)
        on_sent(sent)
        return self._execute(gate, motion, sent, on_phase, ticket)

    def _check_ready(self) -> None:
        """Raise why nothing may move; the gripper does not know."""
        if self._arm is not None:
            self._arm.check_ready()

    def _execute(
        self, gate: SafetyGate, asked: Motion, sent: Motion, on_phase: OnPhase, ticket: int
    ) -> Outcome:
        """Run what ``gate`` made of ``asked``."""
        if self._arm is None or self._gripper is None:
            return Outcome(False, error_msg=f"dry run: nothing was moved; steps: {describe(sent)}")

        def announce(phase: str) -> None:
            if self._stops != ticket:
                raise VpgError(ErrorCode.CANCELLED, f"cancelled before '{phase}'")
            self._check_ready()
            on_phase(phase)

        def replan() -> Sequence[Step]:
            return gate.check(replace(asked, steps=()), self.state.joints).retreat

        outcome = execute(sent, self._arm, self._gripper, gate.home, announce, replan)
        stopped = self._stops != ticket and not outcome.success
        if stopped and outcome.error_code not in _GRAVE | {ErrorCode.CANCELLED}:
            # The stop met a step that was just starting or ending and failed in its own way.
            return replace(outcome, error_code=ErrorCode.CANCELLED, error_msg="cancelled")
        return outcome


def _slow(gate: SafetyGate) -> SafetyGate:
    """The same gate for a tool at reduced speed."""
    tool_speed = min(gate.limits.tool_speed, SLOW_TOOL) * gate.speed_scale
    return replace(gate, limits=replace(gate.limits, tool_speed=tool_speed))


def _slowed(step: Step) -> Step:
    """A step of the way home at low speed."""
    match step:
        case HomeMove():
            return replace(step, speed=SLOW_JOINTS, acceleration=SLOW_ACCELERATION)
        case RiseMove():
            return replace(step, speed=SLOW_RISE)
    return step
