"""The results of the offline experiment: one file, its tables and its picture."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib as mpl

from vpg_ros.atomic import write_atomically
from vpg_ros.learning.figures import Run
from vpg_ros.learning.offline.estimates import ranked
from vpg_ros.learning.offline.synergy import synergy
from vpg_ros.learning.tables import markdown_table

mpl.use("Agg")
import matplotlib.pyplot as plt

Content = Mapping[str, Any]
_COLUMNS = (
    *("data", "size", "algorithm", "seeds", "behaviour's grasps", "grasps, random"),
    *("completion, random", "completion, challenging", "picks only", "synergy", "p", "minutes"),
)
_CREDIT = ("data", "size", "algorithm", "pushes", "its value", "best grasp before", "after")


def write(cells: Sequence[Content], out: Path) -> str:
    """Write results.json, results.md and results.png to ``out``; returns the Markdown."""
    rows, ranks = summary(cells), rankings(cells)
    text = markdown(rows) + _ranks(ranks)
    content = {
        "rows": rows,
        "rankings": ranks,
        "cells": [{k: v for k, v in c.items() if k != "runs"} for c in cells],
    }
    write_atomically(out / "results.json", (json.dumps(content, indent=2) + "\n").encode())
    write_atomically(out / "results.md", text.encode())
    picture(rows, out / "results.png")
    return text


def summary(cells: Sequence[Content]) -> list[dict[str, Any]]:
    """A row for each data set, size and algorithm: means over its seeds, plain JSON types.

    Synergy pools the tables of all seeds.
    """
    ordered = sorted(cells, key=_key)
    return [_row(list(group)) for _, group in groupby(ordered, _key)]


def rankings(cells: Sequence[Content]) -> list[dict[str, Any]]:
    """How well off-policy evaluation ranks all policies of a data set and size; JSON types."""

    def key(cell: Content) -> tuple[str, int]:
        return cell["dataset"], cell["size"]

    estimated = sorted((cell for cell in cells if cell["estimates"]), key=key)
    return [
        {"dataset": kind, "size": size, **ranked([cell["estimates"] for cell in group])}
        for (kind, size), group in groupby(estimated, key)
    ]


def _ranks(found: Sequence[Content]) -> str:
    """The table of rankings, empty without any."""
    columns = ("data", "size", "method", "policies", "Spearman", "regret")
    lines = [
        [row["dataset"], str(row["size"]), method, str(each["policies"]), _rho(each), regret]
        for row in found
        for method, each in row.items()
        if isinstance(each, dict) and (regret := f"{each['regret']:.2f}")
    ]
    if not lines:
        return ""
    return f"\nOff-policy evaluation against simulation.\n\n{markdown_table(columns, lines)}"


def _rho(each: Content) -> str:
    return "–" if each["spearman"] is None else f"{each['spearman']:+.2f}"


def _key(cell: Content) -> tuple[str, int, str]:
    return cell["dataset"], cell["size"], cell["algorithm"]


def _row(cells: Sequence[Content]) -> dict[str, Any]:
    first = cells[0]
    return {
        **{name: first[name] for name in ("dataset", "size", "algorithm")},
        "seeds": len(cells),
        **{
            name: _mean(cell[name] for cell in cells)
            for name in ("behaviour_grasp_success", "training_seconds")
        },
        **{
            scenes: {name: _mean(cell[scenes][name] for cell in cells) for name in first[scenes]}
            for scenes in ("random", "challenging", "credit")
        },
        "synergy": asdict(synergy(_pooled(cells, "all"), _pooled(cells, "picks"))),
    }


def _mean(values: Iterable[float | None]) -> float | None:
    """Of what is known."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return fmean(known) if known else None


def _pooled(cells: Sequence[Content], choice: str) -> list[Run]:
    """The runs of all seeds, each a case of its own."""
    return [
        Run(**{**run, "case": f"{run['case']}, training {cell['seed']}"})
        for cell in cells
        for run in cell["runs"][choice]
    ]


def markdown(rows: Sequence[Content]) -> str:
    """The table of figures, shares in %, and that of credit, values in [0, 1]."""
    figures = markdown_table(_COLUMNS, [_figures(row) for row in rows])
    credit = markdown_table(_CREDIT, [_credit(row) for row in rows])
    return (
        f"Shares in %, failed runs included.\n\n{figures}\nPushes that opened a grasp.\n\n{credit}"
    )


def _figures(row: Content) -> list[str]:
    shared = row["synergy"]
    minutes = row["training_seconds"] / 60
    return [
        *(row["dataset"], str(row["size"]), row["algorithm"], str(row["seeds"])),
        _percent(row["behaviour_grasp_success"]),
        _percent(row["random"]["grasp_success"]),
        _percent(row["random"]["completion"]),
        _percent(shared["completion"]),
        _percent(shared["picks_only"]),
        f"{100 * shared['difference']:+.1f}",
        f"{shared['p_value']:.2g}",
        f"{minutes:.1f}",
    ]


def _credit(row: Content) -> list[str]:
    credit = row["credit"]
    values = (credit[name] for name in ("push", "pick_before", "pick_after"))
    shown = ("–" if value is None else f"{value:.2f}" for value in values)
    pushes = f"{credit['pushes'] or 0:.0f}"
    return [row["dataset"], str(row["size"]), row["algorithm"], pushes, *shown]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def picture(rows: Sequence[Content], path: Path) -> None:
    """Grasp success on random clutter as bars, that of who acted as a line over each."""
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    labels = [f"{row['algorithm']}\n{row['dataset']}, {row['size']}" for row in rows]
    places = range(len(rows))
    axes.bar(places, [100 * (row["random"]["grasp_success"] or 0) for row in rows], 0.7)
    behaviour = [100 * row["behaviour_grasp_success"] for row in rows]
    axes.scatter(places, behaviour, marker="_", s=400, color="black", label="behaviour")
    axes.set_xticks(places, labels, fontsize=7, rotation=60, ha="right")
    axes.set(ylabel="grasp success, random clutter, %", ylim=(0, 100))
    axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)
