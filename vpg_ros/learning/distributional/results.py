"""The results of the study of value distributions: one file, its tables and its picture."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib as mpl
from scipy.stats import binomtest

from vpg_ros.learning.distributional.calibration import LEVELS, Calibration
from vpg_ros.learning.distributional.experiment import CONTROL, FAMILIES, MEASURES
from vpg_ros.learning.figures import Figure, Run, accidents, completion, over_all
from vpg_ros.learning.interval import accident_ratio, bootstrap_mean, completion_difference
from vpg_ros.learning.tables import markdown_table, points, write_results

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

Content = Mapping[str, Any]
Found = Mapping[str, Sequence[Content]]  # part → contents, as ``experiment.run`` returns


def write(found: Found, out: Path) -> str:
    """Write results.json, results.md and results.png to ``out``; returns the Markdown."""
    content = summary(found)
    text = markdown(content)
    write_results(content, text, out)
    picture(content, out / "results.png")
    return text


def summary(found: Found) -> dict[str, Any]:
    """Rows of every table, plain JSON types; part → rows, empty where it was not asked for."""
    standard, risk = found.get("standard", ()), found.get("risk", ())
    return {
        "standard": [_learned(head, cells) for head, cells in _by_head(standard).items()],
        "risk": [
            _cautious(head, family, cells)
            for head, cells in _by_head(risk).items()
            for family in FAMILIES
            if any(cell["family"] == family for cell in cells)
        ],
        "care": [_care(head, cells) for head, cells in _by_head(risk).items()],
        "calibration": [
            _calibrated(part, head, cells)
            for part, of_part in (("standard", standard), ("risk", risk))
            for head, cells in _by_head(of_part).items()
            if cells[0]["calibration"]
        ],
        "decision": list(found.get("decision", ())),
    }


def _by_head(cells: Iterable[Content]) -> dict[str, list[Content]]:
    groups: dict[str, list[Content]] = {}
    for cell in cells:
        groups.setdefault(cell["head"], []).append(cell)
    return groups


def _learned(head: str, cells: Sequence[Content]) -> dict[str, Any]:
    """Learning on the standard scenes: means over seeds, with intervals where there are some.

    A training that never reached 90 % counts with all its actions.
    """
    figures = [cell["figures"] for cell in cells]
    reached = [each["actions_to_90"] or each["actions"] for each in figures]
    return {
        "head": head,
        "seeds": len(cells),
        "actions": figures[0]["actions"],
        "reached_90": sum(each["actions_to_90"] is not None for each in figures),
        "actions_to_90": _mean(reached),
        "last_100": _mean([each["grasp_success_last_100"] for each in figures]),
        "minutes": fmean(each["seconds"] / 60 for each in figures),
    }


def _mean(values: Sequence[float]) -> dict[str, Any]:
    """The mean and its bootstrap interval; plain, None without any."""
    if not values:
        return {"value": None, "low": None, "high": None}
    found = bootstrap_mean(np.array(values, dtype=float), seed=0)
    return {"value": found.value, "low": found.low, "high": found.high}


def _cautious(head: str, family: str, cells: Sequence[Content]) -> dict[str, Any]:
    """A family under each measure, the tables of its trainings together.

    p_value: two-sided, that both measures have equally many accidents, given how many there were
    in all (Przyborowski & Wilenski 1940).
    """
    own = [cell for cell in cells if cell["family"] == family]
    runs = {risk: [run for cell in own for run in _runs(cell, risk)] for risk in MEASURES}
    counts = [sum(run.accidents for run in runs[risk]) for risk in MEASURES]
    p_value = float(binomtest(counts[0], sum(counts)).pvalue) if sum(counts) else 1.0
    measured = {
        risk: {
            "accidents": asdict(accidents(each)),
            "completion": asdict(completion(each)),
            # No interval: one grasp may pick two that hang together.
            "efficiency": over_all(each)["action_efficiency"].value,
        }
        for risk, each in runs.items()
    }
    return {"head": head, "family": family, "seeds": len(own), **measured, "p_value": p_value}


def _care(head: str, cells: Sequence[Content]) -> dict[str, Any]:
    """CVaR against the mean where care has a way out: accidents as a multiple, and completion."""
    own = [cell for cell in cells if cell["family"] != CONTROL]
    pairs = [(_runs(cell, "cvar"), _runs(cell, "mean")) for cell in own]
    return {
        "head": head,
        "trainings": len(own),
        "accidents": accident_ratio(pairs),
        "completion": completion_difference(pairs),
    }


def _runs(cell: Content, risk: str) -> list[Run]:
    return [Run.read(run) for run in cell["runs"][risk]]


def _calibrated(part: str, head: str, cells: Sequence[Content]) -> dict[str, Any]:
    """Coverage at LEVELS over all seeds' held-out picks."""
    found = [cell["calibration"] for cell in cells]
    samples = sum(each["samples"] for each in found)
    observed = [
        sum(each["observed"][k] * each["samples"] for each in found) / samples
        for k in range(len(LEVELS))
    ]
    worst = Calibration(tuple(observed), samples).worst
    own = [each["chosen"] for each in found if each.get("chosen")]
    count = sum(each["samples"] for each in own)
    chosen = {
        name: sum(each[name] * each["samples"] for each in own) / count if own else None
        for name in ("expected", "observed")
    }
    row = {"scenes": part, "head": head, "observed": observed, "worst": worst, "samples": samples}
    return {**row, "chosen": {**chosen, "samples": count}}


