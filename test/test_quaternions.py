"""Rotations against SciPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vpg_ros import quaternions

components = st.floats(-1, 1)
unit_quaternions = (
    st.tuples(components, components, components, components)
    .filter(lambda q: np.linalg.norm(q) > 0.05)
    .map(lambda q: tuple(np.array(q) / np.linalg.norm(q)))
)
HALF_TURNS = [(1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0)]


@given(unit_quaternions)
def test_matrix_is_scipys(q: quaternions.Quaternion) -> None:
    expected = Rotation.from_quat(q).as_matrix()
    np.testing.assert_allclose(quaternions.to_matrix(q), expected, atol=1e-12)


@given(unit_quaternions)
def test_matrix_and_back(q: quaternions.Quaternion) -> None:
    back = np.array(quaternions.from_matrix(quaternions.to_matrix(q)))
    assert abs(back @ np.array(q)) == pytest.approx(1.0, abs=1e-12)


@given(unit_quaternions)
def test_rotation_vector_is_scipys(q: quaternions.Quaternion) -> None:
    vector = quaternions.to_rotvec(q)
    assert np.linalg.norm(vector) <= np.pi + 1e-12
    back = Rotation.from_rotvec(vector).as_matrix()
    np.testing.assert_allclose(back, Rotation.from_quat(q).as_matrix(), atol=1e-9)


@given(st.tuples(*[st.floats(-3, 3)] * 3))
def test_rotation_vector_to_quaternion_is_scipys(vector: tuple[float, float, float]) -> None:
    q = quaternions.from_rotvec(np.array(vector))
    expected = Rotation.from_rotvec(vector).as_matrix()
    np.testing.assert_allclose(quaternions.to_matrix(q), expected, atol=1e-12)


@pytest.mark.parametrize("q", [(0.0, 0.0, 0.0, 1.0), *HALF_TURNS])
def test_special_turns(q: quaternions.Quaternion) -> None:
    assert quaternions.from_matrix(quaternions.to_matrix(q)) == pytest.approx(q)
    assert quaternions.from_rotvec(quaternions.to_rotvec(q)) == pytest.approx(q, abs=1e-12)
