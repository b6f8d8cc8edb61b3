"""What the rows of all tables are made of."""

from collections.abc import Iterable, Mapping
from typing import Any

from vpg_ros.learning.figures import Run

Content = Mapping[str, Any]


def by_head(cells: Iterable[Content]) -> dict[str, list[Content]]:
    """Cells of each head, in the order of the heads."""
    groups: dict[str, list[Content]] = {}
    for cell in cells:
        groups.setdefault(cell["head"], []).append(cell)
    return groups


def runs_of(cell: Content, name: str) -> list[Run]:
    """What the weights of a cell played, of that name."""
    return [Run.read(run) for run in cell["runs"][name]]
