"""The training loop: act, learn, save; resumable after a kill at any moment."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vpg_ros.action import Transition
from vpg_ros.atomic import make_folder
from vpg_ros.errors import ErrorCode, require
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.learning.ahead import ActAhead
from vpg_ros.learning.config import TrainingConfig
from vpg_ros.learning.curve import Curve
from vpg_ros.learning.earlier import EARLIER, flat
from vpg_ros.learning.learner import Learner
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.lock import alone
from vpg_ros.learning.offline.algorithms import check_values
from vpg_ros.learning.progress import Progress
from vpg_ros.learning.rollout import Rollout, Source, number_of
from vpg_ros.learning.state import StateFile, load_state, require_finite, require_same
from vpg_ros.learning.store import SegmentWriter, set_aside
from vpg_ros.policy.checkpoint import load_to_learn
from vpg_ros.policy.checkpoint import save as save_checkpoint
from vpg_ros.policy.config import NetworkConfig

MakeSource = Callable[[TrainingConfig, Learner], Source]
STATE = "state.pt"
TRANSITIONS = "transitions"  # folder of the store
EMPTY_IN_A_ROW = 100  # tables without an admissible action that end a training


def act_here(config: TrainingConfig, learner: Learner) -> Source:
    """One actor; the same seed gives the same transitions."""
    return ActAhead(config, learner) if config.ahead else Rollout(config, learner.policy)


def holds_training(out: Path) -> bool:
    """Whether a folder holds a training that was saved at least once."""
    return (out / STATE).is_file()


class Trainer:
    """One training: a learner, a source of transitions and where all of it is kept.

    Continues the training in ``out`` where there is one; raises STORE_MISMATCH when that one has
    other settings, STORE_UNREADABLE when it is damaged. record: whether to store every transition
    below ``out``, each once, however often the training is killed and continued; what lies there of
    one that was never saved is set aside. init: weights to begin with instead of random ones;
    raises as ``checkpoint.load``, and CHECKPOINT_MISMATCH for those of another network, or whose
    outputs are no values.
    """

    def __init__(
        self,
        config: TrainingConfig,
        out: Path,
        learner_config: LearnerConfig | None = None,
        make_source: MakeSource = act_here,
        record: bool = False,
        init: Path | None = None,
    ) -> None:
        self._began = time.monotonic()
        self.config, self.out = config, out
        self.progress = Progress()
        self.learner = Learner(
            NetworkConfig.of_repertoire(
                config.primitives, config.head, config.colour, config.trunks, config.strategy
            ),
            learner_config or LearnerConfig(decay_updates=config.half_updates),
            DEFAULT_WORKSPACE,
            config.seed,
        )
        self._init = self._start_from(init) if init else ""
        self._make_source = make_source
        self._saved = 0
        self._record, self._recorded = record, 0
        self._recorder: SegmentWriter | None = None
        self._state = StateFile(out / STATE)
        if self._state.found:
            self._resume()

    def _start_from(self, init: Path) -> str:
        """Begin with the weights in a checkpoint; returns their digest."""
        check_values(init)
        network, digest = load_to_learn(init, self.learner.config.acting)
        wanted = self.learner.network.config
        require(
            network.config == wanted,
            f"init is {str(init)!r}, weights of {network.config}; this training has {wanted}",
            ErrorCode.CHECKPOINT_MISMATCH,
        )
        self.learner.start_from(network)
        return digest

    def run(self, report: Callable[[Progress], None] = lambda progress: None) -> Path:
        """Train to the end; returns the path of the weights. ``report`` hears of every action.

        Writes ``curve.csv`` beside them. Raises DISK_FULL, with the last save still usable,
        STORE_MISMATCH while another process trains there or where transitions are missing from its
        record, and NO_ADMISSIBLE_ACTION where the scenes have none.
        """
        with alone(self.out, wait=False):
            self._state.require_unchanged()
            self._curve = Curve(self.out / "curve.csv", self.progress.steps)
            if self.progress.actions < self.config.actions:
                self._train(report)
            elif not (self.out / "weights.safetensors").is_file():
                self.save()
        return self.out / "weights.safetensors"

    def _train(self, report: Callable[[Progress], None]) -> None:
        with self._recording(), closing(self._make_source(self.config, self.learner)) as source:
            self._learn_from(source, report)

    @contextmanager
    def _recording(self) -> Iterator[None]:
        """Have ``_learn`` store every transition, after those of the last save."""
        if not self._record:
            yield
            return
        folder, about = self.out / TRANSITIONS, asdict(self.config)
        require(
            self._recorded == self.progress.actions,
            f"{folder} holds {self._recorded} of the {self.progress.actions} transitions that were "
            "learned from; go on without recording, or train in another folder",
            ErrorCode.STORE_MISMATCH,
        )
        if self._recorded == 0:
            set_aside(folder)  # of a training that was killed before its first save
        with closing(SegmentWriter(folder, self._recorded, about)) as self._recorder:
            yield

    def _learn_from(self, source: Source, report: Callable[[Progress], None]) -> None:
        empty = 0  # tables in a row
        while self.progress.actions < self.config.actions:
            before = self.progress.actions
            self._episode(source, report)
            empty = 0 if self.progress.actions > before else empty + 1
            self._check_admissible(empty)
            if self.progress.actions - self._saved >= self.config.save_after:
                self.save()
        self.save()

    def _check_admissible(self, empty: int) -> None:
        """Raise NO_ADMISSIBLE_ACTION after too many tables on which nothing could be done."""
        scenes = ", ".join(mix.name for mix in self.config.scenes)
        require(
            empty < EMPTY_IN_A_ROW,
            f"{empty} tables in a row had no admissible action: scenes are {scenes}, primitives "
            f"{', '.join(self.config.primitives)}",
            ErrorCode.NO_ADMISSIBLE_ACTION,
        )

    def _episode(self, source: Source, report: Callable[[Progress], None]) -> None:
        progress, done, accidents = self.progress, False, 0
        following = max(progress.episodes, progress.following)
        for transition in source.episode(following, progress.actions):
            number = number_of(transition.episode, self.config.seed)
            progress.following = max(progress.following, number + 1)
            self._learn(transition)
            done = transition.done and transition.reward > 0  # rather than spoilt
            accidents += transition.outcome.accidents
            report(progress)
            if progress.actions == self.config.actions:
                break
        progress.end_episode(done and not accidents)  # what left the table was not cleared away

    def _learn(self, transition: Transition) -> None:
        if self._recorder is not None:
            self._recorder.write(transition)
            self._recorded = self._recorder.count
        self.learner.add(transition)
        changed = self.learner.replay[-1].changed
        updates = self.config.updates_after(self.progress.actions)
        loss = float(np.mean([self.learner.update() for _ in range(updates)]))
        require_finite(self.out, loss, self.learner.updates)
        self._tick()
        action, outcome = transition.action, transition.outcome
        self.progress.add(action.primitive, outcome.success, changed, loss)
        self._curve.add(self.progress.steps[-1])

    def _tick(self) -> None:
        """Count the time since the last call, or since this trainer was made."""
        now = time.monotonic()
        self.progress.seconds += now - self._began
        self._began = now

    def save(self) -> None:
        """Write replay, weights and state; a kill at any moment leaves the last save usable."""
        make_folder(self.out, "out")
        self.learner.replay.save(self.out / "replay")
        training = asdict(self.config) | {
            "actions_done": self.progress.actions,
            "learner": asdict(self.learner.config),
        }
        weights, acting = self.out / "weights.safetensors", self.learner.config.acting
        save_checkpoint(weights, self.learner.network, training, acting)
        self._tick()
        state = {
            "learner": self.learner.state(),
            "progress": self.progress.state(),
            "recorded": self._recorded,
            "settings": json.dumps(self._settings()),
        }
        self._state.save(state)
        self._saved = self.progress.actions

    def _settings(self) -> dict[str, Any]:
        """All that must stay as it is for a training to go on, each by its name, as JSON types."""
        parts = {
            "training": asdict(self.config),
            "learner": asdict(self.learner.config),
            "network": asdict(self.learner.network.config),
            "workspace": asdict(DEFAULT_WORKSPACE),
        }
        settings = flat(parts)
        settings |= {"init": self._init} if self._init else {}  # earlier versions know none
        del settings["training.primitives"]  # network.primitives says it, and always has
        plain: dict[str, Any] = json.loads(json.dumps(settings))
        return plain

    def _resume(self) -> None:
        state = load_state(self._state.path)
        require(
            "settings" in state,
            f"{self.out} holds a training of another version of vpg_ros; choose another folder",
            ErrorCode.STORE_MISMATCH,
        )
        settings = json.loads(state["settings"])
        require(
            "training.scenes" in settings,
            f"{self.out} holds a training from a log (vpg train-offline); choose another folder",
            ErrorCode.STORE_MISMATCH,
        )
        require_same(self.out, _in_full(settings), self._settings())
        self.learner.replay.load(self.out / "replay", state["learner"]["experiences"])
        self.learner.restore(state["learner"])
        self.progress = Progress.of(state["progress"])
        self._saved = self.progress.actions
        self._recorded = state.get("recorded", 0)  # trainings of earlier versions have none


def _in_full(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of a training, with what its version did not name yet."""
    scenes = [{"after": 0, **mix} for mix in settings["training.scenes"]]
    always = {
        "training.late": TrainingConfig.late,
        "training.late_updates": settings["training.updates"],
    }
    return flat(EARLIER) | always | settings | {"training.scenes": scenes}
