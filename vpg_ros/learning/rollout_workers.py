"""Rollouts by Ray actors: as many tables as there are workers, one learner.

Each worker plays whole episodes, with the weights as they were when it began one, and has at most
one finished episode waiting; so a slow learner holds the workers back. Which episodes come in
which order depends on how fast each is: unlike a rollout in the learner's process, this one does
not repeat itself.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from vpg_ros.action import Transition
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.learning.config import TrainingConfig
from vpg_ros.learning.episodes import PackedEpisode, pack, unpack
from vpg_ros.learning.learner import Learner, greedy_policy
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.ray_cluster import connect, import_ray
from vpg_ros.learning.rollout import Rollout
from vpg_ros.learning.threads import one_thread
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import make_network
from vpg_ros.policy.network_policy import NetworkPolicy

START_DEADLINE = 180.0  # s until all workers answer
EPISODE_DEADLINE = 300.0  # s after which a worker is given up
DEATHS_IN_A_ROW = 5  # of workers, with no episode finished in between, that end a training
_LOOK_EVERY = 5.0  # s between two looks for workers that hang

Weights = dict[str, torch.Tensor]


class RolloutWorker:
    """What runs in a worker's process: a table, and a copy of the network.

    whole: as of RolloutWorkers.
    """

    def __init__(
        self,
        config: TrainingConfig,
        network_config: NetworkConfig,
        learning: LearnerConfig,
        whole: bool = False,
    ) -> None:
        one_thread()
        self._whole = whole
        self._network, self._learning = make_network(network_config).eval(), learning
        self._policy = self._greedy()
        self._rollout = Rollout(config, lambda: self._policy)

    def ready(self) -> int:
        """The number of its process."""
        return os.getpid()

    def episode(self, number: int, actions: int, weights: Weights) -> PackedEpisode | None:
        """Play an episode, see :class:`vpg_ros.learning.rollout.Source`; None of no action."""
        self._network.load_state_dict(weights)
        self._policy = self._greedy()
        transitions = list(self._rollout.episode(number, actions))
        return pack(transitions, self._whole or self._network.config.colour, exact=self._whole)

    def _greedy(self) -> NetworkPolicy:
        return greedy_policy(self._network, torch.device("cpu"), self._learning)


@dataclass(frozen=True)
class _Task:
    """An episode being played. worker: its actor's handle. began: when, by time.monotonic()."""

    worker: Any
    began: float


