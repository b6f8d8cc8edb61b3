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
