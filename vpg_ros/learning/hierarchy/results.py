"""The results of the study of strategies: one file, its tables and its picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from vpg_ros.choices import DESIGNS, FLAT
from vpg_ros.learning.cases import CHALLENGING
from vpg_ros.learning.comparison import completion_difference
from vpg_ros.learning.figures import Figure, Run
from vpg_ros.learning.hierarchy.experiment import VARIANTS
from vpg_ros.learning.interval import clustered
from vpg_ros.learning.tables import markdown_table, points, write_picture, write_results
from vpg_ros.policy.meta import READY_AFTER

mpl.use("Agg")
import matplotlib.pyplot as plt

Content = Mapping[str, Any]
BASELINES = ("flat-shared", "flat-separate")  # what the others are compared with
FEWER = "flat-shared-two"  # what they are compared with where grasps and pushes do
FEW, MANY = 2, 7  # primitives between which the growth of a decision's time is read
_BENCH = ("strategy", "primitives", "ms", "cpu_ms", "memory_mb", "flops")


def write(bench: Sequence[Content], cells: Sequence[Content], out: Path) -> str:
    """Write results.json, results.md and results.png to ``out``; returns the Markdown."""
    rows = summary(cells)
    content = {
        "decision": list(bench),
        "growth": growth(bench),
        "rows": rows,
        "cells": [{k: v for k, v in cell.items() if k != "runs"} for cell in cells],
    }
    text = markdown(bench, rows)
    write_results(content, text, out)
    picture(bench, rows, out / "results.png")
    return text


def growth(bench: Sequence[Content]) -> dict[str, dict[str, float]]:
    """Of each design, its time with MANY primitives as a multiple of two others.

    ``of_few``: of its own with FEW. ``of_separate``: of flat-separate's with MANY. Empty where the
    bench has not both sizes.
    """
    ms = {(row["strategy"], row["primitives"]): row["ms"] for row in bench}
    designs = {design for design, count in ms if count == MANY and (design, FEW) in ms}
    separate = ms.get(("flat-separate", MANY))
    return {
        design: {
            "of_few": ms[design, MANY] / ms[design, FEW],
            **({"of_separate": ms[design, MANY] / separate} if separate else {}),
        }
        for design in sorted(designs)
    }


def summary(cells: Sequence[Content]) -> list[dict[str, Any]]:
    """A row for each variant: shares of tables solved in every family and all, all seeds together.

    ``differences``: how much larger its share is than that of each of BASELINES on all families,
    and than FEWER's on the challenging cases; None without what to compare. All intervals are of 95
    %, over trainings and tables. ``strategies``: that the weights played by.
    """
    runs = {
        name: [cell for cell in cells if cell["variant"] == name]
        for name in dict.fromkeys(cell["variant"] for cell in cells)
    }
    return [_row(name, own, runs) for name, own in runs.items()]


def _row(
    name: str, cells: Sequence[Content], others: Mapping[str, Sequence[Content]]
) -> dict[str, Any]:
    families = list(cells[0]["runs"])
    union = [family for family in families if family != CHALLENGING]
    challenging = [CHALLENGING] if CHALLENGING in families else []
    compared = [(each, each, union) for each in BASELINES] + [(CHALLENGING, FEWER, challenging)]
    return {
        "variant": name,
        "seeds": len(cells),
        "strategies": sorted({cell["strategy"] for cell in cells if "strategy" in cell}),
        "families": {each: _solved(cells, [each]) for each in families},
        "union": _solved(cells, union),
        "differences": {
            title: _difference(cells, others.get(other, ()), scenes) if other != name else None
            for title, other, scenes in compared
        },
    }


def _solved(cells: Sequence[Content], families: Sequence[str]) -> dict[str, Any]:
    return vars(clustered([_runs(cell, families) for cell in cells]))


def _difference(
    cells: Sequence[Content], others: Sequence[Content], families: Sequence[str]
) -> dict[str, float] | None:
    """Of completion, of the same tables after the same seeds."""
    theirs = {cell["seed"]: cell for cell in others}
    both = [cell for cell in cells if cell["seed"] in theirs]
    return completion_difference(
        [(_runs(cell, families), _runs(theirs[cell["seed"]], families)) for cell in both]
    )


def _runs(cell: Content, families: Sequence[str]) -> list[Run]:
    """Those of one training."""
    return [Run.read(run) for family in families for run in cell["runs"][family]]


def markdown(bench: Sequence[Content], rows: Sequence[Content]) -> str:
    """The tables: decisions, how they grow, and shares of tables solved in %."""
    decisions = [[_cell(row[name]) for name in _BENCH] for row in bench]
    grown = [
        [design, f"{each['of_few']:.2f}", _cell(each.get("of_separate", "–"))]
        for design, each in growth(bench).items()
    ]
    names = list(rows[0]["families"]) if rows else []
    solved = [
        [
            row["variant"],
            str(row["seeds"]),
            *(_share(Figure(**row["families"][name])) for name in names),
            _share(Figure(**row["union"])),
            *(points(found) for found in row["differences"].values()),
        ]
        for row in rows
    ]
    return (
        f"One decision.\n\n{markdown_table(_BENCH, decisions)}\n"
        f"Time with {MANY} primitives as a multiple.\n\n"
        + markdown_table(("strategy", f"of its own with {FEW}", "of flat-separate"), grown)
        + "\nTables solved, %, and differences in points: of all families to each of two, of the "
        f"challenging cases to {FEWER}; with 95 % intervals over trainings and tables.\n\n"
        + markdown_table(
            ("variant", "seeds", *names, "all families", *BASELINES, FEWER),
            solved,
        )
        + _unheard(rows)
    )


def _unheard(rows: Sequence[Content]) -> str:
    """Which variants have a meta-policy that had no say, in words; "" for none."""
    flat = [
        row["variant"]
        for row in rows
        if DESIGNS[VARIANTS[row["variant"]].design][1] != FLAT and FLAT in row["strategies"]
    ]
    if not flat:
        return ""
    return (
        f"\nPlayed flat: {', '.join(flat)}. A meta-policy has no say before it has learned from "
        f"{READY_AFTER} updates.\n"
    )


def _cell(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _share(found: Figure) -> str:
    if found.value is None or found.low is None or found.high is None:
        return "–"
    return f"{100 * found.value:.0f} [{100 * found.low:.0f}, {100 * found.high:.0f}]"


def picture(bench: Sequence[Content], rows: Sequence[Content], path: Path) -> None:
    """Time over the size of the repertoire, and shares of tables solved."""
    figure, (times, solved) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for design in dict.fromkeys(row["strategy"] for row in bench):
        own = [row for row in bench if row["strategy"] == design]
        counts, ms = [row["primitives"] for row in own], [row["ms"] for row in own]
        times.plot(counts, ms, marker="o", label=design)
    times.set(xlabel="primitives", ylabel="one decision, ms", ylim=(0, None))
    times.legend()
    for place, row in enumerate(rows):
        union = row["union"]
        low, high = (abs(union["value"] - union[end]) for end in ("low", "high"))
        solved.bar(place, 100 * union["value"], yerr=[[100 * low], [100 * high]], capsize=4)
    labels = [row["variant"] for row in rows]
    solved.set_xticks(range(len(rows)), labels, rotation=30, ha="right")
    solved.set(ylabel="tables of all families solved, %", ylim=(0, 100))
    write_picture(figure, path, dpi=120)
    plt.close(figure)
