"""The offline experiment by Ray tasks: as many cells at a time as there are workers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from vpg_ros.errors import require
from vpg_ros.learning.offline.experiment import (
    collect,
    complete,
    complete_compared,
    pending,
)
from vpg_ros.learning.offline.logs import Logs
from vpg_ros.learning.offline.matrix import Cell, Matrix
from vpg_ros.learning.ray_cluster import connect, import_ray
from vpg_ros.learning.threads import one_thread
from vpg_ros.learning.watch import Watch


def run_on_workers(
    matrix: Matrix,
    out: Path,
    count: int,
    address: str | None,
    watch: Watch,
    done: Callable[[], object] = lambda: None,
) -> list[dict[str, Any]]:
    """As ``experiment.run``, ``count`` cells at a time, on this machine or a cluster.

    Every worker must see the folder ``out``. What a worker that died had not kept is done again by
    another one, from its last save. Raises as ``ray_cluster.connect`` and ``complete``.
    """
    require(count >= 1, f"workers is {count}; it must be >= 1")
    cells, folder = pending(matrix, out), out.resolve()
    complete_compared(replace(matrix, jobs=count), out, watch)
    matrix = replace(matrix, jobs=1)  # each worker plays by itself
    if not cells:
        return collect(matrix, out)
    ray = import_ray()
    connect(ray, count, address)
    try:
        _work(ray, cells, matrix, folder, watch, done)
    finally:
        ray.shutdown()
    return collect(matrix, out)


def _work(
    ray: Any,
    cells: list[Cell],
    matrix: Matrix,
    out: Path,
    watch: Watch,
    done: Callable[[], object],
) -> None:
    """All data sets, then all cells."""
    make, work = (ray.remote(num_cpus=1, max_retries=2)(each) for each in (_make, _complete))
    logs = Logs(matrix, out, watch)
    sets = {logs.folder(cell.dataset, cell.size): cell for cell in cells}
    watch.begin("data sets", len(sets))
    ray.get([make.remote(cell, matrix, out) for cell in sets.values()])
    waiting = [work.remote(cell, matrix, out) for cell in cells]
    watch.begin("trainings", len(cells))
    while waiting:
        (ready,), waiting = ray.wait(waiting)
        ray.get(ready)
        watch.advance(len(cells) - len(waiting))
        done()


def _make(cell: Cell, matrix: Matrix, out: Path) -> None:
    """In a worker: a cell's data set."""
    one_thread()
    Logs(matrix, out, Watch()).make(cell.dataset, cell.size)


def _complete(cell: Cell, matrix: Matrix, out: Path) -> None:
    """In a worker: a cell."""
    one_thread()
    complete(cell, matrix, out, Logs(matrix, out, Watch()))
