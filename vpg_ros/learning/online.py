"""Learning while the robot works: transitions come in, weights go out, and a kill costs little.

The folder of a learning holds ``replay/``, ``weights.safetensors``, ``state.pt`` and ``curve.csv``.
Each appears whole or not at all, in this order, so that the state never speaks of what is not
there.
"""

import math
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vpg_ros.action import Transition
from vpg_ros.atomic import make_folder
from vpg_ros.choices import HIERARCHICAL
from vpg_ros.errors import ErrorCode, require
from vpg_ros.geometry import Workspace
from vpg_ros.learning.curve import Curve
from vpg_ros.learning.learner import CPU, Learner
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.offline.algorithms import check_values
from vpg_ros.learning.progress import WINDOW, Progress
from vpg_ros.learning.state import load_state, require_finite, save_state
from vpg_ros.learning.store.misfit import misfit
from vpg_ros.policy import checkpoint
from vpg_ros.policy.config import ActingConfig, NetworkConfig
from vpg_ros.primitives import DEFAULT_REPERTOIRE

LOSSES = 50  # updates whose mean loss is given

# Which transition something is: episode, step, and the stamp of the scene it ended with.
Identity = tuple[str, int, float]


@dataclass(frozen=True)
class OnlineConfig:
    """How to learn while working.

    rate: AdamW's learning rate, low because good weights are to become better. updates: gradient
    steps for each transition at most. start_after: transitions before the first update. save_after:
    transitions between two saves. warm_up: transitions for which all actions are random;
    exploration: share of random ones afterwards. primitives, head: repertoire and value head (of
    choices.HEADS) of a network that begins with random weights; any other knows its own, and no
    primitives, the default, or the same ones are accepted there.
    """

    seed: int = 0
    rate: float = 3e-4
    updates: int = 4
    start_after: int = 32
    save_after: int = 20
    warm_up: int = 0
    exploration: float = 0.05
    primitives: tuple[str, ...] = ()
    head: str = "scalar"


@dataclass(frozen=True)
class Figures:
    """How learning goes.

    loss: mean of the last LOSSES updates, NaN before the first. grasp_success: of the last WINDOW
    grasps, 0 before the first. actions_per_minute: of wall time, over the last WINDOW actions.
    checkpoint: digest of the weights that were saved last, "" before.
    """

    experiences: int
    updates: int
    loss: float
    grasp_success: float
    actions_per_minute: float
    checkpoint: str


