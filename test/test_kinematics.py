"""Kinematics against the maker's published tables and against itself."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpg_ros.devices.kinematics import HOME_JOINTS, MODELS, UR5, kinematics
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, Pose, half_turn, tool_down

# m above the table up to which the UR5 reaches every pixel at every yaw (0.296 m at the two far
# corners): what stands there may be 160 mm tall, a push coming down to it from 130 mm above.
REACH = 0.29
angle = st.floats(-3.1, 3.1)
FLANGE = kinematics("ur5", Pose((0.0, 0.0, 0.0)))


def test_zero_configuration_is_the_stretched_arm() -> None:
    """At zero the UR5 lies stretched along −x: x = a2 + a3, y = −d4 − d6, z = d1 − d5."""
    position = FLANGE.forward(np.zeros(6)).position
    assert position == pytest.approx((-0.81725, -0.19145, -0.005491), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.lists(angle, min_size=6, max_size=6))
def test_every_configuration_is_among_its_own_solutions(joints: list[float]) -> None:
    q = np.array(joints)
    if abs(np.sin(q[4])) < 0.1 or abs(np.sin(q[2])) < 0.1:  # singular: infinitely many solutions
        return
    pose = UR5.forward(q)
    solutions = UR5.solutions(pose, q)
    assert min(np.abs(solution - q).max() for solution in solutions) < 1e-5
    for solution in solutions:
        assert UR5.forward(solution).matrix == pytest.approx(pose.matrix, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, 223), st.floats(0, 223), st.floats(0.004, REACH), st.floats(-np.pi / 2, np.pi / 2)
)
def test_whole_workspace_is_reached_elbow_up_without_large_turns(
    row: float, column: float, z: float, yaw: float
) -> None:
    x, y = DEFAULT_WORKSPACE.to_metres(row, column)
    joints = UR5.inverse(tool_down(x, y, z, yaw), HOME_JOINTS)
    assert UR5.forward(joints).matrix == pytest.approx(tool_down(x, y, z, yaw).matrix, abs=1e-6)
    assert np.abs(joints - HOME_JOINTS).max() < np.pi
    assert UR5.links(joints)[1][2, 3] > 0.1  # the elbow stays well above the table


@pytest.mark.parametrize("x", [1.2, -3.0])
def test_out_of_reach_is_refused_with_the_pose(x: float) -> None:
    with pytest.raises(VpgError, match=f"cannot reach .{x:.3f}") as caught:
        UR5.inverse(tool_down(x, 0.0, 0.1, 0.0), HOME_JOINTS)
    assert caught.value.code is ErrorCode.POSE_UNREACHABLE


def test_a_turn_within_the_limits_is_found_where_the_nearest_is_beyond() -> None:
    narrow = replace(UR5, joint_limit=(6.28,) * 5 + (3.3,))
    for yaw in np.linspace(-np.pi, np.pi, 60):
        joints = narrow.inverse(tool_down(-0.5, 0.0, 0.2, float(yaw)), HOME_JOINTS)
        assert abs(joints[5]) <= 3.3


@pytest.mark.parametrize("joint", [2, 4])
def test_singular_solutions_are_passed_over(joint: int) -> None:
    """A stretched elbow and parallel wrist axes, whatever else reaches the pose."""
    joints = HOME_JOINTS.copy()
    joints[joint] = 0.01
    pose = UR5.forward(joints)
    assert any(abs(np.sin(each[joint])) < 0.02 for each in UR5.solutions(pose, joints))
    try:
        assert abs(np.sin(UR5.inverse(pose, joints)[joint])) > 0.02
    except VpgError as error:
        assert error.code is ErrorCode.POSE_UNREACHABLE


def test_poses_beside_the_base_s_axis_are_refused() -> None:
    """As near as the wrist can be, where moving on takes ever faster turns of the base."""
    with pytest.raises(VpgError, match="cannot reach"):
        UR5.inverse(tool_down(-0.11, 0.0, 0.3, 0.0), HOME_JOINTS)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_inverts(model: str) -> None:
    arm = kinematics(model)
    q = np.array([0.3, -1.4, 1.5, -1.6, -1.5, 0.2])
    assert arm.inverse(arm.forward(q), q) == pytest.approx(q, abs=1e-6)


def test_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(VpgError, match="robot_model is 'ur7'; allowed: ur3, ur5"):
        kinematics("ur7")


@given(st.floats(-20, 20))
def test_half_turn_keeps_the_axis(value: float) -> None:
    reduced = half_turn(value)
    assert -np.pi / 2 <= reduced < np.pi / 2
    assert np.cos(2 * reduced) == pytest.approx(np.cos(2 * value), abs=1e-6)
