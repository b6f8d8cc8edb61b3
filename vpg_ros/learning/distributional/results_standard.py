"""The results on the standard scenes: how heads learn, and what their weights then solve.

Differences are to the scalar head's trainings of the same seeds, which played the same tables.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from statistics import fmean
from typing import Any

from vpg_ros.choices import SCALAR
from vpg_ros.learning.cases import CHALLENGING
from vpg_ros.learning.comparison import completion_difference
from vpg_ros.learning.distributional.matrix import CLUTTER
from vpg_ros.learning.distributional.results_rows import Content, by_head, runs_of
from vpg_ros.learning.figures import over_all
from vpg_ros.learning.interval import clustered, student
from vpg_ros.learning.tables import Section, interval

Measure = Callable[[Content], float | None]  # of a training; None where there was nothing
_SHARES = ("grasp_success", "action_efficiency")
_MORE = "than scalar"
_LEARNED = (
    *("head", "seeds", "actions", "reached 90 %", "after", f"later {_MORE}"),
    *("last 100 grasps, %", f"more {_MORE}", "minutes"),
)
_PLAYED = (
    *("head", "scenes", "seeds", "tables", "completion, %", f"more {_MORE}"),
    *("grasp success, %", f"more {_MORE}", "efficiency, %", f"more {_MORE}"),
)


def learned(cells: Sequence[Content]) -> list[dict[str, Any]]:
    """A row for each head: how trainings went, means over seeds with Student's intervals.

    A training that never reached 90 % counts with all its actions: such means are at least.
    """
    groups = by_head(cells)
    return [_learned(head, own, groups.get(SCALAR, ())) for head, own in groups.items()]


def _learned(head: str, cells: Sequence[Content], scalar: Sequence[Content]) -> dict[str, Any]:
    figures = [cell["figures"] for cell in cells]
    most = figures[0]["actions"]
    return {
        "head": head,
        "seeds": len(cells),
        "actions": most,
        "reached_90": sum(map(_reached, cells)),
        "actions_to_90": student([_until_90(cell) for cell in cells], 0, most),
        "last_100": student([_last_100(cell) for cell in cells], 0, 1),
        "minutes": fmean(each["seconds"] / 60 for each in figures),
        "differences": {
            "actions_to_90": student(_later(cells, scalar), -most, most),
            "last_100": student(_more(cells, scalar, _last_100), -1, 1),
        },
    }


def played(cells: Sequence[Content]) -> list[dict[str, Any]]:
    """A row for each head and kind of scenes: what frozen weights come to, over trainings."""
    groups = by_head(cells)
    return [
        _played(head, scenes, of_scenes, _with(groups.get(SCALAR, ()), scenes))
        for scenes in (CHALLENGING, CLUTTER)
        for head, own in groups.items()
        if (of_scenes := _with(own, scenes))
    ]


def _with(cells: Sequence[Content], scenes: str) -> list[Content]:
    """Those that played the scenes."""
    return [cell for cell in cells if cell["runs"].get(scenes)]


def _played(
    head: str, scenes: str, cells: Sequence[Content], scalar: Sequence[Content]
) -> dict[str, Any]:
    pairs = [(runs_of(a, scenes), runs_of(b, scenes)) for a, b in _same_seeds(cells, scalar)]
    success, efficiency = (partial(_share, scenes, name) for name in _SHARES)
    return {
        "head": head,
        "scenes": scenes,
        "seeds": len(cells),
        "completion": asdict(clustered([runs_of(cell, scenes) for cell in cells])),
        "grasp_success": student(_known(map(success, cells)), 0, 1),
        "efficiency": student(_known(map(efficiency, cells)), 0),
        "differences": {
            "completion": None if head == SCALAR else completion_difference(pairs),
            "grasp_success": student(_more(cells, scalar, success), -1, 1),
            "efficiency": student(_more(cells, scalar, efficiency)),
        },
    }


def _share(scenes: str, name: str, cell: Content) -> float | None:
    """Of all grasps or actions there were; None where there were none."""
    return over_all(runs_of(cell, scenes))[name].value


def _same_seeds(
    cells: Sequence[Content], scalar: Sequence[Content]
) -> list[tuple[Content, Content]]:
    """Each training with the scalar head's one; none of the scalar head with itself."""
    theirs = {cell["seed"]: cell for cell in scalar}
    return [
        (cell, theirs[cell["seed"]])
        for cell in cells
        if cell["head"] != SCALAR and cell["seed"] in theirs
    ]


def _more(cells: Sequence[Content], scalar: Sequence[Content], measure: Measure) -> list[float]:
    """How much larger a measure of each training is than the scalar head's, where both have it."""
    pairs = [(measure(a), measure(b)) for a, b in _same_seeds(cells, scalar)]
    return [ours - theirs for ours, theirs in pairs if ours is not None and theirs is not None]


def _later(cells: Sequence[Content], scalar: Sequence[Content]) -> list[float]:
    """By how many actions each reached 90 %; nothing where none of either head ever did."""
    pairs = _same_seeds(cells, scalar)
    if not any(_reached(cell) for pair in pairs for cell in pair):
        return []
    return _more(cells, scalar, _until_90)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _reached(cell: Content) -> bool:
    return cell["figures"]["actions_to_90"] is not None


def _until_90(cell: Content) -> float:
    figures = cell["figures"]
    return float(figures["actions_to_90"] if _reached(cell) else figures["actions"])


def _last_100(cell: Content) -> float:
    return float(cell["figures"]["grasp_success_last_100"])


def sections(learned: Sequence[Content], played: Sequence[Content]) -> list[Section]:
    """The tables."""
    return [
        (
            "Standard scenes, means over seeds. A training that never reached 90 % counts with all "
            "its actions.",
            _LEARNED,
            [_learned_line(row) for row in learned],
        ),
        (
            "What the weights then solve, all grasps and actions of all tables.",
            _PLAYED,
            [_played_line(row) for row in played],
        ),
    ]


def _learned_line(row: Content) -> list[str]:
    more = row["differences"]
    return [
        *(row["head"], str(row["seeds"]), str(row["actions"]), str(row["reached_90"])),
        _after(row),
        interval(more["actions_to_90"], 1, 0, "+"),
        interval(row["last_100"], 100, 1),
        interval(more["last_100"], 100, 1, "+"),
        f"{row['minutes']:.1f}",
    ]


def _after(row: Content) -> str:
    """Actions until 90 %: at least so many where some trainings never got there."""
    if row["reached_90"] in (0, row["seeds"]):
        return interval(row["actions_to_90"], 1, 0) if row["reached_90"] else "–"
    return f"≥ {row['actions_to_90']['value']:.0f}"


def _played_line(row: Content) -> list[str]:
    more = row["differences"]
    shares = [
        text
        for name in ("completion", "grasp_success", "efficiency")
        for text in (interval(row[name], 100, 1), interval(more[name], 100, 1, "+"))
    ]
    tables = str(row["completion"]["trials"])
    return [row["head"], row["scenes"], str(row["seeds"]), tables, *shares]