def markdown(content: Content) -> str:
    """The tables of what there is."""
    parts = [
        ("Standard scenes.", _LEARNED, [_learned_line(row) for row in content["standard"]]),
        ("Scenes with accidents.", _CAUTIOUS, [_cautious_line(row) for row in content["risk"]]),
        (
            f"CVaR against the mean in all of them but {CONTROL}: accidents as a multiple, and "
            "completion's difference in points.",
            ("head", "trainings", "accidents", "completion"),
            [_care_line(row) for row in content["care"]],
        ),
        ("Coverage of quantiles, %.", _COVERED, [_covered(row) for row in content["calibration"]]),
        ("One decision.", _DECIDED, [_decided(row) for row in content["decision"]]),
    ]
    return "\n".join(
        f"{title}\n\n{markdown_table(columns, rows)}" for title, columns, rows in parts if rows
    )


_LEARNED = ("head", "seeds", "actions", "reached 90 %", "after", "last 100 grasps, %", "minutes")
_CAUTIOUS = (
    *("head", "scenes", "tables", "accidents, mean", "accidents, cvar", "p"),
    *("completion, mean", "completion, cvar", "efficiency, mean", "efficiency, cvar"),
)
_COVERED = (
    *("scenes", "head", "picks", *(f"{100 * level:.0f}" for level in LEVELS), "worst"),
    *("chosen picks", "expected", "came to"),
)
_DECIDED = ("head", "risk", "ms", "ratio")


def _learned_line(row: Content) -> list[str]:
    return [
        *(row["head"], str(row["seeds"]), str(row["actions"]), str(row["reached_90"])),
        _interval(row["actions_to_90"], 1, 0),
        _interval(row["last_100"], 100, 1),
        f"{row['minutes']:.1f}",
    ]


def _cautious_line(row: Content) -> list[str]:
    each = [row[risk] for risk in MEASURES]
    return [
        *(row["head"], row["family"], str(each[0]["accidents"]["trials"])),
        *(_interval(found["accidents"], 1, 2) for found in each),
        f"{row['p_value']:.2g}",
        *(_interval(found["completion"], 100, 0) for found in each),
        *(f"{100 * found['efficiency']:.0f}" for found in each),
    ]


def _care_line(row: Content) -> list[str]:
    ratio = row["accidents"]
    return [
        *(row["head"], str(row["trainings"])),
        "–" if ratio is None else _interval(ratio, 1, 2),
        points(row["completion"]),
    ]


def _covered(row: Content) -> list[str]:
    observed = (f"{100 * share:.0f}" for share in row["observed"])
    samples, worst = str(row["samples"]), f"{100 * row['worst']:.0f}"
    chosen = row["chosen"]
    values = ("–" if chosen[n] is None else f"{chosen[n]:.2f}" for n in ("expected", "observed"))
    own = (str(chosen["samples"]), *values)
    return [row["scenes"], row["head"], samples, *observed, worst, *own]


def _decided(row: Content) -> list[str]:
    return [row["head"], row["risk"], f"{row['ms']:.0f}", f"{row['ratio']:.2f}"]


def _interval(figure: Content, scale: float, digits: int) -> str:
    if figure["value"] is None:
        return "–"
    value, low, high = (
        "–" if figure[name] is None else f"{scale * figure[name]:.{digits}f}"
        for name in ("value", "low", "high")
    )
    return f"{value} [{low}, {high}]"


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
    figure.savefig(path, dpi=100)
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
