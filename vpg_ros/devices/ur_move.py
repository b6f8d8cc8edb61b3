"""One motion of a Universal Robots arm: started asynchronously and watched to its end.

The library's blocking calls cannot be stopped and report nothing but False; here the state is read
every 4 ms, and a motion ends in one of: reached, contact, or the error that says why not.
Deadlines count on the controller's clock, so that they hold for a simulated controller at any time
scale and while the speed slider is down.
"""

import threading
import time
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from vpg_ros.devices.interfaces import MoveEnd, MoveResult
from vpg_ros.devices.ur_link import UrLink
from vpg_ros.devices.ur_reading import Reading
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import FloatArray, Pose

STOP_TIMEOUT = 3.0  # s on the controller's clock
STILL = 0.01  # rad/s of the fastest joint
# An arm that presses against what it met trembles: for so long (s on the controller's clock) no
# joint may get further than so many rad.
_TREMBLING_TIME, _TREMBLING = 0.1, 0.003
_POLL = 0.004  # s
_STOP_JOINTS, _STOP_TOOL = 8.0, 10.0  # deceleration: rad/s², m/s²
_SETTLE = 0.5  # s on the controller's clock from the end of a trajectory to arrival
_JOINT_TOLERANCE = 0.005  # rad
_POSITION_TOLERANCE, _ANGLE_TOLERANCE = 0.003, 0.02  # m, rad
_SPARE_FORCE = 10.0  # N by which force may still grow in a move that begins above its limit
# Friction that leaving what the arm is pressed against may add: a share of the pressure, at most so
# many N.
_FRICTION, _MOST_FRICTION = 0.5, 50.0
_SQUARE = 0.1  # cosine: a way so near to square to the pressure does not go on into it
_TOUCH = 10.0  # N that the arm at rest feels only of what it presses against
_SPARE_FACTOR, _SPARE_TIME = 2.0, 2.0  # a move may take twice its ideal time and 2 s
_REASON_TIMEOUT = 1.0  # s of wall time in which the reason of a refusal shows
_SLOWEST = 0.02  # speed slider below which the arm counts as held by it
_HELD = 60.0  # s on the controller's clock that it may be
_TURN_SPEED = 0.6  # rad/s of a tool that only turns, for the deadline


@dataclass(frozen=True)
class Command:
    """A motion to ask of the controller.

    method: of the library. goal: 6 rad, or 6-vector m and axis-angle rad. speed, acceleration: of
    the leading joint or the tool. stop: method and deceleration that end it early. ideal: s it
    takes at full speed. force_limit: N at which it ends with CONTACT. rises: whether it goes up.
    """

    method: str
    goal: FloatArray
    speed: float
    acceleration: float
    stop: tuple[str, float]
    ideal: float
    force_limit: float = np.inf
    rises: bool = False

    @staticmethod
    def joints(start: Reading, goal: FloatArray, speed: float, acceleration: float) -> "Command":
        """Joint-space move from ``start`` to six angles."""
        ideal = float(np.abs(goal - start.joints).max()) / speed + speed / acceleration
        return Command("moveJ", goal, speed, acceleration, ("stopJ", _STOP_JOINTS), ideal)

    @staticmethod
    def line(
        start: Reading, goal: Pose, speed: float, acceleration: float, force_limit: float
    ) -> "Command":
        """Straight line of the tool from ``start`` to ``goal``."""
        distance, angle = apart(Pose.from_rotvec(start.tool), goal)
        ideal = distance / speed + speed / acceleration + angle / _TURN_SPEED
        stop = ("stopL", _STOP_TOOL)
        rises = bool(goal.position[2] - start.tool[2] > 0.5 * distance)
        return Command("moveL", goal.rotvec, speed, acceleration, stop, ideal, force_limit, rises)

    def presses(self, start: Reading, free: FloatArray) -> bool:
        """Whether it goes on into what pushes back at its start."""
        way, push = self.goal[:3] - start.tool[:3], (start.force - free)[:3]
        return float(way @ push) < -_SQUARE * float(np.linalg.norm(way) * np.linalg.norm(push))

    def ended(self, reading: Reading) -> bool:
        """Whether the controller's trajectory has come to rest at the goal."""
        if not _rests(reading):
            return False
        return not self._miss(reading.target_joints, reading.target_tool)

    def reached(self, reading: Reading) -> bool:
        """Whether the arm itself is there."""
        return not self._miss(reading.joints, reading.tool)

    def missed_by(self, reading: Reading) -> str:
        """How far the arm is off, in words."""
        return self._miss(reading.joints, reading.tool)

    def _miss(self, joints: FloatArray, tool: FloatArray) -> str:
        """By how much joints and tool pose are off the goal; "" within the tolerance."""
        if self.method == "moveJ":
            error = float(np.abs(self.goal - joints).max())
            return f"{np.degrees(error):.2f}°" if error > _JOINT_TOLERANCE else ""
        distance, angle = apart(Pose.from_rotvec(self.goal), Pose.from_rotvec(tool))
        off = distance > _POSITION_TOLERANCE or angle > _ANGLE_TOLERANCE
        return f"{distance * 1000:.1f} mm and {np.degrees(angle):.2f}°" if off else ""


