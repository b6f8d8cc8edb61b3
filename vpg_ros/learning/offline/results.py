"""The results of the offline experiment: one file, its tables and its picture."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from vpg_ros.learning.comparison import completion_difference, completion_p
from vpg_ros.learning.figures import Run
from vpg_ros.learning.offline.estimates import ranked
from vpg_ros.learning.offline.results_picture import picture
from vpg_ros.learning.offline.results_tables import markdown
from vpg_ros.learning.offline.synergy import synergy
from vpg_ros.learning.tables import write_results

Content = Mapping[str, Any]
_AXES = ("dataset", "size", "algorithm", "variant")  # of a row, besides its seeds


def write(cells: Sequence[Content], out: Path, skipped: Sequence[tuple[str, str]] = ()) -> str:
    """Write results.json, results.md and results.png to ``out``; returns the Markdown.

    cells: that of the shipped weights, which is of no data set, and those of the matrix, of which
    some may have ``failed``. skipped: as of Matrix.
    """
    measured = [cell for cell in cells if "failed" not in cell]
    failed = [cell for cell in cells if "failed" in cell]
    rows, ranks = summary(measured), rankings(measured)
    text = markdown(rows, ranks, failed, skipped)
    content = {
        "rows": rows,
        "rankings": ranks,
        "cells": [{k: v for k, v in c.items() if k != "runs"} for c in measured],
        "failed": failed,
        "skipped": list(skipped),
    }
    write_results(content, text, out)
    picture(rows, out / "results.png")
    return text


def summary(cells: Sequence[Content]) -> list[dict[str, Any]]:
    """A row for each data set, size, algorithm and variant: means over its seeds, JSON types.

    Synergy has the ``interval`` of its difference and its ``p_value``, None for one training, which
    count what the tables of one training have in common once; ``mcnemar_p`` is of the tables of one
    training, None for several. In the order of the cells.
    """
    keys = dict.fromkeys(_key(cell) for cell in cells)
    return [_row([cell for cell in cells if _key(cell) == key]) for key in keys]


def rankings(cells: Sequence[Content]) -> list[dict[str, Any]]:
    """How well off-policy evaluation ranks all policies of a data set and size; JSON types."""

    def key(cell: Content) -> tuple[str, int]:
        return cell["dataset"], cell["size"]

    estimated = sorted((cell for cell in cells if cell.get("estimates")), key=key)
    return [
        {"dataset": kind, "size": size, **ranked([cell["estimates"] for cell in group])}
        for (kind, size), group in groupby(estimated, key)
    ]


def _key(cell: Content) -> tuple[Any, ...]:
    return tuple(cell.get(name) for name in _AXES)


def _row(cells: Sequence[Content]) -> dict[str, Any]:
    first = cells[0]
    parts = ("random", "challenging", "credit", "behaviour")
    return {
        **{name: first.get(name) for name in _AXES},
        "seeds": len(cells),
        **{
            name: _mean(cell.get(name) for cell in cells)
            for name in ("behaviour_grasp_success", "training_seconds")
        },
        **{
            part: {name: _mean(cell[part][name] for cell in cells) for name in first[part]}
            for part in parts
            if first.get(part) is not None
        },
        "synergy": _synergy(cells),
    }


def _synergy(cells: Sequence[Content]) -> dict[str, Any]:
    """What pushes add, over the tables of all trainings."""
    trainings = [(_runs(cell, "all"), _runs(cell, "picks")) for cell in cells]
    found = [synergy(*each) for each in trainings]
    tables = [each.runs for each in found]
    return {
        "completion": float(np.average([each.completion for each in found], weights=tables)),
        "picks_only": float(np.average([each.picks_only for each in found], weights=tables)),
        "runs": sum(tables),
        "interval": completion_difference(trainings),
        "p_value": completion_p(trainings),
        "mcnemar_p": found[0].p_value if len(found) == 1 else None,
    }


def _mean(values: Iterable[float | None]) -> float | None:
    """Of what is known."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return fmean(known) if known else None


def _runs(cell: Content, choice: str) -> list[Run]:
    return [Run.read(run) for run in cell["runs"][choice]]
