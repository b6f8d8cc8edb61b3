"""The training loop: act, learn, save; resumable after a kill at any moment."""

import io
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vpg_ros import primitives
from vpg_ros.action import Action, Transition
from vpg_ros.atomic import write_atomically
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.env import TableEnv
from vpg_ros.learning.learner import Learner, LearnerConfig
from vpg_ros.policy import RandomPolicy
from vpg_ros.policy.checkpoint import save as save_checkpoint
from vpg_ros.policy.config import NetworkConfig

WINDOW = 100  # grasps over which success is reported


@dataclass(frozen=True)
class SceneMix:
    """A scene family, how often it is drawn, and between how many objects."""

    name: str
    weight: float
    fewest: int
    most: int


@dataclass(frozen=True)
class TrainingConfig:
    """What to train on and for how long.

    actions: in all. warm_up: random actions before the policy acts. exploration: share of random
    actions afterwards. other_share: share of the random actions drawn from all primitives instead
    of from those that pick. updates: gradient steps an action. save_after: actions between
    two saves (at ends of episodes). camera: as of TableEnv.
    """

    actions: int = 2000
    seed: int = 0
    warm_up: int = 150
    exploration: float = 0.05
    other_share: float = 0.4
    updates: int = 1
    save_after: int = 50
    camera: str = "perspective"
    colour: bool = False
    scenes: tuple[SceneMix, ...] = (
        SceneMix("random", 0.6, 4, 14),
        SceneMix("packed", 0.4, 4, 12),
    )

    def __post_init__(self) -> None:
        require(self.actions > 0, f"actions is {self.actions}; it must be > 0")
        require(self.seed >= 0, f"seed is {self.seed}; it must be >= 0")


@dataclass
class Progress:
    """How training goes.

    outcomes: (primitive, whether it succeeded, whether the scene changed) of every action.
    losses: mean loss of each action's updates. seconds: spent so far, all runs together.
    """

    outcomes: list[tuple[str, bool, bool]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0
    episodes: int = 0

    @property
    def actions(self) -> int:
        """Actions done."""
        return len(self.outcomes)

    @property
    def grasp_success(self) -> float:
        """Success rate of the last WINDOW picking actions, 0 before the first."""
        picks = [ok for name, ok, _ in self.outcomes if primitives.get(name).picks][-WINDOW:]
        return float(np.mean(picks)) if picks else 0.0

    @property
    def actions_per_minute(self) -> float:
        """Over the whole training."""
        return 60 * self.actions / max(self.seconds, 1e-9)


class Trainer:
    """One training: a learner, an environment and where they are kept."""

    def __init__(
        self, config: TrainingConfig, out: Path, learner_config: LearnerConfig | None = None
    ) -> None:
        self.config, self.out = config, out
        self.progress = Progress()
        self._env = TableEnv(camera=config.camera)
        self.learner = Learner(
            NetworkConfig.of_registry(colour=config.colour),
            learner_config or LearnerConfig(decay_updates=config.actions * config.updates),
            self._env.workspace,
            config.seed,
        )
        self._saved = 0
        if self._state_path.is_file():
            self._resume()

    def run(self, report: Callable[[Progress], None] = lambda progress: None) -> Path:
        """Train to the end; returns the path of the weights. ``report`` hears of every action."""
        while self.progress.actions < self.config.actions:
            self._episode(report)
            if self.progress.actions - self._saved >= self.config.save_after:
                self.save()
        self.save()
        return self.out / "weights.safetensors"

    def _episode(self, report: Callable[[Progress], None]) -> None:
        """One scene, until it is clear or given up.

        Scene and random draws depend on the seed and the episode's number alone.
        """
        self._rng = np.random.default_rng((self.config.seed, self.progress.episodes))
        heightmap = self._new_scene()
        while not self._env.over and self.progress.actions < self.config.actions:
            start = time.monotonic()
            try:
                action = self._choose(heightmap)
            except VpgError as error:
                if error.code is not ErrorCode.NO_ADMISSIBLE_ACTION:
                    raise
                break
            transition = self._env.step(action)
            heightmap = transition.after
            self._learn(transition)
            self.progress.seconds += time.monotonic() - start
            report(self.progress)
        self.progress.episodes += 1

    def _new_scene(self) -> Heightmap:
        mixes = self.config.scenes
        weights = np.array([mix.weight for mix in mixes])
        mix = mixes[int(self._rng.choice(len(mixes), p=weights / weights.sum()))]
        objects = int(self._rng.integers(mix.fewest, mix.most + 1))
        seed = 1_000_000 * (self.config.seed + 1) + self.progress.episodes
        return self._fitting(mix.name, objects, seed)

    def _fitting(self, scene: str, objects: int, seed: int) -> Heightmap:
        """The scene with as many of the objects as find room; a crowded draw may not hold all."""
        for fewer in range(objects):
            try:
                return self._env.reset(scene, objects - fewer, seed)
            except VpgError as error:
                if error.code is not ErrorCode.SCENE_INVALID:
                    raise
        raise VpgError(ErrorCode.SCENE_INVALID, f"scene {scene!r} has no room for one object")

    def _choose(self, heightmap: Heightmap) -> Action:
        exploring = self.progress.actions < self.config.warm_up
        if exploring or self._rng.random() < self.config.exploration:
            return self._explore(heightmap)
        return self.learner.policy().decide(heightmap, self._env.tried).action

    def _explore(self, heightmap: Heightmap) -> Action:
        """A random action; random picks alone teach most of what there is to learn at first."""
        others = self._rng.random() < self.config.other_share
        names = tuple(n for n in primitives.names() if others or primitives.get(n).picks)
        random = RandomPolicy(int(self._rng.integers(2**31)), names)
        return random.decide(heightmap, self._env.tried).action

    def _learn(self, transition: Transition) -> None:
        self.learner.add(transition)
        losses = [self.learner.update() for _ in range(self.config.updates)]
        changed = self.learner.replay[-1].changed
        outcome = (transition.action.primitive, transition.outcome.success, changed)
        self.progress.outcomes.append(outcome)
        self.progress.losses.append(float(np.mean(losses)))

    @property
    def _state_path(self) -> Path:
        return self.out / "state.pt"

    def save(self) -> None:
        """Write replay, weights and state; a kill at any moment leaves the last save usable."""
        self.out.mkdir(parents=True, exist_ok=True)
        self.learner.replay.save(self.out / "replay")
        training = asdict(self.config) | {"actions_done": self.progress.actions}
        save_checkpoint(self.out / "weights.safetensors", self.learner.network, training)
        state = {
            "learner": self.learner.state(),
            "progress": asdict(self.progress),
            "config": repr(self.config),
        }
        _save_state(self._state_path, state)
        self._saved = self.progress.actions

    def _resume(self) -> None:
        state = _load_state(self._state_path)
        require(
            state["config"] == repr(self.config),
            f"{self.out} holds a training with other settings: {state['config']}; "
            "continue with those or choose another folder",
            ErrorCode.STORE_MISMATCH,
        )
        self.learner.replay.load(self.out / "replay", state["learner"]["experiences"])
        self.learner.restore(state["learner"])
        self.progress = Progress(**state["progress"])
        self._saved = self.progress.actions


def _save_state(path: Path, state: dict[str, Any]) -> None:
    file = io.BytesIO()  # torch reports a full disk as a RuntimeError
    torch.save(state, file)
    write_atomically(path, file.getvalue())


def _load_state(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except Exception as error:  # torch raises a different one for each kind of damage
        raise VpgError(
            ErrorCode.STORE_UNREADABLE, f"training state {path} is damaged: {error}"
        ) from error
    return state
