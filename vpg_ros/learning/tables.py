"""The results of studies: their tables as Markdown, and their files."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpg_ros.atomic import write_atomically, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Section = tuple[str, Sequence[str], Sequence[Sequence[str]]]  # title, columns, lines of a table


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A line for the names of the columns, one that rules them off, and one for each row."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_results(content: Mapping[str, Any], text: str, out: Path) -> None:
    """Write results.json and results.md, the tables of the same, to the folder ``out``."""
    write_json(out / "results.json", content)
    write_atomically(out / "results.md", text.encode())


def write_picture(figure: "Figure", path: Path, dpi: int) -> None:
    """Write a figure as PNG; raises as ``write_atomically``."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    write_atomically(path, file.getvalue())


def points(found: Mapping[str, float] | None) -> str:
    """A difference of shares with its interval (value, low, high), in points; "" without one."""
    return "" if found is None else interval(found, 100, 1, "+")


def interval(
    found: Mapping[str, float | None] | None, scale: float, digits: int, sign: str = ""
) -> str:
    """An estimate with its interval (value, low, high), "–" for what is not known.

    scale: of the unit it is given in. sign: "+" for differences.
    """
    if found is None or found["value"] is None:
        return "–"
    value, low, high = (
        "–" if (each := found[name]) is None else f"{scale * each:{sign}.{digits}f}"
        for name in ("value", "low", "high")
    )
    return f"{value} [{low}, {high}]"


def p_value(value: float | None) -> str:
    """A p-value, "–" where there is none."""
    return "–" if value is None else f"{value:.2g}"
