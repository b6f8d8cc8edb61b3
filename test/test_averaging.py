"""Averages over cells: map, tensor, single place and mask tell of the same cells."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vpg_ros.policy.averaging import averaged, averaged_tensor, needed, spread, window

ROWS, COLUMNS = 11, 14
windows = st.tuples(*(st.sampled_from([1, 3, 5, 7]),) * 2)


def test_a_pick_is_averaged_over_less_along_its_fingers_way() -> None:
    assert (window("grasp", 7), window("push", 7)) == ((7, 5), (7, 7))
    assert window("grasp", 1) == window("push", 1) == (1, 1)


@given(windows, st.integers(0, ROWS - 1), st.integers(0, COLUMNS - 1), st.integers(0, 99))
def test_all_ways_agree(cells: tuple[int, int], row: int, column: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((2, 3, ROWS, COLUMNS), dtype=np.float32)
    means = averaged(values, cells)
    tensor = averaged_tensor(torch.from_numpy(values), cells)
    assert tensor.numpy() == pytest.approx(means, abs=1e-6)
    at = np.array([[row], [column]])
    (rows, columns), weights = spread(at, np.ones(1), cells, (ROWS, COLUMNS))
    assert weights.sum() == pytest.approx(1)
    found = (values[1, 2, rows, columns] * weights).sum()
    assert found == pytest.approx(means[1, 2, row, column], abs=1e-6)
    mask = np.zeros((ROWS, COLUMNS), np.bool_)
    mask[row, column] = True
    assert set(zip(rows, columns, strict=True)) == set(
        zip(*np.nonzero(needed(mask, cells)), strict=True)
    )
