"""The study of value distributions, resumable, in one folder.

    standard/HEAD/seed-N/       training/, the runs of its evaluations, and cell.json
    risk/HEAD/seed-N/FAMILY/    the same of learning on scenes with accidents
    decision-HEADS.json         how long decisions take

What is there is not done again.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

from vpg_ros.errors import VpgError
from vpg_ros.learning.bench import compare, tables, ways_of_heads
from vpg_ros.learning.distributional.cells import Cell, begun, complete, path_of
from vpg_ros.learning.distributional.matrix import DECISION, MEASURES, RISK, STANDARD, Matrix
from vpg_ros.learning.kept import Content, kept, read_kept
from vpg_ros.learning.watch import Watch


def run(matrix: Matrix, out: Path, watch: Watch | None = None) -> None:
    """Everything of the matrix that is not there yet; see ``collect`` for what came of it.

    watch: hears of every training and what is measured of it. Raises STORE_MISMATCH for what is
    there with other settings.
    """
    watch = watch or Watch()
    parts = {
        STANDARD: [Cell(*each) for each in product(matrix.heads, matrix.seeds)],
        RISK: [Cell(*each) for each in product(matrix.risk_heads, matrix.seeds, matrix.families)],
    }
    for part in matrix.parts:
        for cell in parts.get(part, ()):
            complete(cell, matrix, out, watch)
        if part == DECISION:
            _decide(matrix, out, watch)


def collect(matrix: Matrix, out: Path) -> dict[str, list[Content]]:
    """All that lies in the folder made as the matrix says, whatever heads and seeds it is of.

    Part → contents of its cells, or rows of timed decisions.
    """
    found: dict[str, list[Content]] = {STANDARD: [], RISK: [], DECISION: _decisions(matrix, out)}
    for cell in begun(out):
        with suppress(VpgError):  # not there yet, or of other settings
            content = read_kept(path_of(cell, out), cell.settings(matrix))
            found[RISK if cell.family else STANDARD].append(content)
    return found


def _decide(matrix: Matrix, out: Path, watch: Watch) -> None:
    def make() -> Content:
        done = watch.each("decisions", 1)
        ways = ways_of_heads(matrix.heads, (*MEASURES, "mean_std"))
        rows = compare(ways, tables(10, 5), matrix.repeats)
        done(rows)
        return {"rows": rows}

    kept(_timed(matrix.heads, out), _settings(matrix.heads, matrix), make)


def _decisions(matrix: Matrix, out: Path) -> list[Content]:
    """Rows of all timed decisions, each way once: of what was timed again that with our heads."""
    others = sorted(out.glob(_timed("*", out).name))
    rows: dict[tuple[str, str], Content] = {}
    for path in (_timed(matrix.heads, out), *others):
        with suppress(VpgError):
            for row in read_kept(path, _settings(_heads(path), matrix))["rows"]:
                rows.setdefault((row["head"], row["risk"]), row)
    return list(rows.values())


def _timed(heads: Sequence[str], out: Path) -> Path:
    """Where decisions are kept: ratios are of what was timed together."""
    return out / f"decision-{'-'.join(heads)}.json"


def _heads(path: Path) -> list[str]:
    return path.stem.split("-")[1:]


def _settings(heads: Sequence[str], matrix: Matrix) -> Mapping[str, Any]:
    return {"heads": heads, "repeats": matrix.repeats}
