"""Arm and gripper as motion_node's parameters name them."""

import threading
import time
from dataclasses import dataclass

from vpg_ros.devices import grippers
from vpg_ros.devices.interfaces import RemoteGripper
from vpg_ros.devices.ur import URArm
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.nodes.motion_parameters import Parameters

_RETRY = 0.2  # s between two attempts to reach the controller
# Of a controller that boots: it may also close a link that is being made.
_TRANSIENT = frozenset(
    {ErrorCode.ARM_UNREACHABLE, ErrorCode.ARM_LINK_LOST, ErrorCode.GRIPPER_NO_ANSWER}
)


@dataclass(frozen=True)
class Devices:
    """What motion_node moves; both None in a dry run."""

    arm: URArm | None = None
    gripper: RemoteGripper | None = None

    def close(self) -> None:
        """Disconnect."""
        if self.gripper is not None:
            self.gripper.close()
        if self.arm is not None:
            self.arm.disconnect()


def connect(parameters: Parameters, stop: threading.Event) -> Devices:
    """Connect to the controller, which may take ``connect_timeout`` s to come up.

    Raises ARM_UNREACHABLE, ARM_LINK_LOST or GRIPPER_NO_ANSWER at the deadline, or when ``stop`` is
    set.
    """
    if parameters.dry_run:
        return Devices()
    deadline = time.monotonic() + parameters.connect_timeout
    while True:
        try:
            return _connect_once(parameters)
        except VpgError as error:
            if error.code not in _TRANSIENT or time.monotonic() > deadline or stop.wait(_RETRY):
                raise


def connect_arm(parameters: Parameters) -> URArm:
    """The arm alone, at once; see :class:`vpg_ros.devices.ur.URArm` for what it raises."""
    return URArm(
        parameters.robot_ip,
        parameters.kinematics,
        parameters.payload,
        parameters.centre_of_gravity,
        link_timeout=parameters.link_timeout,
    )


def _connect_once(parameters: Parameters) -> Devices:
    """The arm first: it is what a wrong address is noticed by."""
    arm = connect_arm(parameters)
    try:
        settings = parameters.gripper_settings
        return Devices(arm, grippers.get(parameters.gripper).connect(settings))
    except VpgError:
        arm.disconnect()
        raise
