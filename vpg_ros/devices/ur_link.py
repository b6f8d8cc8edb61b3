"""The connection to a UR controller through the ``ur_rtde`` library, and what keeps it safe.

The library has habits that a driver must fence in:

- Its control interface can hang and can crash its process, so it lives in a process of its own
  (:mod:`vpg_ros.devices.ur_control`), which is killed when the link is lost or closed. All that is
  read comes from the receive interface, in this process.
- The receive interface's constructor holds Python's global lock and may wait for ever, so whether
  the controller sends data is tried first. Its destructor sleeps with the lock held, so it is never
  run.
"""

import contextlib
import ctypes
import socket
import threading
import time
from typing import Any, NoReturn

import numpy as np
from rtde_receive import RTDEReceiveInterface

from vpg_ros.devices import dashboard, rtde_probe, ur_control
from vpg_ros.devices.child import ChildProcess
from vpg_ros.devices.ur_hold import Hold
from vpg_ros.devices.ur_reading import ROBOT_RUNNING, Reading
from vpg_ros.devices.ur_recovery import end_program
from vpg_ros.errors import ErrorCode, VpgError

RTDE_PORT, DASHBOARD_PORT, SCRIPT_PORT = rtde_probe.PORT, dashboard.PORT, 30003
_VARIABLES = [
    *("timestamp", "actual_q", "actual_qd", "actual_TCP_pose", "actual_TCP_force"),
    *("target_q", "target_qd", "target_TCP_pose", "target_speed_fraction"),
    *("robot_mode", "runtime_state", "safety_status_bits"),
]
_PORT_TIMEOUT = 2.0  # s for a controller to answer on one port, on RTDE's with a sample
# s of wall time for one command to be taken: longer than the 3 s after which the library itself
# says that the control program is not ready for one.
_CALL_TIMEOUT = 4.0
_WATCH = 0.02  # s between two looks at the connection
_NEWS = 0.05  # s, on both clocks, that a sample may be on its way
_SILENCE = 1.0  # s without a sign of life after which the controller stops the arm by itself


