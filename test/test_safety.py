"""The safety gate refuses every Motion that breaks a bound, and says which."""

from dataclasses import replace

import numpy as np
import pytest

from vpg_ros import primitives
from vpg_ros.devices.kinematics import HOME_JOINTS, UR5
from vpg_ros.devices.safety import Limits, SafetyGate
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import GripperMove, JointMove, LinearMove, Motion, Step

LIMITS = Limits(
    box_min=(-0.80, -0.40, 0.0),
    box_max=(-0.10, 0.60, 0.70),
    table_z=0.0,
    joint_limit=(6.28,) * 6,
    joint_speed=3.2,
    joint_acceleration=12.0,
    tool_speed=0.5,
    tool_acceleration=2.0,
    tool_force=100.0,
    gripper_width=0.110,
    gripper_force=40.0,
)
GATE = SafetyGate(LIMITS, UR5, HOME_JOINTS)
INSIDE = tool_down(-0.5, 0.0, 0.1, 0.0)


def refusal(step: Step, gate: SafetyGate = GATE) -> VpgError:
    with pytest.raises(VpgError) as caught:
        gate.check(Motion("test", (step,), ()), HOME_JOINTS)
    return caught.value


@pytest.mark.parametrize(
    ("step", "code", "words"),
    [
        (JointMove("go", tool_down(-0.9, 0, 0.1, 0)), ErrorCode.OUTSIDE_WORKSPACE, "-0.900"),
        (LinearMove("go", tool_down(-0.5, 0, -0.01, 0)), ErrorCode.BELOW_TABLE, "z = -0.010 m"),
        (JointMove("go", INSIDE, speed=9.0), ErrorCode.MOTION_REJECTED, "joint speed"),
        (LinearMove("go", INSIDE, speed=0.6), ErrorCode.MOTION_REJECTED, "allowed: 0 … 0.5"),
        (LinearMove("go", INSIDE, force_limit=150), ErrorCode.MOTION_REJECTED, "tool force"),
        (GripperMove("go", 0.2), ErrorCode.MOTION_REJECTED, "gripper width"),
        (GripperMove("go", 0.05, force=99), ErrorCode.MOTION_REJECTED, "gripper force"),
    ],
)
def test_broken_bound_is_named(step: Step, code: ErrorCode, words: str) -> None:
    error = refusal(step)
    assert error.code is code
    assert "step 'go'" in error.message and words in error.message


def test_joint_limit_is_named() -> None:
    tight = replace(LIMITS, joint_limit=(6.28, 6.28, 0.5, 6.28, 6.28, 6.28))
    error = refusal(JointMove("go", INSIDE), SafetyGate(tight, UR5, HOME_JOINTS))
    assert error.code is ErrorCode.JOINT_LIMIT
    assert "joint 3" in error.message and "±0.50 rad" in error.message


def test_a_straight_line_is_checked_in_its_middle() -> None:
    """Both ends lie in the box; the line between them leaves it."""
    low = replace(LIMITS, box_min=(-0.80, -0.40, 0.0), box_max=(-0.40, 0.60, 0.70))
    gate = SafetyGate(low, UR5, UR5.inverse(tool_down(-0.45, -0.3, 0.1, 0.0), HOME_JOINTS))
    beyond = Motion("test", (LinearMove("go", tool_down(-0.35, 0.2, 0.1, 0.0)),), ())
    with pytest.raises(VpgError, match="outside the workspace box"):
        gate.check(beyond, gate.home)


def test_retreat_is_checked_too() -> None:
    motion = Motion("test", (), (JointMove("back", tool_down(-0.5, 0.0, 0.9, 0.0)),))
    with pytest.raises(VpgError, match="step 'back'"):
        GATE.check(motion, HOME_JOINTS)


@pytest.mark.parametrize("name", primitives.names())
@pytest.mark.parametrize("corner", [(0, 0), (0, 223), (223, 0), (223, 223), (112, 112)])
def test_primitives_pass_all_over_the_workspace(name: str, corner: tuple[int, int]) -> None:
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    height[corner] = 0.05
    colour = np.zeros((*DEFAULT_WORKSPACE.shape, 3), np.uint8)
    heightmap = Heightmap(colour, height, DEFAULT_WORKSPACE)
    primitive = primitives.get(name)
    for rotation in range(primitive.rotations):
        action = primitive.action(*corner, rotation, heightmap)
        GATE.check(primitive.motion(action, heightmap), HOME_JOINTS)


def test_an_empty_box_is_refused() -> None:
    with pytest.raises(VpgError, match="is empty"):
        replace(LIMITS, box_min=(0.0, 0.0, 0.0), box_max=(0.0, 1.0, 1.0))
