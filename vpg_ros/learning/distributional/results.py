"""The results of the study of value distributions: one file, its tables and its picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vpg_ros.learning.distributional import results_calibration, results_risk, results_standard
from vpg_ros.learning.distributional.matrix import DECISION, RISK, STANDARD
from vpg_ros.learning.distributional.results_picture import picture
from vpg_ros.learning.distributional.results_rows import Content
from vpg_ros.learning.tables import markdown_table, write_results

Found = Mapping[str, Sequence[Content]]  # part → contents, as ``experiment.collect`` returns


def write(found: Found, out: Path) -> str:
    """Write results.json, results.md and results.png to ``out``; returns the Markdown."""
    content = summary(found)
    text = markdown(content)
    write_results(content, text, out)
    picture(content, out / "results.png")
    return text


def summary(found: Found) -> dict[str, Any]:
    """Rows of every table, plain JSON types; table → rows, empty where nothing was done."""
    standard, risk = found.get(STANDARD, ()), found.get(RISK, ())
    return {
        "standard": results_standard.learned(standard),
        "benchmark": results_standard.played(standard),
        "risk": results_risk.cautious(risk),
        "care": results_risk.care(risk),
        "calibration": [
            *results_calibration.rows(STANDARD, standard),
            *results_calibration.rows(RISK, risk),
        ],
        "decision": list(found.get(DECISION, ())),
    }


def markdown(content: Content) -> str:
    """The tables of what there is."""
    sections = [
        *results_standard.sections(content["standard"], content["benchmark"]),
        *results_risk.sections(content["risk"], content["care"]),
        results_calibration.section(content["calibration"]),
        ("One decision.", _DECIDED, [_decided(row) for row in content["decision"]]),
    ]
    return "\n".join(
        f"{title}\n\n{markdown_table(columns, lines)}"
        for title, columns, lines in sections
        if lines
    )


_DECIDED = ("head", "risk", "ms", "ratio")


def _decided(row: Content) -> list[str]:
    return [row["head"], row["risk"], f"{row['ms']:.0f}", f"{row['ratio']:.2f}"]
