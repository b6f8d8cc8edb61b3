"""The offline experiment: data set × size × algorithm × variant × seeds, resumable, in one folder.

    data/KIND/                               the data set, of the largest size; data/replay/SIZE/
    online/                                  the evaluations of the shipped weights
    behaviour/KIND/                          that of who acts in a data set
    KIND/SIZE/ALGORITHM/VARIANT/seed-N/      training/, the runs of its evaluations, and cell.json

What is there is not done again. Processes can share a folder: what one of them makes, others that
need it wait for and then find there, so that they do best with seeds of their own. The results are
those of the process that wrote last.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.kept import keep, read_kept
from vpg_ros.learning.lock import alone
from vpg_ros.learning.offline.behaviour import BEHAVIOURS
from vpg_ros.learning.offline.logs import Logs
from vpg_ros.learning.offline.matrix import Cell, Matrix
from vpg_ros.learning.offline.measure import behaved, measured
from vpg_ros.learning.offline.training import train_and_measure
from vpg_ros.learning.watch import Watch
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
    _complete_piece(out / ONLINE, matrix, partial(_online, matrix, watch))
    for kind in matrix.datasets:
        if kind in BEHAVIOURS:
            _complete_piece(out / BEHAVIOUR / kind, matrix, partial(_acted, kind, matrix, watch))


def _online(matrix: Matrix, watch: Watch, folder: Path) -> None:
    player = Player("network", resource(SHIPPED_WEIGHTS))
    found = measured(player, folder, matrix, "the shipped weights", watch)
    keep(folder / CELL, matrix.settings(), {"algorithm": ONLINE, **found})


def _acted(kind: str, matrix: Matrix, watch: Watch, folder: Path) -> None:
    keep(folder / CELL, matrix.settings(), behaved(kind, folder, matrix, watch))


def complete(cell: Cell, matrix: Matrix, out: Path, logs: Logs) -> None:
    """Train and measure one cell, and keep what came of it, or why nothing did.

    Raises what making and reading its data set raises, and DISK_FULL.
    """
    _complete_piece(cell.folder(out), matrix, partial(_train, cell, matrix, out, logs))


def _train(cell: Cell, matrix: Matrix, out: Path, logs: Logs, folder: Path) -> None:
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


def _complete_piece(folder: Path, matrix: Matrix, make: Callable[[Path], None]) -> None:
    """Have a piece made in its folder, unless it is there by then."""
    if _is_kept(folder, matrix):
        return
    with alone(folder):
        if not _is_kept(folder, matrix):
            make(folder)


def _is_kept(folder: Path, matrix: Matrix) -> bool:
    """Whether a piece is there; raises STORE_MISMATCH for one with other settings."""
    if not (folder / CELL).is_file():
        return False
    read_kept(folder / CELL, matrix.settings())
    return True


def collect(matrix: Matrix, out: Path) -> list[dict[str, Any]]:
    """The contents of all cells that are there, and first of the shipped weights' one.

    Each has the figures of who acts in its data, None where nobody does. Of a cell that failed its
    axes, and ``failed``, a sentence. Raises STORE_MISMATCH for a cell that has other settings.
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