class Move:
    """Runs one command from ``start`` on ``link``; ``cancel`` stops it from another thread.

    free: what the force sensor read before this contact, 6, N and Nm; zero: at the start, when
    nothing was touched. A move that begins pressed against what ended the one before may go away
    from it, with friction on top of the pressure, and press on by _SPARE_FORCE where it begins
    above its limit already.
    """

    def __init__(
        self,
        link: UrLink,
        start: Reading,
        command: Command,
        cancel: threading.Event,
        free: FloatArray,
        zero: FloatArray,
    ) -> None:
        self._link, self._command, self._cancel = link, command, cancel
        self._reading, self._free, self._zero = start, free, zero
        self._limit = self._limit_from(self._force(start))
        self._allowed = _SPARE_FACTOR * command.ideal + _SPARE_TIME
        self._spent, self._held, self._peak_force = 0.0, 0.0, 0.0

    def _limit_from(self, begun: float) -> float:
        """The force that ends it, N, of one that begins with ``begun``."""
        limit = self._command.force_limit
        spare = _SPARE_FORCE if begun > limit else 0.0
        if not self._command.presses(self._reading, self._free):
            spare = max(spare, min(_FRICTION * begun, _MOST_FRICTION))
        return max(limit, begun + spare)

    def run(self) -> MoveResult:
        """Move until it ends; the arm stands still whichever way it does."""
        try:
            self._start()
            while self._under_way():
                time.sleep(_POLL)
                self._see()
                if self._peak_force > self._limit:
                    self._halt()
                    return self._result(MoveEnd.CONTACT)
            self._arrive()
        except KeyboardInterrupt:
            self._halt()
            raise
        return self._result(MoveEnd.REACHED)

    def _start(self) -> None:
        command = self._command
        goal = command.goal.tolist()
        if not self._link.call(command.method, goal, command.speed, command.acceleration, True):
            # A safety stop, say, may show in the stream of states a little later than in the call.
            deadline = time.monotonic() + _REASON_TIMEOUT
            while time.monotonic() < deadline:
                self._see()
                time.sleep(_POLL)
            sentence = f"the controller did not accept {command.method}"
            raise VpgError(ErrorCode.MOTION_REJECTED, sentence)
        # A simulated clock may have run on a long way while the command was being taken.
        self._reading = self._link.read()

    def _under_way(self) -> bool:
        if self._command.ended(self._reading):
            return False
        if self._spent > self._allowed:
            raise self._late(f"did not end within {self._allowed:.1f} s at full speed")
        if self._held > _HELD:
            slider = f"{self._reading.speed_fraction * 100:.0f} %"
            raise self._late(f"waited {_HELD:g} s with the speed slider at {slider}; raise it")
        return True

    def _late(self, what: str) -> VpgError:
        self._halt()
        sentence = f"{self._command.method} {what}; the arm was stopped"
        return VpgError(ErrorCode.MOTION_TIMEOUT, sentence)

    def _see(self) -> None:
        """Take in the newest reading; raises what has ended the motion from outside."""
        reading = self._link.read()
        passed = reading.stamp - self._reading.stamp
        self._spent += passed * reading.speed_fraction
        self._held = self._held + passed if reading.speed_fraction < _SLOWEST else 0.0
        self._peak_force = max(self._peak_force, self._force(reading))
        self._reading = reading
        self._link.check_motion(reading)
        if self._cancel.is_set():
            self._halt()
            raise VpgError(ErrorCode.CANCELLED, "the move was cancelled and the arm stopped")

    def _force(self, reading: Reading) -> float:
        """Of what is touched, N; on the way up the end of a contact, back to zero, is none."""
        force = _size(reading.force - self._free)
        return min(force, _size(reading.force - self._zero)) if self._command.rises else force

    def _halt(self) -> None:
        self._reading = halt(self._link, self._command.stop)

    def _arrive(self) -> None:
        """Wait for the arm to settle at its goal."""
        deadline = self._reading.stamp + _SETTLE
        while True:
            self._see()
            if self._command.reached(self._reading):
                return
            if self._reading.stamp > deadline:
                distance = self._command.missed_by(self._reading)
                sentence = f"{self._command.method} ended {distance} off its goal"
                raise VpgError(ErrorCode.MOTION_BLOCKED, f"{sentence}; something holds the arm")
            time.sleep(_POLL)

    @property
    def touches(self) -> bool:
        """Whether it has ended pressed against something."""
        return self._force(self._reading) > _TOUCH

    def _result(self, end: MoveEnd) -> MoveResult:
        return MoveResult(end, Pose.from_rotvec(self._reading.tool), self._peak_force)


