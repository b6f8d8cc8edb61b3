"""A robot without physics: joints follow at once, fingers move at a finite speed."""

from collections.abc import Iterable

import numpy as np

from vpg_ros.devices.gripper_data import RG2
from vpg_ros.devices.kinematics import HOME_JOINTS
from vpg_ros.geometry import FloatArray
from vpg_ros.sim.controller.link import CYCLE, RobotCommand, RobotState

FINGER_SPEED = 0.11  # m/s between the fingertips


class IdealRobot:
    """Takes the world's place when the controller runs alone.

    object_width: m of the object that stops the closing fingers; 0 where there is none. stroke: m
    between the fingertips, at first.
    """

    def __init__(
        self,
        object_width: float = 0.0,
        stroke: float = RG2.stroke,
        joints: Iterable[float] = HOME_JOINTS,
    ) -> None:
        self._object_width = object_width
        start: FloatArray = np.array(list(joints), dtype=float)
        self.state = RobotState(0.0, start, np.zeros(6), np.zeros(6), stroke)

    def obey(self, command: RobotCommand) -> RobotState:
        """The state one control cycle later."""
        before = self.state
        step = FINGER_SPEED * CYCLE
        width = before.gripper_width
        width += float(np.clip(command.gripper_width - width, -step, step))
        closing = command.gripper_width < before.gripper_width
        blocked = closing and width <= self._object_width <= before.gripper_width
        self.state = RobotState(
            time=before.time + CYCLE,
            joints=command.joints,
            velocities=(command.joints - before.joints) / CYCLE,
            wrench=np.zeros(6),
            gripper_width=self._object_width if blocked else width,
        )
        return self.state