class OnlineLearning:
    """A learner, how far it may go, and where it is kept."""

    def __init__(
        self,
        config: OnlineConfig,
        out: Path,
        workspace: Workspace,
        start: Path | None = None,
        device: torch.device = CPU,
    ) -> None:
        """Continue what ``out`` holds; else begin with the checkpoint ``start``, or from nothing.

        Raises the checkpoint errors, STORE_UNREADABLE for a damaged folder and STORE_MISMATCH for
        one that was learned on another workspace or with other primitives.
        """
        self.config, self.out = config, out
        self.checkpoint = ""
        self._device = device
        self._workspace = workspace
        self._last: Identity | None = None
        self._progress = Progress()
        self._times: deque[float] = deque(maxlen=WINDOW)
        self._losses: deque[float] = deque(maxlen=LOSSES)
        if self._state_path.is_file():
            self._resume()
        else:
            self._begin(start)
        self._saved = len(self._learner.replay)
        self._tried = self._saved  # transitions at the last attempt to save

    @property
    def weights(self) -> Path:
        """Where the weights are saved."""
        return self.out / "weights.safetensors"

    @property
    def exploration(self) -> float:
        """Share of random actions that would be of use now."""
        config = self.config
        return 1.0 if len(self._learner.replay) < config.warm_up else config.exploration

    @property
    def figures(self) -> Figures:
        """How it goes."""
        span = self._times[-1] - self._times[0] if self._times else 0.0
        return Figures(
            len(self._learner.replay),
            self._learner.updates,
            self._loss,
            self._progress.grasp_success,
            60 * (len(self._times) - 1) / span if span > 0 else 0.0,
            self.checkpoint,
        )

    def add(self, transition: Transition) -> bool:
        """Remember a transition; False for the one that came last, which a restart may bring again.

        Raises TRANSITION_INVALID for one that nothing can be learned from.
        """
        identity = (transition.episode, transition.step, transition.after.stamp)
        if identity == self._last:
            return False
        self._check(transition)
        self._learner.add(transition)
        self._last = identity
        self._count(transition)
        return True

    def _count(self, transition: Transition) -> None:
        now = time.monotonic()
        self._progress.seconds += now - self._times[-1] if self._times else 0.0
        self._times.append(now)
        changed = self._learner.replay[-1].changed
        success = transition.outcome.success
        self._progress.add(transition.action.primitive, success, changed, self._loss)

    @property
    def _loss(self) -> float:
        return float(np.mean(self._losses)) if self._losses else math.nan

    @property
    def owed(self) -> int:
        """Updates that the transitions so far allow and that were not made yet."""
        count = len(self._learner.replay)
        allowed = self.config.updates * count if count >= self.config.start_after else 0
        return max(0, allowed - self._learner.updates)

    def update(self) -> None:
        """One gradient step; raises LEARNING_DIVERGED, after which only the saved weights count."""
        loss = self._learner.update()
        require_finite(self.out, loss, self._learner.updates)
        self._losses.append(loss)

    @property
    def unsaved(self) -> int:
        """Transitions since the last save that succeeded."""
        return len(self._learner.replay) - self._saved

    @property
    def save_due(self) -> bool:
        """Whether to save: when what came is learned from, or as much again is waiting."""
        waiting = len(self._learner.replay) - self._tried
        return waiting >= self.config.save_after * (2 if self.owed else 1)

    def save(self) -> None:
        """Write replay, weights and state; raises DISK_FULL, with the earlier ones still whole."""
        self._tried = len(self._learner.replay)  # not again at once where it fails
        make_folder(self.out, "out")
        self._learner.replay.save(self.out / "replay")
        self._save_weights()
        save_state(self._state_path, self._state())
        self._saved = self._tried
        Curve(self.out / "curve.csv", self._progress.steps)

    def _save_weights(self) -> None:
        about = {"experiences": len(self._learner.replay), "updates": self._learner.updates}
        network, acting = self._learner.network, self._learner.config.acting
        self.checkpoint = checkpoint.save(self.weights, network, about, acting)

    def _check(self, transition: Transition) -> None:
        """Raise TRANSITION_INVALID unless the learner can take the transition."""
        reason = misfit(transition, dict(self._learner.network.config.primitives))
        for there in (transition.before.workspace, transition.after.workspace):
            if there != self._workspace:
                reason = f"is of the workspace {there}; the learner's is {self._workspace}"
        where = f"step {transition.step} of episode {transition.episode!r}"
        require(reason is None, f"{where} {reason}", ErrorCode.TRANSITION_INVALID)

    def _make(self, network: NetworkConfig) -> Learner:
        # Where a meta-policy is, pixels learn their part, and what it makes of what they leave.
        targets = "option" if network.strategy == HIERARCHICAL else "discounted"
        rate = self.config.rate
        config = LearnerConfig(rate=rate, final_rate=rate, targets=targets)
        return Learner(network, config, self._workspace, self.config.seed, self._device)

    def _begin(self, start: Path | None) -> None:
        if start is None:
            names = self.config.primitives or DEFAULT_REPERTOIRE
            config = NetworkConfig.of_repertoire(names, self.config.head)
            self._learner = self._make(config)
            return
        check_values(start)
        network, _ = checkpoint.load_to_learn(start, ActingConfig())
        network.config.check_resolution(self._workspace.resolution)
        self._check_primitives(network.config, f"checkpoint {start}", ErrorCode.CHECKPOINT_MISMATCH)
        self._learner = self._make(network.config)
        self._learner.start_from(network)

    def _check_primitives(self, network: NetworkConfig, where: str, code: ErrorCode) -> None:
        names = self.config.primitives
        require(
            not names or names == network.names,
            f"primitives is {', '.join(names)!r}; what is in {where} values "
            f"{', '.join(network.names)}: leave primitives out, or begin with random weights in "
            "another folder",
            code,
        )

    @property
    def _state_path(self) -> Path:
        return self.out / "state.pt"

    def _state(self) -> dict[str, Any]:
        return {
            "learner": self._learner.state(),
            "network": self._learner.network.config.to_json(),
            "workspace": asdict(self._workspace),
            "last": self._last,
            "progress": self._progress.state(),
        }

    def _resume(self) -> None:
        state = load_state(self._state_path)
        here, there = asdict(self._workspace), state.get("workspace")
        require(
            there == here,
            f"{self.out} holds what was learned on the workspace {there}; it is now {here}: "
            "choose another folder",
            ErrorCode.STORE_MISMATCH,
        )
        network = NetworkConfig.from_json(state["network"])
        network.check_primitives()
        self._check_primitives(network, str(self.out), ErrorCode.STORE_MISMATCH)
        self._learner = self._make(network)
        self._learner.replay.load(self.out / "replay", state["learner"]["experiences"])
        self._learner.restore(state["learner"])
        self._last = state["last"] and tuple(state["last"])
        self._progress = Progress.of(state["progress"])
        self._save_weights()  # a kill may have left newer ones than the state
