"""The picture of the study: accidents and calibration side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from vpg_ros.learning.distributional.calibration import LEVELS
from vpg_ros.learning.distributional.matrix import MEASURES
from vpg_ros.learning.distributional.results_rows import Content
from vpg_ros.learning.figures import Figure
from vpg_ros.learning.tables import write_picture

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np


def picture(content: Content, path: Path) -> None:
    """Accidents a table by the mean and with care, and calibration, side by side."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    _draw_accidents(left, content["risk"])
    right.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    for row in content["calibration"]:
        label = f"{row['head']}, {row['scenes']}"
        right.plot(LEVELS, row["observed"], marker="o", markersize=3, label=label)
    right.set(
        xlabel="quantile level", ylabel="share of outcomes below it", xlim=(0, 1), ylim=(0, 1)
    )
    if content["calibration"]:
        right.legend(fontsize=8)
    write_picture(figure, path, dpi=100)
    plt.close(figure)


def _draw_accidents(axes: Any, rows: Sequence[Content]) -> None:
    places = np.arange(len(rows))
    for shift, risk in zip((-0.2, 0.2), MEASURES, strict=True):
        found = [Figure(**row[risk]["accidents"]) for row in rows]
        values = np.array([each.value or 0.0 for each in found])
        reach = [
            values - [each.low or 0.0 for each in found],
            [each.high for each in found] - values,
        ]
        axes.bar(places + shift, values, 0.4, yerr=reach, capsize=2, label=risk)
    axes.set_xticks(places, [f"{row['family']}\n{row['head']}" for row in rows], fontsize=7)
    axes.set(ylabel="accidents a table")
    if rows:
        axes.legend()
