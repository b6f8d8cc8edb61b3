"""The offline experiment: data set × size × algorithm × variant × seeds, resumable, in one folder.

    data/KIND/                               the data set, of the largest size
    online/                                  the evaluations of the shipped weights
    behaviour/KIND/                          that of who acts in a data set
    KIND/SIZE/ALGORITHM/VARIANT/seed-N/      training/, the runs of its evaluations, and cell.json

What is there is not done again, so that several processes can share a folder by their seeds.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.kept import keep, read_kept
from vpg_ros.learning.offline.behaviour import BEHAVIOURS
from vpg_ros.learning.offline.logs import Logs
from vpg_ros.learning.offline.matrix import Cell, Matrix
from vpg_ros.learning.offline.measure import behaved, measured
from vpg_ros.learning.offline.training import train_and_measure
from vpg_ros.learning.offline.watch import Watch
from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS
from vpg_ros.resources import resource

CELL = "cell.json"
FAILED = "failed.json"  # instead of it, where a training or its measures failed
BEHAVIOUR = "behaviour"
ONLINE = "online"  # folder of the policy that learned by acting, and what the results call it


def run(
    matrix: Matrix,
    out: Path,
    watch: Watch | None = None,
    done: Callable[[], object] = lambda: None,
) -> list[dict[str, Any]]:
    """Everything of the matrix that is not there yet, one by one; returns ``collect``.

    Begins with what the others are compared with. done: called after each cell.
    """
    watch = watch or Watch()
    cells = pending(matrix, out)
    complete_compared(matrix, out, watch)
    logs = Logs(matrix, out, watch)
    for cell in cells:
        complete(cell, matrix, out, logs)
        done()
    return collect(matrix, out)


def pending(matrix: Matrix, out: Path) -> list[Cell]:
    """The cells that are not there yet, those of one data set and size in a row.

    What failed is not there: it is tried again. Raises STORE_MISMATCH for a cell that is there with
    other settings.
    """
    return [cell for cell in matrix.cells() if not _is_kept(cell.folder(out), matrix)]


def complete_compared(matrix: Matrix, out: Path, watch: Watch) -> None:
    """Measure the shipped weights, which learned online, and who acts in the data.

    Keeps what came of it; what is there is not done again. Raises STORE_MISMATCH where it is there
    with other settings.
    """
    settings = matrix.settings()
    if not _is_kept(out / ONLINE, matrix):
        player = Player("network", resource(SHIPPED_WEIGHTS))
        found = measured(player, out / ONLINE, matrix, "the shipped weights", watch)
        keep(out / ONLINE / CELL, settings, {"algorithm": ONLINE, **found})
    for kind in matrix.datasets:
        folder = out / BEHAVIOUR / kind
        if kind in BEHAVIOURS and not _is_kept(folder, matrix):
            keep(folder / CELL, settings, behaved(kind, folder, matrix, watch))


def _is_kept(folder: Path, matrix: Matrix) -> bool:
    """Whether a piece is there; raises STORE_MISMATCH for one with other settings."""
    if not (folder / CELL).is_file():
        return False
    read_kept(folder / CELL, matrix.settings())
    return True


def complete(cell: Cell, matrix: Matrix, out: Path, logs: Logs) -> None:
    """Train and measure one cell, and keep what came of it, or why nothing did.

    Raises what making and reading its data set raises, and DISK_FULL.
    """
    folder = cell.folder(out)
    log = logs.read(cell.dataset, cell.size)
    try:
        content = train_and_measure(cell, log, matrix, out, logs)
    except VpgError as error:
        if error.code is ErrorCode.DISK_FULL:
            raise
        failure = {**asdict(cell), "failed": error.sentence}
        keep(folder / FAILED, matrix.settings(), failure)
        return
    keep(folder / CELL, matrix.settings(), content)
    (folder / FAILED).unlink(missing_ok=True)


def collect(matrix: Matrix, out: Path) -> list[dict[str, Any]]:
    """The contents of all cells that are there, and first of the shipped weights' one.

    Each has the figures of who acts in its data, None where nobody does. Of a cell that failed its
    axes, and ``failed``, a sentence. Raises STORE_MISMATCH for a cell
    that has other settings.
    """
    found = [_content(out / ONLINE, matrix)]
    for cell in matrix.cells():
        content = _content(cell.folder(out), matrix)
        acted = _content(out / BEHAVIOUR / cell.dataset, matrix)
        found.append(content and content | {"behaviour": acted and acted["random"]})
    return [content for content in found if content is not None]


def _content(folder: Path, matrix: Matrix) -> dict[str, Any] | None:
    """What is kept of a piece, or why there is none; None where it was not made yet."""
    if (folder / CELL).is_file():
        return read_kept(folder / CELL, matrix.settings())
    with suppress(VpgError):  # not there, or of other settings
        return read_kept(folder / FAILED, matrix.settings())
    return None
