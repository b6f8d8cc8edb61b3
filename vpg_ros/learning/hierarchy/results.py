"""The results of the study of strategies: one file, its tables and its picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from vpg_ros.learning.cases import CHALLENGING
from vpg_ros.learning.figures import Figure, Run, completion, mcnemar
from vpg_ros.learning.interval import completion_difference
from vpg_ros.learning.tables import markdown_table, points, write_results

mpl.use("Agg")
import matplotlib.pyplot as plt

Content = Mapping[str, Any]
BASELINE = "flat-shared"  # what the others are compared with
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
    """A row for each variant: shares of tables solved, all seeds pooled, in every family and all.

    ``p``: that it solves as many as BASELINE (McNemar, the same tables and seeds), None of itself.
    ``differences``: how much larger its share is than BASELINE's on all families, and than FEWER's
    on the challenging cases, with 95 % intervals over seeds and tables; None without what to
    compare.
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
    baseline = others.get(BASELINE)
    compared = baseline is not None and name != BASELINE
    ours = _pooled(cells, union)
    return {
        "variant": name,
        "seeds": len(cells),
        "families": {each: vars(completion(_pooled(cells, [each]))) for each in families},
        "union": vars(completion(ours)),
        "p": mcnemar(ours, _pooled(baseline or (), union)) if compared else None,
        "differences": {
            "union": _difference(cells, baseline, union) if compared else None,
            CHALLENGING: _difference(cells, others.get(FEWER), [CHALLENGING])
            if CHALLENGING in families and name != FEWER
            else None,
        },
    }


def _difference(
    cells: Sequence[Content], others: Sequence[Content] | None, families: Sequence[str]
) -> dict[str, float] | None:
    """Of completion, of the same tables after the same seeds."""
    theirs = {cell["seed"]: cell for cell in others or ()}
    both = [cell for cell in cells if cell["seed"] in theirs]
    return completion_difference(
        [(_pooled([c], families), _pooled([theirs[c["seed"]]], families)) for c in both]
    )


def _pooled(cells: Sequence[Content], families: Sequence[str]) -> list[Run]:
    """The runs of all seeds, each a case of its own."""
    return [
        Run.read(run, case=f"{run['case']}, training {cell['seed']}")
        for cell in cells
        for family in families
        for run in cell["runs"][family]
    ]


def markdown(bench: Sequence[Content], rows: Sequence[Content]) -> str:
    """The tables: decisions, how they grow, and shares of tables solved in %."""
    decisions = [[_cell(row[name]) for name in _BENCH] for row in bench]
    grown = [
        [design, f"{each['of_few']:.2f}", f"{each.get('of_separate', float('nan')):.2f}"]
        for design, each in growth(bench).items()
    ]
    names = list(rows[0]["families"]) if rows else []
    solved = [
        [
            row["variant"],
            str(row["seeds"]),
            *(_share(Figure(**row["families"][name])) for name in names),
            _share(Figure(**row["union"])),
            "" if row["p"] is None else f"{row['p']:.2g}",
            *(points(row["differences"][name]) for name in ("union", CHALLENGING)),
        ]
        for row in rows
    ]
    return (
        f"One decision.\n\n{markdown_table(_BENCH, decisions)}\n"
        f"Time with {MANY} primitives as a multiple.\n\n"
        + markdown_table(("strategy", f"of its own with {FEW}", "of flat-separate"), grown)
        + f"\nTables solved, %, with 95 % intervals; p: as many as {BASELINE}. Differences in "
        f"points: all families against {BASELINE}, {CHALLENGING} against {FEWER}.\n\n"
        + markdown_table(
            (*("variant", "seeds", *names), *("all families", "p", "difference", "challenging's")),
            solved,
        )
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
    figure.savefig(path, dpi=120)
    plt.close(figure)