def halt(link: UrLink, stop: tuple[str, float] = ("stopJ", _STOP_JOINTS)) -> Reading:
    """Stop the arm and wait for standstill; raises MOTION_TIMEOUT when it does not come."""
    link.call(*stop, True)
    reading = earlier = link.read()
    deadline = reading.stamp + STOP_TIMEOUT
    while not _stands(reading, earlier):
        if reading.stamp > earlier.stamp + _TREMBLING_TIME:
            earlier = reading
        link.end_held_program(reading)
        link.check_safety(reading)
        if reading.stamp > deadline:
            raise VpgError(
                ErrorCode.MOTION_TIMEOUT, f"the arm did not stop within {STOP_TIMEOUT:g} s"
            )
        time.sleep(_POLL)
        reading = link.read()
    link.end_held_program(reading)
    return reading


def _stands(reading: Reading, earlier: Reading) -> bool:
    """Whether the arm is at rest, or only trembles about where it was ``earlier``."""
    if reading.fastest_joint <= STILL:
        return True
    if reading.stamp <= earlier.stamp + _TREMBLING_TIME or not _rests(reading):
        return False
    return float(np.abs(reading.joints - earlier.joints).max()) < _TREMBLING


def _size(wrench: FloatArray) -> float:
    return float(np.linalg.norm(wrench[:3]))


def _rests(reading: Reading) -> bool:
    """Whether the controller's trajectory has come to rest."""
    return float(np.abs(reading.target_velocities).max()) <= STILL


def apart(first: Pose, second: Pose) -> tuple[float, float]:
    """Distance (m) and angle (rad) between two poses."""
    distance = float(np.linalg.norm(np.subtract(first.position, second.position)))
    turn = Rotation.from_quat(first.quaternion).inv() * Rotation.from_quat(second.quaternion)
    return distance, float(turn.magnitude())
