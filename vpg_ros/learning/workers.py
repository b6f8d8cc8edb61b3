"""Runs of an evaluation, played here or by worker processes."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import cache, partial

from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.learning.cases import EvaluationCase
from vpg_ros.learning.env import TableEnv
from vpg_ros.learning.evaluate import Player, evaluate_run
from vpg_ros.learning.figures import Run
from vpg_ros.learning.threads import one_thread
from vpg_ros.orphans import die_with_parent

Task = tuple[EvaluationCase, int]


class Worker:
    """One environment and one player, which play task after task on one thread.

    checkpoint: digest of the player's weights; raises CHECKPOINT_MISMATCH for other ones.
    """

    def __init__(self, player: Player, camera: str, checkpoint: str) -> None:
        one_thread()
        contestant = player.load()
        require(
            contestant.checkpoint == checkpoint,
            f"checkpoint {player.checkpoint} holds {contestant.checkpoint}, and held {checkpoint} "
            "when the evaluation began; copy weights that a training still writes",
            ErrorCode.CHECKPOINT_MISMATCH,
        )
        self._policy = contestant.policy
        self._env = TableEnv(camera, task="scene")

    def run(self, task: Task) -> Run:
        """Play one task; what is raised names it."""
        case, seed = task
        try:
            return evaluate_run(self._env, self._policy(seed), case, seed)
        except VpgError as error:
            raise VpgError(error.code, f"{case.name}, seed {seed}: {error.message}") from error

    def close(self) -> None:
        """Free the environment."""
        self._env.world.close()


def play(
    player: Player, camera: str, checkpoint: str, tasks: Sequence[Task], jobs: int
) -> Iterator[Run]:
    """The runs of all tasks, as they end: each one the same for any number of ``jobs``.

    checkpoint: as of Worker. Raises PROCESS_DIED, and whatever a run raises.
    """
    if not tasks:
        return
    if min(jobs, len(tasks)) == 1:
        worker = Worker(player, camera, checkpoint)
        with closing(worker):
            yield from (worker.run(task) for task in tasks)
        return
    with _pool(player, camera, checkpoint, min(jobs, len(tasks))) as pool:
        futures = [pool.submit(_run, task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            sentence = "a worker process was killed, perhaps for lack of memory; use fewer jobs"
            raise VpgError(ErrorCode.PROCESS_DIED, sentence) from error


@contextmanager
def _pool(player: Player, camera: str, checkpoint: str, jobs: int) -> Iterator[Executor]:
    """Worker processes, which end at once when the block is left by an exception."""
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        jobs,
        # A forked child would inherit threads of torch and PyBullet half-way through their work.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(player, camera, checkpoint, os.getpid()),
    )
    try:
        yield pool
    except BaseException:
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


_worker: Callable[[], Worker]  # of a worker process


def _start(player: Player, camera: str, checkpoint: str, parent: int) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback
    die_with_parent(signal.SIGTERM, parent)
    # Made by its first task, which can raise: an initializer that does breaks the pool.
    _worker = cache(partial(Worker, player, camera, checkpoint))


def _run(task: Task) -> Run:
    return _worker().run(task)
