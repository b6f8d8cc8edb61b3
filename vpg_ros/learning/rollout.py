"""Rollouts: a policy, or chance, acting on one table after the other."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from vpg_ros.action import Action, Transition
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.config import TrainingConfig
from vpg_ros.learning.env import TableEnv
from vpg_ros.policy import Policy
from vpg_ros.policy.exploration import explore, explore_primitives
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.risk import MEAN, RiskMeasure, make_risk

_SCENES = 1_000_000  # seeds of scenes are this times seed + 1, and the episode's number


def number_of(episode: str, seed: int) -> int:
    """The number of an episode of that name, of a source with that seed."""
    return int(episode.rpartition("-")[2]) - _SCENES * (seed + 1)


class Source(Protocol):
    """Where a training's transitions come from."""

    def episode(self, number: int, actions: int) -> Iterator[Transition]:
        """The transitions of one more episode.

        number: none learned from so far has this one or a higher one. actions: learned from so far.
        The transitions' episode ends with the seed of its scene (see ``number_of``).
        """
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class Rollout:
    """Episodes on a table in this process, one action whenever the next transition is asked for.

    policy: called before every greedy action, so that it may have learned in between. Scenes and
    random draws depend on the configuration's seed and the episode's number alone.
    """

    def __init__(self, config: TrainingConfig, policy: Callable[[], Policy]) -> None:
        self._config, self._policy = config, policy
        self._risk = make_risk(config.risk, config.alpha)
        self._env = TableEnv(camera=config.camera, task=config.task)

    def episode(self, number: int, actions: int) -> Iterator[Transition]:
        """One scene, until it is clear or given up; see :class:`Source`."""
        rng = np.random.default_rng((self._config.seed, number))
        heightmap = self._new_scene(rng, number, actions)
        measure = self._risk if number % 2 else MEAN
        while not self._env.over:
            try:
                action = self._choose(heightmap, rng, actions, measure)
            except VpgError as error:
                if error.code is not ErrorCode.NO_ADMISSIBLE_ACTION:
                    raise
                return
            transition = self._env.step(action)
            heightmap = transition.after
            actions += 1
            yield transition

    def close(self) -> None:
        """Free the simulation."""
        self._env.world.close()

    def _new_scene(self, rng: np.random.Generator, number: int, actions: int) -> Heightmap:
        mixes = [mix for mix in self._config.scenes if mix.after <= actions]
        weights = np.array([mix.weight for mix in mixes])
        mix = mixes[int(rng.choice(len(mixes), p=weights / weights.sum()))]
        objects = int(rng.integers(mix.fewest, mix.most + 1))
        return self._fitting(mix.name, objects, _SCENES * (self._config.seed + 1) + number)

    def _fitting(self, scene: str, objects: int, seed: int) -> Heightmap:
        """The scene with as many of the objects as find room; a crowded draw may not hold all."""
        for fewer in range(objects):
            try:
                return self._env.reset(scene, objects - fewer, seed)
            except VpgError as error:
                if error.code is not ErrorCode.SCENE_INVALID:
                    raise
        raise VpgError(ErrorCode.SCENE_INVALID, f"scene {scene!r} has no room for one object")

    def _choose(
        self, heightmap: Heightmap, rng: np.random.Generator, actions: int, measure: RiskMeasure
    ) -> Action:
        config, tried = self._config, self._env.tried
        warm = actions >= config.warm_up
        if warm and rng.random() >= config.exploration:
            return self._acting(measure).decide(heightmap, tried).action
        if warm and config.guided_share > 0 and rng.random() < config.guided_share:
            policy = self._acting(measure)
            if isinstance(policy, NetworkPolicy):  # others know no values of one primitive alone
                return explore_primitives(rng, policy, heightmap, tried).action
        share, names = config.other_share, config.primitives
        return explore(rng, share, heightmap, tried, config.mask, names).action

    def _acting(self, measure: RiskMeasure) -> Policy:
        """The policy as it is now, under a measure where it knows of any."""
        policy = self._policy()
        return policy.with_risk(measure) if isinstance(policy, NetworkPolicy) else policy
