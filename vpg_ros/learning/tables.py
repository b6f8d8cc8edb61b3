"""The results of studies: their tables as Markdown, and their files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vpg_ros.atomic import write_atomically, write_json


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A line for the names of the columns, one that rules them off, and one for each row."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_results(content: Mapping[str, Any], text: str, out: Path) -> None:
    """Write results.json and results.md, the tables of the same, to the folder ``out``."""
    write_json(out / "results.json", content)
    write_atomically(out / "results.md", text.encode())


def points(found: Mapping[str, float] | None) -> str:
    """A difference of shares with its interval (value, low, high), in points; "" without one."""
    if found is None:
        return ""
    value, low, high = (100 * found[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
