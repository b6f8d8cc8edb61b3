"""Poses and the workspace: pixel ↔ metre and frame ↔ frame, there and back."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, Pose, Workspace, look_at, tool_down

lengths = st.floats(-5, 5)
angles = st.floats(-3.1, 3.1)
vectors = st.tuples(lengths, lengths, lengths).map(np.array)
directions = vectors.filter(lambda vector: np.linalg.norm(vector) > 0.1)


@st.composite
def poses(draw: st.DrawFn) -> Pose:
    turn = Rotation.from_euler("xyz", draw(st.tuples(angles, angles, angles)))
    x, y, z, w = turn.as_quat()
    return Pose(draw(st.tuples(lengths, lengths, lengths)), (x, y, z, w))


workspaces = st.builds(
    Workspace,
    origin_x=lengths,
    origin_y=lengths,
    table_z=st.floats(-1, 1),
    resolution=st.sampled_from([0.001, 0.002, 0.004, 0.01]),
    rows=st.integers(1, 300),
    columns=st.integers(1, 300),
)


def assert_same(one: Pose, other: Pose, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(one.matrix, other.matrix, atol=tolerance)


@given(workspace=workspaces, data=st.data())
def test_a_pixels_centre_lies_in_that_pixel(workspace: Workspace, data: st.DataObject) -> None:
    row = data.draw(st.integers(0, workspace.rows - 1))
    column = data.draw(st.integers(0, workspace.columns - 1))
    x, y = workspace.to_metres(row, column)
    assert workspace.to_pixel(x, y) == (row, column)
    assert workspace.contains(x, y)


@given(workspace=workspaces, x=lengths, y=lengths)
def test_a_point_lies_within_half_a_pixel_of_its_pixels_centre(
    workspace: Workspace, x: float, y: float
) -> None:
    centre_x, centre_y = workspace.to_metres(*workspace.to_pixel(x, y))
    half = workspace.resolution / 2 + 1e-9
    assert abs(centre_x - x) <= half and abs(centre_y - y) <= half


@given(workspace=workspaces, points=st.lists(st.tuples(lengths, lengths), min_size=1, max_size=20))
def test_many_points_are_converted_as_each_one(
    workspace: Workspace, points: list[tuple[float, float]]
) -> None:
    expected = [workspace.to_pixel(x, y) for x, y in points]
    assert [tuple(pixel) for pixel in workspace.to_pixels(np.array(points)).tolist()] == expected


@given(workspace=workspaces, x=st.floats(-10, 10), y=st.floats(-10, 10))
def test_contains_agrees_with_the_extent(workspace: Workspace, x: float, y: float) -> None:
    side = workspace.resolution
    right, top = workspace.columns * side, workspace.rows * side
    inside_x, inside_y = x - workspace.origin_x, y - workspace.origin_y
    for value, end in ((inside_x, right), (inside_y, top)):
        assume(abs(value) > 1e-9 and abs(value - end) > 1e-9)
    assert workspace.contains(x, y) == (0 < inside_x < right and 0 < inside_y < top)


@given(workspace=workspaces)
def test_the_centre_is_half_way_between_the_corners(workspace: Workspace) -> None:
    first = np.array(workspace.to_metres(0, 0))
    last = np.array(workspace.to_metres(workspace.rows - 1, workspace.columns - 1))
    np.testing.assert_allclose((first + last) / 2, workspace.centre, atol=1e-9)


def test_columns_run_along_x_and_rows_along_y() -> None:
    workspace = DEFAULT_WORKSPACE
    assert workspace.to_pixel(-0.7235, -0.2235) == (0, 0)
    assert workspace.to_pixel(-0.2765, -0.2235) == (0, 223)
    assert workspace.to_pixel(-0.7235, 0.2235) == (223, 0)
    assert workspace.centre == pytest.approx((-0.5, 0.0))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"resolution": 0.0}, "resolution"),
        ({"resolution": -0.002}, "resolution"),
        ({"rows": 0}, "rows"),
        ({"columns": -3}, "columns"),
    ],
)
def test_a_senseless_workspace_is_refused(change: dict[str, float], named: str) -> None:
    fields = {**vars(DEFAULT_WORKSPACE), **change}
    with pytest.raises(VpgError, match=named) as error:
        Workspace(**fields)
    assert error.value.code == ErrorCode.PARAMETER_INVALID


@given(pose=poses())
def test_a_pose_survives_its_matrix(pose: Pose) -> None:
    assert_same(Pose.from_matrix(pose.matrix), pose)


@given(pose=poses())
def test_a_pose_survives_the_axis_angle_vector(pose: Pose) -> None:
    assert pose.rotvec.shape == (6,)
    assert_same(Pose.from_rotvec(pose.rotvec), pose)


@given(pose=poses())
def test_the_matrix_is_a_rigid_transform(pose: Pose) -> None:
    rotation = pose.matrix[:3, :3]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    np.testing.assert_array_equal(pose.matrix[3], [0, 0, 0, 1])


@given(pose=poses())
def test_a_pose_and_its_inverse_cancel(pose: Pose) -> None:
    identity = Pose((0.0, 0.0, 0.0))
    assert_same(pose @ pose.inverse(), identity)
    assert_same(pose.inverse() @ pose, identity)


@given(first=poses(), second=poses(), third=poses())
def test_composition_is_associative(first: Pose, second: Pose, third: Pose) -> None:
    assert_same((first @ second) @ third, first @ (second @ third), 1e-8)


@given(pose=poses(), step=vectors)
def test_translated_moves_along_the_base_axes(pose: Pose, step: np.ndarray) -> None:
    moved = pose.translated(*step)
    np.testing.assert_allclose(np.array(moved.position) - pose.position, step, atol=1e-9)
    assert moved.quaternion == pose.quaternion


@given(x=lengths, y=lengths, z=lengths, yaw=angles)
def test_the_tool_points_down_and_closes_along_yaw(
    x: float, y: float, z: float, yaw: float
) -> None:
    pose = tool_down(x, y, z, yaw)
    assert pose.position == (x, y, z)
    np.testing.assert_allclose(pose.matrix[:3, 2], [0, 0, -1], atol=1e-9)
    np.testing.assert_allclose(pose.matrix[:3, 0], [np.cos(yaw), np.sin(yaw), 0], atol=1e-9)


@given(eye=vectors, towards=directions, up=directions)
def test_a_camera_sees_its_target_ahead_and_up_above(
    eye: np.ndarray, towards: np.ndarray, up: np.ndarray
) -> None:
    towards = towards / np.linalg.norm(towards)
    up = up / np.linalg.norm(up)
    assume(np.linalg.norm(np.cross(towards, up)) > 0.05)
    pose = look_at(eye, eye + 2 * towards, up)
    in_camera = pose.inverse().matrix
    target = in_camera @ [*(eye + 2 * towards), 1]
    np.testing.assert_allclose(target[:3], [0, 0, 2], atol=1e-6)
    above = in_camera[:3, :3] @ up
    assert above[0] == pytest.approx(0, abs=1e-6) and above[1] < 0
    assert np.linalg.det(pose.matrix[:3, :3]) == pytest.approx(1.0)