class RolloutWorkers:
    """A source of transitions: ``count`` workers on this machine or on the cluster at ``address``.

    A worker that dies or hangs is replaced and its episode dropped. whole: whether transitions come
    bit for bit, to be recorded, not just with what the learner needs. replaced: how many were.
    Raises INTERFACES_MISSING without Ray, PARAMETER_INVALID when no cluster answers, PROCESS_DIED
    when workers do not start or die one after the other.
    """

    def __init__(
        self,
        config: TrainingConfig,
        learner: Learner,
        count: int,
        address: str | None = None,
        whole: bool = False,
    ) -> None:
        require(count >= 1, f"workers is {count}; it must be >= 1")
        self._ray = import_ray()
        self._config, self._learner, self._whole = config, learner, whole
        self._owns_ray = connect(self._ray, count, address)
        self._tasks: dict[Any, _Task] = {}  # by the reference to its result
        self._number = self._actions = self._deaths = self.replaced = 0
        self._weights: tuple[int, Any] = (-1, None)  # updates, and the reference to them
        self._workers = [self._make_worker() for _ in range(count)]
        try:
            self._wait_for_all()
        except BaseException:
            self.close()
            raise

    @property
    def processes(self) -> list[int]:
        """The numbers of the workers' processes."""
        calls = [worker.ready.remote() for worker in self._workers]
        found: list[int] = self._ray.get(calls, timeout=START_DEADLINE)
        return found

    def episode(self, number: int, actions: int) -> Iterator[Transition]:
        """The next episode that a worker finishes."""
        self._number, self._actions = max(self._number, number), actions
        if not self._tasks:
            for worker in self._workers:
                self._send(worker)
        episode = self._finished()
        if episode is not None:
            yield from unpack(episode)

    def close(self) -> None:
        """End the workers, and Ray if this started it."""
        if self._owns_ray:
            self._ray.shutdown()
        else:
            for worker in self._workers:
                self._ray.kill(worker)

    def _wait_for_all(self) -> None:
        count = len(self._workers)
        calls = [worker.ready.remote() for worker in self._workers]
        ready, _ = self._ray.wait(calls, num_returns=count, timeout=START_DEADLINE)
        slots = self._ray.cluster_resources().get("CPU", 0)
        require(
            len(ready) == count,
            f"{len(ready)} of {count} workers started within {START_DEADLINE:.0f} s; each takes a "
            f"CPU, and the cluster has {slots:.0f}",
            ErrorCode.PROCESS_DIED,
        )
        try:
            self._get(ready)
        except self._ray.exceptions.RayError as error:
            sentence = f"a worker did not start: {_reason(error)}"
            raise VpgError(ErrorCode.PROCESS_DIED, sentence) from error

    def _make_worker(self) -> Any:
        actor = self._ray.remote(RolloutWorker).options(num_cpus=1, max_restarts=0)
        learner = self._learner
        return actor.remote(self._config, learner.network.config, learner.config, self._whole)

    def _send(self, worker: Any) -> None:
        """Have a worker play the next episode."""
        call = worker.episode.remote(self._number, self._actions, self._newest_weights())
        self._tasks[call] = _Task(worker, time.monotonic())
        self._number += 1

    def _newest_weights(self) -> Any:
        """The weights that act, put into the object store once after each time they changed."""
        updates, reference = self._weights
        if updates != self._learner.updates:
            reference = self._ray.put(self._learner.network.state_dict())
            self._weights = (self._learner.updates, reference)
        return reference

    def _finished(self) -> PackedEpisode | None:
        """Wait for an episode; its worker goes on with the next one at once."""
        while True:
            ready, _ = self._ray.wait(list(self._tasks), timeout=_LOOK_EVERY)
            self._replace_hanging()
            if not ready:
                continue
            worker = self._tasks.pop(ready[0]).worker
            try:
                (episode,) = self._get(ready)
            except self._ray.exceptions.RayError as error:
                self._replace(worker, _reason(error))
                continue
            self._deaths = 0
            self._send(worker)
            return episode

    def _get(self, calls: list[Any]) -> list[Any]:
        """Results that are ready; raises what went wrong in the worker as it was raised there."""
        try:
            results: list[Any] = self._ray.get(calls, timeout=EPISODE_DEADLINE)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, VpgError):
                raise error.cause from None
            raise
        return results

    def _replace_hanging(self) -> None:
        """One that has finished waits for the learner, however long that takes."""
        calls = list(self._tasks)
        _, playing = self._ray.wait(calls, num_returns=len(calls), timeout=0)
        for call in playing:
            if time.monotonic() - self._tasks[call].began > EPISODE_DEADLINE:
                reason = f"its episode took more than {EPISODE_DEADLINE:.0f} s"
                self._replace(self._tasks.pop(call).worker, reason)

    def _replace(self, worker: Any, reason: str) -> None:
        """Drop a worker's episode and have a new one play another."""
        self._deaths += 1
        require(
            self._deaths < DEATHS_IN_A_ROW,
            f"{self._deaths} workers died one after the other, the last one because: {reason}",
            ErrorCode.PROCESS_DIED,
        )
        self._ray.kill(worker)
        self.replaced += 1
        self._workers[self._workers.index(worker)] = fresh = self._make_worker()
        self._send(fresh)


def _reason(error: Exception) -> str:
    """Ray's own sentence is the first line, that of an exception in the worker the last one."""
    lines = str(error).strip().splitlines() or [repr(error)]
    return lines[-1 if hasattr(error, "cause") else 0].strip()
