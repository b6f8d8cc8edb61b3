"""Parameters of motion_node. What keeps people and cell safe has no default."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from vpg_ros.devices import grippers
from vpg_ros.devices.collision import CollisionModel, KeepOut
from vpg_ros.devices.description import expand
from vpg_ros.devices.digital_output import BANKS, NONE, Wiring
from vpg_ros.devices.gripper_data import GripperData
from vpg_ros.devices.kinematics import (
    MAX_JOINT_ACCELERATION,
    MAX_JOINT_SPEED,
    MAX_PAYLOAD,
    MAX_TOOL_ACCELERATION,
    MAX_TOOL_SPEED,
    MODELS,
    Kinematics,
    kinematics,
)
from vpg_ros.devices.safety import Limits, SafetyGate
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import DEFAULT_WORKSPACE, Pose, tool_down
from vpg_ros.motion import Carry, HomeMove, Motion
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
    joint_speed: float = parameter(
        "largest speed of a joint, rad/s", name="limits.joint_speed", low=0.01, high=MAX_JOINT_SPEED
    )
    joint_acceleration: float = parameter(
        "largest acceleration of a joint on moves in joint space, rad/s²",
        name="limits.joint_acceleration",
        low=0.01,
        high=MAX_JOINT_ACCELERATION,
    )
    tool_speed: float = parameter(
        "largest speed of the tool, whatever the move, m/s",
        name="limits.tool_speed",
        low=0.001,
        high=MAX_TOOL_SPEED,
    )
    tool_acceleration: float = parameter(
        "largest acceleration of the tool on a straight line, m/s²",
        name="limits.tool_acceleration",
        low=0.001,
        high=MAX_TOOL_ACCELERATION,
    )
    tool_force: float = parameter(
        "largest force limit that a straight move may ask for, N",
        name="limits.tool_force",
        low=1.0,
        high=250.0,
    )
    gripper_width: float = parameter(
        "widest that the gripper may open, m", name="limits.gripper_width", low=0.001, high=0.3
    )
    gripper_force: float = parameter(
        "largest force that the gripper may close with, N",
        name="limits.gripper_force",
        low=1.0,
        high=250.0,
    )
    home: tuple[float, ...] = parameter(
        "joint angles out of the camera's view, with the tool above the bin, rad"
    )
    bin_position: tuple[float, ...] = parameter(
        "where the tool lets go of what was picked, x y z in m, above a bin", name="bin"
    )
    keep_out: tuple[str, ...] = parameter(
        "boxes that nothing of the arm may enter: a name, the lowest and the highest corner in m, "
        "such as 'mast -1.0 -0.1 0.0 -0.9 0.1 1.0'; one 'none' where there are none"
    )
    speed_scale: float = parameter(
        "share of its speeds that every motion is carried out with", 1.0, low=0.01, high=1.0
    )
    robot_model: str = parameter("model of the arm", "ur5", choices=MODELS)
    gripper: str = parameter(
        "model of the gripper, and how it is reached", "rg2", choices=grippers.NAMES
    )
    tool_length: float = parameter(
        "m from the flange to the fingertips; 0: the gripper's own without an adapter",
        0.0,
        low=0.0,
        high=0.6,
    )
    compute_box: str = parameter(
        "gripper rg2_modbus: address of the Compute Box; '' for robot_ip", "", name="compute_box.ip"
    )
    compute_box_port: int = parameter(
        "gripper rg2_modbus: Modbus port of the Compute Box",
        grippers.MODBUS_PORT,
        name="compute_box.port",
        low=1,
        high=65535,
    )
    bank: str = parameter(
        "gripper digital_output: bank of its signals",
        "standard",
        name="digital_output.bank",
        choices=BANKS,
    )
    close_output: int = parameter(
        "gripper digital_output: output that closes it while on",
        0,
        name="digital_output.close_output",
        low=0,
        high=7,
    )
    open_output: int = parameter(
        "gripper digital_output: output that is on while it is to be open; -1: none",
        NONE,
        name="digital_output.open_output",
        low=NONE,
        high=7,
    )
    closed_input: int = parameter(
        "gripper digital_output: input that is on when it has closed on nothing; -1: none",
        NONE,
        name="digital_output.closed_input",
        low=NONE,
        high=7,
    )
    travel_time: float = parameter(
        "gripper digital_output: s that its fingers take to open or close",
        0.5,
        name="digital_output.travel_time",
        low=0.0,
        high=10.0,
    )
    payload: float = parameter("mass of gripper and object, kg", 0.78, low=0.0, high=MAX_PAYLOAD)
    payload_cog: tuple[float, ...] = parameter(
        "centre of gravity of gripper and object in the flange's frame, x y z in m",
        (0.0, 0.0, 0.05),
    )
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
        """The bounds that every Motion is checked against.

        What a gripper cannot do is a bound too. Primitives open wide for clearance only: narrower
        things can be grasped all the same, and a descent that meets something wider stops there.
        So a wider opening is lowered to the stroke, which is told, rather than refused; primitives
        that cannot do with less are refused before (``check_abilities``). A force
        below the gripper's least raises PARAMETER_INVALID: it would refuse to move in every goal.
        """
        data = self.gripper_data
        require(
            self.gripper_force >= data.min_force,
            f"parameter limits.gripper_force of motion_node is {self.gripper_force:g} N; allowed: "
            f"at least {data.min_force:g} N, the least that {self.gripper} can be told",
        )
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
            gripper_width=min(self.gripper_width, data.stroke),
            gripper_force=min(self.gripper_force, data.max_force),
            least_gripper_force=data.min_force,
        )

    @property
    def centre_of_gravity(self) -> tuple[float, ...]:
        """Of the payload, in the flange's frame, m."""
        _require_length("payload_cog", self.payload_cog, 3)
        return self.payload_cog

    @property
    def kinematics(self) -> Kinematics:
        """The arm's, with the gripper's fingertips as its tool and the joints' own limits."""
        _require_length("limits.joint_limit", self.joint_limit, 6)
        model = kinematics(self.robot_model, self.gripper_data.tool)
        return replace(model, joint_limit=self.joint_limit)

    @property
    def gripper_data(self) -> GripperData:
        """The gripper's, with the length that was given."""
        data = grippers.get(self.gripper).data
        return replace(data, length=self.tool_length) if self.tool_length else data

    @property
    def gripper_settings(self) -> grippers.Settings:
        """Where the gripper is reached; raises PARAMETER_INVALID for wrong signals."""
        wiring = Wiring(
            self.bank, self.close_output, self.open_output, self.closed_input, self.travel_time
        )
        return grippers.Settings(
            self.robot_ip,
            self.compute_box,
            self.compute_box_port,
            wiring,
            patience=max(self.link_timeout, grippers.PATIENCE),
        )

    @property
    def gate(self) -> SafetyGate:
        """The gate that every Motion passes; raises PARAMETER_INVALID for a wrong home or bin."""
        _require_length("home", self.home, 6)
        space = CollisionModel(
            self._description, self.table_z, self._boxes, self.limits.gripper_width
        )
        home = np.array(self.home)
        gate = SafetyGate(self.limits, self.kinematics, home, space, self.speed_scale)
        with _blaming("home"):
            gate.check_home()
        with _blaming("bin"):
            to_bin = (Carry("carry", self.bin_pose), HomeMove("home"))
            gate.check(Motion("bin", to_bin, ()), home)
        return gate

    @property
    def bin_pose(self) -> Pose:
        """Tool pose above the bin, in the base frame."""
        _require_length("bin", self.bin_position, 3)
        x, y, z = self.bin_position
        return tool_down(x, y, z, 0.0)

    @property
    def _description(self) -> str:
        """URDF of the arm with its gripper."""
        length = self.kinematics.tool.position[2]
        return expand(
            robot=True,
            cell=False,
            frames=True,
            workspace=DEFAULT_WORKSPACE,
            model=self.robot_model,
            gripper=self.gripper,
            tool_length=length,
        )

    @property
    def _boxes(self) -> list[KeepOut]:
        return [] if self.keep_out == ("none",) else [_keep_out(text) for text in self.keep_out]


def _keep_out(text: str) -> KeepOut:
    """The box that ``text`` stands for; raises PARAMETER_INVALID naming it."""
    name, *numbers = text.split() or [""]
    try:
        x, y, z, x_high, y_high, z_high = (float(number) for number in numbers)
    except ValueError:
        sentence = (
            f"parameter keep_out of motion_node has {text!r}; allowed: a name and six numbers in "
            "m, x y z of the lowest and of the highest corner, or 'none' alone"
        )
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from None
    return KeepOut(name, (x, y, z), (x_high, y_high, z_high))


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Have what the gate refuses be told as PARAMETER_INVALID of the parameter ``name``."""
    try:
        yield
    except VpgError as error:
        raise VpgError(ErrorCode.PARAMETER_INVALID, f"{name}: {error.message}") from None


def _require_length(name: str, values: tuple[float, ...], length: int) -> None:
    """Raise PARAMETER_INVALID unless ``values`` has ``length`` entries."""
    if len(values) != length:
        sentence = f"parameter {name} of motion_node has {len(values)} values; it needs {length}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence)
