"""The connection to a UR controller through the ``ur_rtde`` library, and what keeps it safe.

The library has habits that a driver must fence in:

- Its constructors hold Python's global lock and may wait for ever, so the ports are tried first.
- Its calls poll a state that goes stale when the link dies, for up to 300 s. One daemon thread, the
  keeper, makes all calls; callers wait for it with a deadline and leave it behind if they must.
- Its own reconnection crashes the process some 0.5 s after a connection was cut. The keeper looks
  every 20 ms, disconnects at once, and the objects are never used again.
- Its destructors sleep half a second with the global lock held, so they are never run.
- Its calls are not safe from two threads at once; they all run on the keeper.

Should the library one day run in a supervised child process, this class is what it would replace.
"""

import contextlib
import ctypes
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from rtde_control import RTDEControlInterface
from rtde_receive import RTDEReceiveInterface

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import FloatArray

RTDE_PORT, DASHBOARD_PORT, SCRIPT_PORT = 30004, 29999, 30003
_VARIABLES = [
    *("timestamp", "actual_q", "actual_qd", "actual_TCP_pose", "actual_TCP_force"),
    *("target_speed_fraction", "robot_mode", "runtime_state", "safety_status_bits"),
]
_ROBOT_RUNNING = 7  # robot_mode
_PLAYING = 2  # runtime_state
_PROTECTIVE_STOPPED, _EMERGENCY_STOPPED = 1 << 2, 1 << 7  # safety_status_bits
_CONNECT_TIMEOUT = 2.0  # s for each port
_CALL_TIMEOUT = 3.0  # s of wall time for one command to be taken
_PROGRAM_TIMEOUT = 5.0  # s for an uploaded program to start
_WATCH = 0.02  # s between the keeper's looks at the connection
_KICK = 0.1  # s between signs of life to the controller's watchdog
_SILENCE = 1.0  # s without a sign of life after which the controller stops the arm by itself
_CLOSE_TIMEOUT = 2.0  # s

_Interface = TypeVar("_Interface")


@dataclass(frozen=True)
class Reading:
    """One sample of the controller's state.

    stamp: controller time, s. joints: 6 rad. velocities: 6 rad/s. tool: 6-vector m, axis-angle rad.
    force: 6, N and Nm at the tool, base axes. speed_fraction: the speed slider, 0 … 1.
    """

    stamp: float
    joints: FloatArray
    velocities: FloatArray
    tool: FloatArray
    force: FloatArray
    speed_fraction: float
    robot_mode: int
    runtime_state: int
    safety_bits: int

    @property
    def program_running(self) -> bool:
        """Whether the control program plays."""
        return self.runtime_state == _PLAYING

    @property
    def fastest_joint(self) -> float:
        """Speed of the fastest joint, rad/s."""
        return float(np.abs(self.velocities).max())


