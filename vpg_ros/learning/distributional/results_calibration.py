"""How well calibrated heads are, over all seeds' held-out picks."""

from collections.abc import Sequence
from typing import Any

from vpg_ros.learning.distributional.calibration import LEVELS, Calibration
from vpg_ros.learning.distributional.results_rows import Content, by_head
from vpg_ros.learning.tables import Section

_COVERED = (
    *("scenes", "head", "picks", *(f"{100 * level:.0f}" for level in LEVELS), "worst"),
    "worst training",
    *("chosen picks", "expected", "came to"),
)


def rows(part: str, cells: Sequence[Content]) -> list[dict[str, Any]]:
    """A row for each head of a part of the study that was calibrated."""
    calibrated = [cell for cell in cells if cell["calibration"]]
    return [_row(part, head, own) for head, own in by_head(calibrated).items()]


def _row(part: str, head: str, cells: Sequence[Content]) -> dict[str, Any]:
    """Coverage at LEVELS over all seeds' held-out picks, where it is farthest off, of each too."""
    found = [cell["calibration"] for cell in cells]
    samples = sum(each["samples"] for each in found)
    observed = [
        sum(each["observed"][k] * each["samples"] for each in found) / samples
        for k in range(len(LEVELS))
    ]
    worst = Calibration(tuple(observed), samples).worst
    each_worst = [Calibration(tuple(each["observed"]), each["samples"]).worst for each in found]
    own = [each["chosen"] for each in found if each.get("chosen")]
    count = sum(each["samples"] for each in own)
    chosen = {
        name: sum(each[name] * each["samples"] for each in own) / count if own else None
        for name in ("expected", "observed")
    }
    row = {"scenes": part, "head": head, "observed": observed, "worst": worst, "samples": samples}
    return {**row, "worst_training": max(each_worst), "chosen": {**chosen, "samples": count}}


def section(rows: Sequence[Content]) -> Section:
    """The table."""
    return "Coverage of quantiles, %.", _COVERED, [_line(row) for row in rows]


def _line(row: Content) -> list[str]:
    observed = (f"{100 * share:.0f}" for share in row["observed"])
    worst = (f"{100 * row[name]:.0f}" for name in ("worst", "worst_training"))
    chosen = row["chosen"]
    values = ("–" if chosen[n] is None else f"{chosen[n]:.2f}" for n in ("expected", "observed"))
    own = (str(chosen["samples"]), *values)
    return [row["scenes"], row["head"], str(row["samples"]), *observed, *worst, *own]