class UrLink:
    """One connection to one controller; once lost or closed it stays so.

    robot_ip: address of the controller. timeout: s of wall time the controller's clock may stand
    still before the link counts as lost. hold: hears of all that is read. Raises ARM_UNREACHABLE
    when there is no controller, and the safety errors when the robot cannot be used.
    """

    def __init__(self, robot_ip: str, timeout: float, hold: Hold) -> None:
        self._robot_ip, self._timeout, self._hold = robot_ip, timeout, hold
        self._lost, self._calling = "", threading.Lock()
        self._owed = False  # whether the control process has an answer to give
        self._stamp, self._stamp_seen = -1.0, time.monotonic()
        self._control: ChildProcess | None = None
        hold.watch(False)
        _probe(robot_ip)
        self._receive = _receive_interface(robot_ip)
        try:
            self.check_safety(self.read())
            self._control = ChildProcess(ur_control.__file__, robot_ip)
            answer = self._answer("the connection", ur_control.CONNECT_TIMEOUT)
            self._check_accepted(answer)
            threading.Thread(target=self._watch, name="ur-link", daemon=True).start()
            self._watch_over()
        except VpgError:
            self._give_up("it was never made")
            raise
        self._hold.watch(True)

    @property
    def alive(self) -> bool:
        """Whether the link can still be used."""
        return not self._lost

    def read(self) -> Reading:
        """The newest sample; raises ARM_LINK_LOST when the link is down or silent."""
        self._check_connection()
        reading, now = self._sample(), time.monotonic()
        if reading.stamp != self._stamp:
            self._stamp, self._stamp_seen = reading.stamp, now
        elif now - self._stamp_seen > self._timeout:
            self._lose(f"its clock has stood still for {now - self._stamp_seen:.1f} s")
        self._hold.see(reading)
        return reading

    def _sample(self) -> Reading:
        receive = self._receive
        return Reading(
            stamp=receive.getTimestamp(),
            joints=np.array(receive.getActualQ()),
            velocities=np.array(receive.getActualQd()),
            tool=np.array(receive.getActualTCPPose()),
            force=np.array(receive.getActualTCPForce()),
            target_joints=np.array(receive.getTargetQ()),
            target_velocities=np.array(receive.getTargetQd()),
            target_tool=np.array(receive.getTargetTCPPose()),
            speed_fraction=receive.getTargetSpeedFraction(),
            robot_mode=receive.getRobotMode(),
            runtime_state=receive.getRuntimeState(),
            safety_bits=receive.getSafetyStatusBits(),
        )

    def check_safety(self, reading: Reading) -> None:
        """Raise EMERGENCY_STOP or PROTECTIVE_STOP if the robot is in one, or is not powered.

        A safeguard stop counts as a protective one.
        """
        robot = f"the robot at {self._robot_ip}"
        if (stop := reading.stop) is not None:
            raise VpgError(stop.code, f"{robot} is in {stop.name}: {stop.advice}")
        if reading.robot_mode != ROBOT_RUNNING:
            raise VpgError(
                ErrorCode.MOTION_REJECTED,
                f"{robot} is not ready to move (robot mode {reading.robot_mode}): power the arm "
                "on and release its brakes",
            )

    def check_motion(self, reading: Reading) -> None:
        """Raise what ``check_safety`` and ``check_program`` do, of a motion that is under way.

        A program that is held would go on with the motion, by itself after a safeguard stop, so it
        is ended; so is one that plays although another thread has seen what holds the arm back.
        """
        left = self.end_held_program(reading)
        try:
            self.check_safety(reading)
            self.check_program(reading)
        except VpgError as error:
            if reading.program_running and not reading.held:
                left = end_program(self._robot_ip)
            raise VpgError(error.code, error.message + left) from None

    def check_program(self, reading: Reading) -> None:
        """Raise what holds the arm back until a recovery; see :class:`.ur_hold.Hold`.

        Raises what ``check_safety`` does if it comes out that a safety stop ended the program.
        """
        while not (self._hold.refusal or reading.program_running):
            time.sleep(_WATCH)
            reading = self.read()
            self.check_safety(reading)
        if self._hold.refusal is not None:
            raise VpgError(self._hold.refusal.code, self._hold.refusal.message)

    def end_held_program(self, reading: Reading) -> str:
        """End the program if something holds it; see :func:`.ur_recovery.end_program`."""
        return end_program(self._robot_ip) if reading.held else ""

    def wait_until_safe(self, timeout: float) -> None:
        """Wait until no stop is read; raises what ``check_safety`` does after ``timeout`` s."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self.check_safety(self.read())
            except VpgError:
                if not self.alive or time.monotonic() > deadline:
                    raise
            time.sleep(_WATCH)

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the control interface; its result.

        Raises ARM_LINK_LOST when the controller does not take it in time, MOTION_REJECTED when the
        library refuses it.
        """
        with self._calling:
            self._check_connection()
            assert self._control is not None
            if self._owed:  # Ctrl-C came while a command was being taken
                self._answer("the command before", _CALL_TIMEOUT)
            self._owed = True
            self._control.request(method, arguments)
            answer = self._answer(f"command {method}", _CALL_TIMEOUT)
            self._owed = False
        if "error" in answer:
            raise VpgError(
                ErrorCode.MOTION_REJECTED, f"{method} was rejected: {answer['error'].strip()}"
            )
        return answer["result"]

    def set(self, method: str, *arguments: Any) -> None:
        """Call a method that must succeed; raises MOTION_REJECTED when it says that it has not."""
        if not self.call(method, *arguments):
            raise VpgError(
                ErrorCode.MOTION_REJECTED, f"the robot at {self._robot_ip} did not accept {method}"
            )

    def wait_for_news(self) -> None:
        """Wait until what is read is newer than the calls made so far."""
        wall, stamp = time.monotonic() + _NEWS, self.read().stamp + _NEWS
        while time.monotonic() < wall or self.read().stamp < stamp:
            time.sleep(_WATCH)

    def close(self) -> None:
        """End the control program and disconnect; nothing happens if the link is lost already."""
        if self.alive:
            self._hold.watch(False)
            with contextlib.suppress(VpgError):
                self.call("stopScript")
            self._give_up("it was closed")

    def _watch_over(self) -> None:
        """Have the controller stop the arm by itself when this process goes silent, or is frozen.

        ``_watch`` gives the signs of life, some fifty in the time that the controller waits.
        """
        self.set("setWatchdog", 1.0 / _SILENCE)

    def _answer(self, what: str, timeout: float) -> dict[str, Any]:
        """The control process's next answer."""
        assert self._control is not None
        deadline = time.monotonic() + timeout
        while (answer := self._control.answer(_WATCH)) is None:
            self._check_connection()
            if time.monotonic() > deadline:
                self._lose(f"it did not take {what} within {timeout:g} s")
        if "broken" in answer:
            self._lose("its control process has ended")
        return answer

    def _check_connection(self) -> None:
        if self._lost:
            raise self._lost_error()
        if not self._receive.isConnected():
            self._lose("it closed the connection")

    def _lose(self, reason: str) -> NoReturn:
        """Give the link up and raise ARM_LINK_LOST."""
        self._give_up(reason)
        raise self._lost_error()

    def _give_up(self, reason: str) -> None:
        """Drop both ends, at once; the first reason counts."""
        if not self._lost:
            self._lost = reason
            self._hold.watch(False)
            if self._control is not None:
                self._control.kill()
            # It waits for an answer that may never come.
            threading.Thread(target=self._receive.disconnect, daemon=True).start()

    def _check_accepted(self, answer: dict[str, Any]) -> None:
        """Raise why the control interface could not be made, a safety stop before all else."""
        if "error" in answer:
            self.check_safety(self.read())
            raise VpgError(
                ErrorCode.ARM_UNREACHABLE,
                f"the robot at {self._robot_ip} refuses remote control: {answer['error'].strip()}",
            )

    def _lost_error(self) -> VpgError:
        return VpgError(
            ErrorCode.ARM_LINK_LOST,
            f"the link to the robot at {self._robot_ip} is lost: {self._lost}",
        )

    def _watch(self) -> None:
        """Notice a stop, or a lost connection, while nobody uses the link.

        Callers are told when they do. Gives the signs of life as well: it runs as long as this
        process runs Python at all.
        """
        assert self._control is not None
        with contextlib.suppress(VpgError):
            while self.alive:
                self._check_connection()
                self._hold.see(self._sample())
                self._control.beat()
                time.sleep(_WATCH)


def _receive_interface(robot_ip: str) -> RTDEReceiveInterface:
    try:
        receive = RTDEReceiveInterface(robot_ip, variables=_VARIABLES)
    except (RuntimeError, ValueError) as error:
        raise VpgError(
            ErrorCode.ARM_UNREACHABLE,
            f"the robot at {robot_ip} sends no data: {str(error).strip()}",
        ) from None
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(receive))
    return receive


def _probe(robot_ip: str) -> None:
    """Raise ARM_UNREACHABLE unless a controller answers at ``robot_ip`` and sends data."""
    port = RTDE_PORT
    try:
        rtde_probe.probe(robot_ip, _PORT_TIMEOUT)
        for port in (DASHBOARD_PORT, SCRIPT_PORT):
            socket.create_connection((robot_ip, port), _PORT_TIMEOUT).close()
    except OSError as error:
        raise VpgError(
            ErrorCode.ARM_UNREACHABLE,
            f"no UR controller answers at robot_ip {robot_ip}, port {port}: "
            f"{error.strerror or error}",
        ) from None
