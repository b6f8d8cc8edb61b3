"""Pictures of value distributions."""

import numpy as np
import pytest

from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.viz.overlay import PAPER, TITLE_HEIGHT
from vpg_ros.viz.returns import BINS, histogram, returns_chart, risk_panel, rivals_panel


def table() -> Heightmap:
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    height[60:80, 100:140] = 0.05
    return Heightmap(np.full((*height.shape, 3), 120, np.uint8), height, DEFAULT_WORKSPACE)


def test_a_panel_has_the_heightmap_and_every_map() -> None:
    rows, columns = (size // 2 for size in DEFAULT_WORKSPACE.shape)
    mean = np.full((rows, columns), np.nan, np.float32)
    tail = mean.copy()
    mean[40, 60], tail[20, 30] = 0.9, 0.4
    panel = risk_panel(
        table(), {"mean": mean, "lower tail": tail, "spread": np.full_like(mean, np.nan)}
    )
    side = 2 * DEFAULT_WORKSPACE.columns
    assert panel.shape == (2 * DEFAULT_WORKSPACE.rows + TITLE_HEIGHT, 4 * side, 3)
    parts = [panel[TITLE_HEIGHT:, i * side : (i + 1) * side].astype(int) for i in range(4)]
    for part, (row, column) in ((parts[1], (40, 60)), (parts[2], (20, 30))):
        redness = part[..., 0] - part[..., 2]
        y, x = np.unravel_index(redness.argmax(), redness.shape)
        assert ((2 * DEFAULT_WORKSPACE.rows - 1 - y) // 4, x // 4) == (row, column)


def test_bars_hold_all_the_probability() -> None:
    shares = histogram([-0.2, 0.5, 0.5, 1.3], [0.1, 0.2, 0.3, 0.4])
    assert shares.sum() == pytest.approx(1)
    assert (shares[0], shares[BINS // 2], shares[-1]) == pytest.approx((0.1, 0.5, 0.4))


def test_likelier_returns_have_taller_bars() -> None:
    picture = returns_chart([0.1, 0.9], [0.25, 0.75])
    drawn = (picture != PAPER).any(axis=-1)
    width = picture.shape[1]
    left, right = drawn[:, : width // 4].sum(), drawn[:, -width // 4 :].sum()
    assert right > 2 * left > 0


def test_rivals_stand_side_by_side() -> None:
    returns = {"chosen": ([0.9], [1.0]), "runner-up": ([0.0, 1.0], [0.3, 0.7])}
    single = returns_chart([0.9], [1.0])
    panel = rivals_panel(returns)
    assert panel.shape == (single.shape[0] + TITLE_HEIGHT, 2 * single.shape[1], 3)
    assert (panel[TITLE_HEIGHT:, : single.shape[1]] == single).all()
