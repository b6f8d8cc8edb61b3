"""The results on scenes with accidents: what care saves there, and what it costs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vpg_ros.learning.comparison import (
    accident_p,
    accident_ratio,
    completion_difference,
    exact_accident_p,
)
from vpg_ros.learning.distributional.matrix import CONTROL, CVAR, FAMILIES, MEASURES
from vpg_ros.learning.distributional.results_rows import Content, by_head, runs_of
from vpg_ros.learning.figures import Run, over_all
from vpg_ros.learning.interval import accident_rate, clustered
from vpg_ros.learning.tables import Section, interval, p_value, points
from vpg_ros.policy.risk import MEAN

_CAUTIOUS = (
    *("head", "scenes", "seeds", "tables", "accidents, mean", "accidents, cvar"),
    *("p over trainings", "p over the tables of one"),
    *("completion, mean", "completion, cvar", "efficiency, mean", "efficiency, cvar"),
)
_CARE = ("head", "trainings", "accidents", "completion")
_TELLING = 100.0  # times as many accidents, beyond which the end of an interval tells nothing


def cautious(cells: Sequence[Content]) -> list[dict[str, Any]]:
    """A row for each head and family: accidents and completion under each measure.

    p_value: that both have equally many accidents, over trainings, None for one. exact_p: the same
    of the tables of one training, None for several.
    """
    return [
        _cautious(head, family, own)
        for head, of_head in by_head(cells).items()
        for family in FAMILIES
        if (own := [cell for cell in of_head if cell["family"] == family])
    ]


def _cautious(head: str, family: str, cells: Sequence[Content]) -> dict[str, Any]:
    pairs = _pairs(cells)
    return {
        "head": head,
        "family": family,
        "seeds": len(cells),
        **{risk: _measured([runs_of(cell, risk) for cell in cells]) for risk in MEASURES},
        "p_value": accident_p(pairs),
        "exact_p": exact_accident_p(*pairs[0]) if len(pairs) == 1 else None,
    }


def _measured(trainings: Sequence[Sequence[Run]]) -> dict[str, Any]:
    """Figures over trainings; none of efficiency's interval: one grasp may pick two that hang."""
    every = [run for runs in trainings for run in runs]
    return {
        "accidents": asdict(accident_rate(trainings)),
        "completion": asdict(clustered(trainings)),
        "efficiency": over_all(every)["action_efficiency"].value,
    }


def care(cells: Sequence[Content]) -> list[dict[str, Any]]:
    """CVaR against the mean where care has a way out: accidents as a multiple, and completion."""
    return [_care(head, own) for head, own in by_head(cells).items()]


def _care(head: str, cells: Sequence[Content]) -> dict[str, Any]:
    pairs = _pairs([cell for cell in cells if cell["family"] != CONTROL])
    return {
        "head": head,
        "trainings": len(pairs),
        "accidents": accident_ratio(pairs),
        "completion": completion_difference(pairs),
    }


def _pairs(cells: Sequence[Content]) -> list[tuple[list[Run], list[Run]]]:
    """Of every training, the runs with care and those by the mean."""
    return [(runs_of(cell, CVAR), runs_of(cell, MEAN.name)) for cell in cells]


def sections(cautious: Sequence[Content], care: Sequence[Content]) -> list[Section]:
    """The tables."""
    return [
        ("Scenes with accidents.", _CAUTIOUS, [_cautious_line(row) for row in cautious]),
        (
            f"CVaR against the mean in all of them but {CONTROL}: accidents as a multiple, and "
            "completion's difference in points.",
            _CARE,
            [_care_line(row) for row in care],
        ),
    ]


def _cautious_line(row: Content) -> list[str]:
    each = [row[risk] for risk in MEASURES]
    return [
        *(row["head"], row["family"], str(row["seeds"]), str(each[0]["accidents"]["trials"])),
        *(interval(found["accidents"], 1, 2) for found in each),
        *(p_value(row[name]) for name in ("p_value", "exact_p")),
        *(interval(found["completion"], 100, 0) for found in each),
        *(f"{100 * found['efficiency']:.0f}" for found in each),
    ]


def _care_line(row: Content) -> list[str]:
    return [
        *(row["head"], str(row["trainings"])),
        interval(_told(row["accidents"]), 1, 2),
        points(row["completion"]),
    ]


def _told(multiple: Content | None) -> Content | None:
    """Without a high end that says nothing: two trainings that differ reach to millions."""
    if multiple is None or multiple["high"] < _TELLING:
        return multiple
    return {**multiple, "high": None}