class UrLink:
    """One connection to one controller; once lost or closed it stays so.

    robot_ip: address of the controller. timeout: s of wall time the controller's clock may stand
    still before the link counts as lost. Raises ARM_UNREACHABLE when there is no controller, and
    the safety errors when the robot cannot be used.
    """

    def __init__(self, robot_ip: str, timeout: float = 0.5) -> None:
        self._robot_ip, self._timeout = robot_ip, timeout
        _probe(robot_ip)
        self._receive = _constructed(
            robot_ip, lambda: RTDEReceiveInterface(robot_ip, variables=_VARIABLES)
        )
        self._lost = ""
        self._stamp, self._stamp_seen = -1.0, time.monotonic()
        try:
            self.check_safety(self.read())
            self._control = _constructed(robot_ip, lambda: RTDEControlInterface(robot_ip))
        except VpgError:
            _retire([self._receive])
            raise
        self._calls: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._keeper = threading.Thread(target=self._keep, name="ur-link", daemon=True)
        self._keeper.start()
        self._watch_over()

    @property
    def alive(self) -> bool:
        """Whether the link can still be used."""
        return not self._lost

    def read(self) -> Reading:
        """The newest sample; raises ARM_LINK_LOST when the link is down or silent."""
        receive = self._receive
        self._check_connection()
        stamp, now = receive.getTimestamp(), time.monotonic()
        if stamp != self._stamp:
            self._stamp, self._stamp_seen = stamp, now
        elif now - self._stamp_seen > self._timeout:
            self._lose(f"its clock has stood still for {now - self._stamp_seen:.1f} s")
        return Reading(
            stamp=stamp,
            joints=np.array(receive.getActualQ()),
            velocities=np.array(receive.getActualQd()),
            tool=np.array(receive.getActualTCPPose()),
            force=np.array(receive.getActualTCPForce()),
            speed_fraction=receive.getTargetSpeedFraction(),
            robot_mode=receive.getRobotMode(),
            runtime_state=receive.getRuntimeState(),
            safety_bits=receive.getSafetyStatusBits(),
        )

    def check_safety(self, reading: Reading) -> None:
        """Raise EMERGENCY_STOP or PROTECTIVE_STOP if the robot is in one, or is not powered."""
        robot = f"the robot at {self._robot_ip}"
        if reading.safety_bits & _EMERGENCY_STOPPED:
            raise VpgError(
                ErrorCode.EMERGENCY_STOP,
                f"{robot} is in emergency stop: release the button, then power the arm on and "
                "release its brakes",
            )
        if reading.safety_bits & _PROTECTIVE_STOPPED:
            raise VpgError(
                ErrorCode.PROTECTIVE_STOP,
                f"{robot} is in protective stop: clear the cause, then unlock it on the pendant",
            )
        if reading.robot_mode != _ROBOT_RUNNING:
            raise VpgError(
                ErrorCode.MOTION_REJECTED,
                f"{robot} is not ready to move (robot mode {reading.robot_mode}): power the arm "
                "on and release its brakes",
            )

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a method of the control interface; its result.

        Raises ARM_LINK_LOST when the controller does not take it in time.
        """
        self._check_connection()
        method = getattr(self._control, name)
        result: Future[Any] = Future()
        self._calls.put((lambda: method(*arguments), result))
        deadline = time.monotonic() + _CALL_TIMEOUT
        while True:
            try:
                return result.result(timeout=_WATCH)
            except TimeoutError:
                self._check_connection()
            if time.monotonic() > deadline:
                self._lose(f"it did not take command {name} within {_CALL_TIMEOUT:g} s")

    def operation(self) -> tuple[int, bool]:
        """Number of the newest asynchronous motion, and whether it is under way."""
        self._check_connection()
        status = self._control.getAsyncOperationProgressEx()
        return status.operationId(), status.isAsyncOperationRunning()

    def restart_program(self) -> None:
        """Upload the control program again, after it has ended or a safety stop."""
        self.call("reuploadScript")
        deadline = time.monotonic() + _PROGRAM_TIMEOUT
        while not self.read().program_running:
            if time.monotonic() > deadline:
                raise VpgError(
                    ErrorCode.MOTION_REJECTED,
                    f"the control program does not start on the robot at {self._robot_ip}",
                )
            time.sleep(0.01)
        self._watch_over()

    def close(self) -> None:
        """End the control program and disconnect; nothing happens if the link is lost already."""
        if self.alive:
            try:
                self.call("stopScript")
            except VpgError:
                return
            self._lost = "it was closed"
            done = _retire([self._control, self._receive])
            done.wait(_CLOSE_TIMEOUT)

    def _watch_over(self) -> None:
        """Have the controller stop the arm by itself when this process goes silent."""
        self.call("setWatchdog", 1.0 / _SILENCE)

    def _check_connection(self) -> None:
        if self._lost:
            raise self._lost_error()
        if not self._receive.isConnected():
            self._lose("it closed the connection")

    def _lose(self, reason: str) -> None:
        """Give the link up, at once, and raise ARM_LINK_LOST."""
        if not self._lost:
            self._lost = reason
            _retire([self._control, self._receive] if hasattr(self, "_control") else [])
        raise self._lost_error()

    def _lost_error(self) -> VpgError:
        return VpgError(
            ErrorCode.ARM_LINK_LOST,
            f"the link to the robot at {self._robot_ip} is lost: {self._lost}",
        )

    def _keep(self) -> None:
        """The keeper: make calls, watch the connection, give signs of life."""
        kick = time.monotonic()
        while self.alive:
            try:
                method, result = self._calls.get(timeout=_WATCH)
            except queue.Empty:
                self._watch()
            else:
                _fulfil(method, result)
            if time.monotonic() >= kick:
                kick = time.monotonic() + _KICK
                self._give_sign_of_life()

    def _watch(self) -> None:
        # Callers are told of a loss when they next use the link.
        with contextlib.suppress(VpgError):
            self._check_connection()

    def _give_sign_of_life(self) -> None:
        if self.alive and self._receive.getRuntimeState() == _PLAYING:
            self._control.kickWatchdog()


def _fulfil(method: Callable[[], Any], result: "Future[Any]") -> None:
    try:
        result.set_result(method())
    except Exception as error:  # noqa: BLE001 - whatever the library throws belongs to the caller
        result.set_exception(error)


def _constructed(robot_ip: str, construct: Callable[[], _Interface]) -> _Interface:
    try:
        return construct()
    except (RuntimeError, ValueError) as error:
        raise VpgError(
            ErrorCode.ARM_UNREACHABLE,
            f"the robot at {robot_ip} refuses remote control: {str(error).strip()}",
        ) from None


def _probe(robot_ip: str) -> None:
    """Raise ARM_UNREACHABLE unless a controller answers at ``robot_ip``."""
    for port in (RTDE_PORT, DASHBOARD_PORT, SCRIPT_PORT):
        try:
            with socket.create_connection((robot_ip, port), _CONNECT_TIMEOUT) as connection:
                if port == RTDE_PORT:
                    _negotiate(connection)
        except OSError as error:
            raise VpgError(
                ErrorCode.ARM_UNREACHABLE,
                f"no UR controller answers at robot_ip {robot_ip}, port {port}: "
                f"{error.strerror or error}",
            ) from None


def _negotiate(connection: socket.socket) -> None:
    """Ask for RTDE protocol version 2; raises OSError when there is no answer."""
    connection.settimeout(_CONNECT_TIMEOUT)
    connection.sendall(b"\x00\x05V\x00\x02")
    if connection.recv(4)[2:3] != b"V":
        raise OSError("it does not speak RTDE")


def _retire(interfaces: Sequence[Any]) -> threading.Event:
    """Disconnect in the background; the event is set when that is done.

    The objects are kept for ever: their destructors would block the whole process.
    """
    done = threading.Event()
    left = [*interfaces]
    for interface in interfaces:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(interface))

    def disconnect(interface: Any) -> None:
        interface.disconnect()
        left.remove(interface)
        if not left:
            done.set()

    for interface in interfaces:
        threading.Thread(target=disconnect, args=(interface,), daemon=True).start()
    return done
