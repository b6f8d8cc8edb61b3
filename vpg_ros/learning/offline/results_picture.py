"""The results of the offline experiment as one picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from vpg_ros.learning.offline.results_tables import label
from vpg_ros.learning.tables import write_picture

mpl.use("Agg")
import matplotlib.pyplot as plt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Content = Mapping[str, Any]
_ROW = 0.32  # inch: height of a policy's line
_BEHAVIOUR, _DATA, _BEFORE, _AFTER = "black", "tab:red", "tab:gray", "tab:blue"


def picture(rows: Sequence[Content], path: Path) -> None:
    """A line for each policy: grasps in clutter, what pushes add, what credit they are given."""
    height = 1.6 + _ROW * len(rows)
    figure, panels = plt.subplots(1, 3, figsize=(12, height), sharey=True, layout="constrained")
    for panel, draw in zip(panels, (_grasps, _synergy, _credit), strict=True):
        draw(panel, rows)
        panel.grid(axis="x", alpha=0.3)
        panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    panels[0].set_yticks(range(len(rows)), [_name(row) for row in rows])
    panels[0].invert_yaxis()
    write_picture(figure, path, dpi=120)
    plt.close(figure)


def _name(row: Content) -> str:
    return f"{row['dataset']}, {row['size']}: {label(row)}" if row["dataset"] else label(row)


def _grasps(axes: "Axes", rows: Sequence[Content]) -> None:
    """Grasp success in clutter as bars, that of who acted in the data, and in the data, as marks.

    The bars and who acted are of the same tables, the data of others.
    """
    axes.barh(range(len(rows)), [_percent(row["random"]["grasp_success"]) for row in rows], 0.6)
    acted = [row.get("behaviour", {}).get("grasp_success") for row in rows]
    _marks(axes, acted, _BEHAVIOUR, "behaviour policy")
    _marks(axes, [row["behaviour_grasp_success"] for row in rows], _DATA, "in the data")
    axes.set(xlabel="grasps that succeed, random clutter, %", xlim=(0, 100))


def _marks(axes: "Axes", shares: Sequence[float | None], colour: str, name: str) -> None:
    """A mark on the line of each row whose share is known."""
    known = [(i, share) for i, share in enumerate(shares) if share is not None]
    values, places = [_percent(share) for _, share in known], [i for i, _ in known]
    axes.scatter(values, places, marker="|", s=150, color=colour, label=name, zorder=3)


def _synergy(axes: "Axes", rows: Sequence[Content]) -> None:
    """Completion of the challenging cases without pushes and with them."""
    without = [_percent(row["synergy"]["picks_only"]) for row in rows]
    free = [_percent(row["synergy"]["completion"]) for row in rows]
    _pairs(axes, range(len(rows)), without, free, ("picks only", "with pushes"))
    axes.set(xlabel="challenging cases completed, %", xlim=(-3, 103))


def _credit(axes: "Axes", rows: Sequence[Content]) -> None:
    """Of pushes that opened a grasp: their value, and that of the best grasp before and after."""
    known = [(i, row["credit"]) for i, row in enumerate(rows) if row.get("credit", {}).get("push")]
    places = [i for i, _ in known]
    before, after, push = (
        [credit[name] for _, credit in known] for name in ("pick_before", "pick_after", "push")
    )
    _pairs(axes, places, before, after, ("best grasp before", "after"))
    axes.scatter(push, places, marker="D", color="tab:orange", label="the push", zorder=3)
    others = [(i, each["other_push"]) for i, each in known if each["other_push"] is not None]
    axes.scatter(
        [value for _, value in others],
        [i for i, _ in others],
        marker="D",
        facecolors="white",
        edgecolors="tab:orange",
        label="other pushes",
        zorder=3,
    )
    axes.set(xlabel="value where a push opened a grasp", xlim=(-0.03, 1.03))


def _pairs(
    axes: "Axes",
    places: Sequence[int],
    before: Sequence[float],
    after: Sequence[float],
    names: tuple[str, str],
) -> None:
    """Two dots on each line, joined."""
    axes.hlines(places, before, after, color=_BEFORE, alpha=0.5)
    axes.scatter(before, places, facecolors="white", edgecolors=_BEFORE, label=names[0], zorder=3)
    axes.scatter(after, places, color=_AFTER, label=names[1], zorder=3)


def _percent(share: float | None) -> float:
    return 100 * (share or 0.0)
