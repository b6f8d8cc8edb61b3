"""Parameters of motion_node. What keeps people and cell safe has no default."""

from dataclasses import dataclass

import numpy as np

from vpg_ros.devices import grippers
from vpg_ros.devices.kinematics import MODELS, Kinematics, kinematics
from vpg_ros.devices.safety import Limits, SafetyGate
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.nodes.parameters import parameter


@dataclass(frozen=True)
class Parameters:
    """What motion_node must be told: no bound has a default."""

    robot_ip: str = parameter("address of the robot's controller")
    box_min: tuple[float, ...] = parameter(
        "lowest corner of the box the tool may be in, x y z in m", name="limits.box_min"
    )
    box_max: tuple[float, ...] = parameter(
        "highest corner of the box the tool may be in, x y z in m", name="limits.box_max"
    )
    table_z: float = parameter(
        "height of the table; nothing of the arm goes below it, m", name="limits.table_z"
    )
    joint_limit: tuple[float, ...] = parameter(
        "largest angle of each of the six joints, rad", name="limits.joint_limit"
    )
    joint_speed: float = parameter("rad/s", name="limits.joint_speed", low=0.01, high=3.2)
    joint_acceleration: float = parameter(
        "rad/s²", name="limits.joint_acceleration", low=0.01, high=40.0
    )
    tool_speed: float = parameter("m/s", name="limits.tool_speed", low=0.001, high=3.0)
    tool_acceleration: float = parameter(
        "m/s²", name="limits.tool_acceleration", low=0.001, high=150.0
    )
    tool_force: float = parameter(
        "largest force limit that a step may ask for, N",
        name="limits.tool_force",
        low=1.0,
        high=250.0,
    )
    gripper_width: float = parameter("m", name="limits.gripper_width", low=0.001, high=0.3)
    gripper_force: float = parameter("N", name="limits.gripper_force", low=1.0, high=250.0)
    home: tuple[float, ...] = parameter(
        "joint angles out of the camera's view, with the tool above the bin, rad"
    )
    robot_model: str = parameter("arm", "ur5", choices=MODELS)
    gripper: str = parameter("gripper", "rg2", choices=grippers.NAMES)
    payload: float = parameter("mass of gripper and object, kg", 0.78, low=0.0, high=16.0)
    link_timeout: float = parameter(
        "s of wall time that the controller's clock may stand still", 0.5, low=0.1, high=30.0
    )
    connect_timeout: float = parameter(
        "longest wait for the controller at the start, s", 20.0, low=0.0, high=600.0
    )
    return_objects: bool = parameter(
        "put what is picked back on the table, at a random place, instead of into the bin", False
    )
    seed: int = parameter("seed of the places where objects are put back", 0, low=0)
    dry_run: bool = parameter("check every motion, move nothing", False)
    joint_states: bool = parameter("publish joint_states", True)
    park_on_stop: bool = parameter("take the arm home when the node is stopped", True)

    @property
    def limits(self) -> Limits:
        """The bounds that every Motion is checked against."""
        _require_length("limits.box_min", self.box_min, 3)
        _require_length("limits.box_max", self.box_max, 3)
        return Limits(
            box_min=(self.box_min[0], self.box_min[1], self.box_min[2]),
            box_max=(self.box_max[0], self.box_max[1], self.box_max[2]),
            table_z=self.table_z,
            joint_limit=self.joint_limit,
            joint_speed=self.joint_speed,
            joint_acceleration=self.joint_acceleration,
            tool_speed=self.tool_speed,
            tool_acceleration=self.tool_acceleration,
            tool_force=self.tool_force,
            gripper_width=self.gripper_width,
            gripper_force=self.gripper_force,
        )

    @property
    def kinematics(self) -> Kinematics:
        """The arm's, with the gripper's fingertips as its tool."""
        return kinematics(self.robot_model, grippers.get(self.gripper).tool)

    @property
    def gate(self) -> SafetyGate:
        """The gate that every Motion passes."""
        _require_length("home", self.home, 6)
        return SafetyGate(self.limits, self.kinematics, np.array(self.home))


def _require_length(name: str, values: tuple[float, ...], length: int) -> None:
    """Raise PARAMETER_INVALID unless ``values`` has ``length`` entries."""
    if len(values) != length:
        sentence = f"parameter {name} of motion_node has {len(values)} values; it needs {length}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence)
