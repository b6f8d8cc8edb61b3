"""Pictures of value distributions."""

import runpy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from vpg_ros.action import Action
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.checkpoint import save
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import make_network
from vpg_ros.resources import resource
from vpg_ros.viz.overlay import PAPER, TITLE_HEIGHT, FloatMap
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


def test_the_tool_draws_mean_spread_and_tail_and_marks_both_actions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    weights, out = tmp_path / "weights.safetensors", tmp_path / "returns.png"
    save(weights, make_network(NetworkConfig.of_repertoire(head="categorical")))
    tool = runpy.run_path(resource("tools/draw_returns.py"))
    drawn: list[tuple[dict[str, FloatMap], dict[int, Action]]] = []

    def panel(heightmap: Heightmap, maps: dict[str, FloatMap], actions: dict[int, Action]) -> Any:
        drawn.append((maps, actions))
        return risk_panel(heightmap, maps, actions)

    monkeypatch.setitem(tool["main"].__globals__, "risk_panel", panel)
    arguments = ("--objects", "3", "--risk", "mean_std", "--alpha", "2", "--tail", "0.5")
    monkeypatch.setattr(
        "sys.argv", ["draw_returns", "--checkpoint", str(weights), "--out", str(out), *arguments]
    )
    assert tool["main"]() == 0
    assert cv2.imread(str(out)) is not None
    assert sorted(number for _, actions in drawn for number in actions) == [1, 2]
    for name, (maps, actions) in zip(("grasp", "push"), drawn, strict=True):
        mean, spread, tail = maps.values()
        assert list(maps) == [
            f"{name}, {what}" for what in ("mean", "spread", "mean of the worst 50%")
        ]
        # Of random weights: returns about evenly spread over 0 to 1.
        typical = [float(np.nanmedian(each)) for each in (mean, spread, tail)]
        assert typical == pytest.approx([0.5, 0.3, 0.25], abs=0.03)
        assert all(each.primitive == name for each in actions.values())
