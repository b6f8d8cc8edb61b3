"""Training from a log: update, save; resumable after a kill at any moment."""

import hashlib
import json
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vpg_ros.errors import ErrorCode, require
from vpg_ros.learning.lock import alone
from vpg_ros.learning.offline import algorithms
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.log import Log
from vpg_ros.learning.state import StateFile, load_state, require_finite, require_same
from vpg_ros.policy import checkpoint
from vpg_ros.primitives import DEFAULT_REPERTOIRE

STATE = "state.pt"
WEIGHTS = "weights.safetensors"
SAVE_AFTER = 50  # updates between two saves
LOSSES = 50  # updates whose mean loss is given

Report = Callable[["OfflineTrainer"], None]


class OfflineTrainer:
    """One training of an algorithm on a log, and the folder where it is kept.

    Continues the training in ``out`` where there is one; raises STORE_MISMATCH when that one has
    other settings or data, or there are weights of something else, STORE_UNREADABLE when it is
    damaged, PARAMETER_INVALID for a head that the algorithm cannot learn. updates: done. loss: mean
    of the last LOSSES updates. seconds: wall time of all updates, without pauses between runs.
    """

    def __init__(self, name: str, log: Log, config: OfflineConfig, out: Path) -> None:
        self.config, self.out, self._name = config, out, name
        self._data, self._data_earlier = _digests(log)
        if config.push_share > 0:
            log = log.with_push_share(config.push_share, config.seed)
        algorithms.check_config(name, config)
        self.algorithm = algorithms.get(name)(log, config.network, config)
        self.updates, self.seconds = 0, 0.0
        self.losses: list[float] = []
        self._state = StateFile(out / STATE)
        if self._state.found:
            self._resume()
        else:
            self._require_own_weights()

    @property
    def loss(self) -> float:
        """Mean of the last updates; 0 before the first."""
        last = self.losses[-LOSSES:]
        return sum(last) / len(last) if last else 0.0

    def run(self, report: Report = lambda trainer: None) -> Path:
        """Train to the end; returns the path of the weights.

        Raises DISK_FULL, LEARNING_DIVERGED, after which the last save is of before, and
        STORE_MISMATCH while another process trains there.
        """
        weights = self.out / WEIGHTS
        with alone(self.out, wait=False):
            self._state.require_unchanged()
            while self.updates < self.config.updates:
                self._update()
                report(self)
                if self.updates % SAVE_AFTER == 0 or self.updates == self.config.updates:
                    self.save()
            if not weights.is_file():
                self.save()
        return weights

    def _update(self) -> None:
        begin = time.monotonic()
        loss = self.algorithm.update()
        self.updates += 1
        require_finite(self.out, loss, self.updates)
        self.losses.append(loss)
        self.seconds += time.monotonic() - begin

    def save(self) -> None:
        """Write weights, then state; a kill at any moment leaves the last save usable."""
        about = {**self._settings(), "updates_done": self.updates}
        acting = self.config.learner().acting
        checkpoint.save(self.out / WEIGHTS, self.algorithm.network, about, acting)
        state = {
            "algorithm": self.algorithm.state(),
            "settings": json.dumps(self._settings()),
            "updates": self.updates,
            "seconds": self.seconds,
            "losses": self.losses,
        }
        self._state.save(state)

    def _settings(self) -> dict[str, Any]:
        """All that must stay as it is for a training to go on, as JSON types."""
        settings = {"algorithm": self._name, "data": self._data, **asdict(self.config)}
        plain: dict[str, Any] = json.loads(json.dumps(settings))
        return plain

    def _require_own_weights(self) -> None:
        """Raise STORE_MISMATCH for weights of another training, which would be overwritten.

        Without a state there may be those of this one: a kill can come between the two.
        """
        weights, wanted = self.out / WEIGHTS, self._settings()
        found = checkpoint.training_of(weights) if weights.is_file() else wanted
        require(
            {name: found.get(name) for name in wanted} == wanted,
            f"{weights} is of another training, which is not in that folder; choose another one",
            ErrorCode.STORE_MISMATCH,
        )

    def _resume(self) -> None:
        state = load_state(self._state.path)
        require(
            "algorithm" in state,
            f"{self.out} holds another kind of training; choose another folder",
            ErrorCode.STORE_MISMATCH,
        )
        # Of trainings that name none.
        earlier = {"primitives": list(DEFAULT_REPERTOIRE), "accident_cost": 0.0}
        before = earlier | json.loads(state["settings"])
        if before.get("data") == self._data_earlier:
            before["data"] = self._data
        require_same(self.out, before, self._settings())
        self.algorithm.restore(state["algorithm"])
        self.updates, self.seconds = state["updates"], state["seconds"]
        self.losses = state["losses"]


def _digests(log: Log) -> tuple[str, str]:
    """Twelve hexadecimal digits that name the log, and those by which earlier versions did.

    Of its actions, what came of them and its maps; theirs of all but the maps.
    """
    rows = [(e.primitive, e.rotation, e.row, e.column, e.reward) for e in log.experiences]
    found = hashlib.sha256(repr((rows, log.led_to)).encode())
    earlier = found.hexdigest()[:12]
    # A map that two experiences share is read once: a log may be of gigabytes.
    maps = {id(m): m for e in log.experiences for m in (e.height, e.next_height)}
    for each in maps.values():
        found.update(zlib.crc32(each.tobytes()).to_bytes(4))
    return found.hexdigest()[:12], earlier
