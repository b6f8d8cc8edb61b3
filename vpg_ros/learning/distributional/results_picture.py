"""The picture of the study: what is learned, accidents, calibration, and what a decision takes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from vpg_ros.learning.distributional.calibration import LEVELS
from vpg_ros.learning.distributional.matrix import MEASURES
from vpg_ros.learning.distributional.results_rows import Content
from vpg_ros.learning.tables import write_picture

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

AIM = 1.2  # times the scalar head's time that a decision is to take at most


def picture(content: Content, path: Path) -> None:
    """A panel for each part of the study that there is."""
    parts = (
        ("standard", _draw_learned),
        ("risk", _draw_accidents),
        ("calibration", _draw_calibration),
        ("decision", _draw_decision),
    )
    there = [(draw, content[name]) for name, draw in parts if content[name]]
    count = max(1, len(there))
    figure, axes = plt.subplots(
        1, count, figsize=(5 * count, 4), layout="constrained", squeeze=False
    )
    for panel, (draw, rows) in zip(axes[0], there, strict=False):
        draw(panel, rows)
    write_picture(figure, path, dpi=100)
    plt.close(figure)


def _draw_learned(axes: Any, rows: Sequence[Content]) -> None:
    """Of the last hundred grasps of trainings, with intervals where there are several."""
    values = np.array([row["last_100"]["value"] for row in rows])
    reach = [[_reach(row["last_100"], end) for row in rows] for end in ("low", "high")]
    axes.bar([row["head"] for row in rows], values, 0.6, yerr=reach, capsize=2)
    axes.set(ylabel="success of the last 100 grasps", ylim=(0, 1))


def _reach(interval: Content, end: str) -> float:
    """How far an end of an interval is from its value; NaN, which is not drawn, without one."""
    return math.nan if interval[end] is None else abs(interval[end] - interval["value"])


def _draw_calibration(axes: Any, rows: Sequence[Content]) -> None:
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    for row in rows:
        label = f"{row['head']}, {row['scenes']}"
        axes.plot(LEVELS, row["observed"], marker="o", markersize=3, label=label)
    axes.set(xlabel="quantile level", ylabel="share of outcomes below it", xlim=(0, 1), ylim=(0, 1))
    axes.legend(fontsize=8)


def _draw_decision(axes: Any, rows: Sequence[Content]) -> None:
    names = [f"{row['head']}, {row['risk']}" for row in rows]
    axes.barh(names[::-1], [row["ratio"] for row in rows][::-1], 0.6)
    for ratio, style in ((1.0, "solid"), (AIM, "dashed")):
        axes.axvline(ratio, color="grey", linewidth=0.8, linestyle=style)
    axes.set(xlabel="time of a decision, of the scalar head's")


def _draw_accidents(axes: Any, rows: Sequence[Content]) -> None:
    places = np.arange(len(rows))
    for shift, risk in zip((-0.2, 0.2), MEASURES, strict=True):
        found = [row[risk]["accidents"] for row in rows]
        values = np.array([each["value"] for each in found])
        reach = [[_reach(each, end) for each in found] for end in ("low", "high")]
        axes.bar(places + shift, values, 0.4, yerr=reach, capsize=2, label=risk)
    axes.set_xticks(places, [f"{row['family']}\n{row['head']}" for row in rows], fontsize=7)
    axes.set(ylabel="accidents a table")
    axes.legend()
