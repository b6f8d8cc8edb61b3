"""What a camera, an arm and a gripper are to the rest of the package.

Every call either does what it says or raises :class:`vpg_ros.errors.VpgError`; every call has a
deadline of its own, so none blocks for ever. ``stop`` may be called from another thread.
"""

import threading
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vpg_ros.frame import Frame
from vpg_ros.geometry import Pose


class MoveEnd(Enum):
    """Why a move ended without an error."""

    REACHED = "reached"
    CONTACT = "contact"  # the force limit was met and the arm stopped


@dataclass(frozen=True)
class MoveResult:
    """How a move ended, and what was really done.

    pose: tool pose at the end, base frame. peak_force: largest contact force seen, N.
    """

    end: MoveEnd
    pose: Pose
    peak_force: float


@dataclass(frozen=True)
class ArmState:
    """One reading of the arm.

    joints: 6 rad; velocities: 6 rad/s; tool: TCP pose in the base frame; force: norm of the contact
    force at the tool, N; stamp: controller time, s.
    """

    joints: NDArray[np.float64]
    velocities: NDArray[np.float64]
    tool: Pose
    force: float
    stamp: float


class Camera(Protocol):
    """A calibrated RGB-D camera."""

    def read(self) -> Frame:
        """The newest frame; raises CAMERA_TIMEOUT when none comes in time."""
        ...


class Arm(Protocol):
    """A six-axis arm that moves a tool."""

    def state(self) -> ArmState:
        """The newest state; raises ARM_LINK_LOST when it is stale."""
        ...

    def move_joints(
        self, joints: NDArray[np.float64], speed: float, acceleration: float
    ) -> MoveResult:
        """Move to six joint angles (rad) along a joint-space path (rad/s, rad/s²)."""
        ...

    def move_to(self, pose: Pose, speed: float, acceleration: float) -> MoveResult:
        """Joint-space move to a tool pose (nearest inverse-kinematics solution)."""
        ...

    def move_linear(
        self, pose: Pose, speed: float, acceleration: float, force_limit: float
    ) -> MoveResult:
        """Straight line to a tool pose (m/s, m/s²); ends with CONTACT above ``force_limit`` N."""
        ...

    def stop(self) -> None:
        """Decelerate to standstill now; a move in progress raises CANCELLED."""
        ...


class RemoteArm(Arm, Protocol):
    """An arm at the other end of a network, with a safety controller of its own."""

    def reconnect(self) -> None:
        """Make a lost link anew; raises ARM_UNREACHABLE, and why the robot cannot be used."""
        ...

    def check_ready(self) -> None:
        """Raise why no motion may begin: a safety stop, say, or a person who stopped the arm."""
        ...

    def unlock(self, interrupt: threading.Event) -> None:
        """End a protective stop and make the link anew.

        Raises what keeps the arm from moving nevertheless.
        """
        ...


class Gripper(Protocol):
    """A parallel gripper."""

    def move(self, width: float, force: float) -> float:
        """Open or close to ``width`` m with at most ``force`` N; returns the width reached, m."""
        ...

    def width(self) -> float:
        """Distance between the fingertips, m."""
        ...

    def is_holding(self) -> bool:
        """Whether the fingers were stopped by an object rather than by their target."""
        ...

    def stop(self) -> None:
        """End a move in progress where the fingers are; it raises CANCELLED."""
        ...


class RemoteGripper(Gripper, Protocol):
    """A gripper at the other end of a network."""

    def close(self) -> None:
        """Disconnect; the gripper stays as it is."""
        ...
