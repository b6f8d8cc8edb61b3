"""What to train on and for how long."""

import math
from dataclasses import dataclass

from vpg_ros.choices import (
    CAMERAS,
    DEFAULT_ALPHA,
    DEFAULT_RISK,
    FLAT,
    HEADS,
    SCALAR,
    STRATEGIES,
    TASKS,
    TRUNKS,
    require_risk,
)
from vpg_ros.errors import require, require_seed, require_setting
from vpg_ros.primitives import DEFAULT_REPERTOIRE, repertoire
from vpg_ros.sim.scenes.base import check


@dataclass(frozen=True)
class SceneMix:
    """A scene family, how often it is drawn, and between how many objects.

    after: actions before which it is not drawn at all.
    """

    name: str
    weight: float
    fewest: int
    most: int
    after: int = 0

    def __post_init__(self) -> None:
        allowed = 0 < self.weight < math.inf
        require(allowed, f"weight of scene {self.name!r} is {self.weight}; it must be > 0")
        require(self.after >= 0, f"after of scene {self.name!r} is {self.after}; it must be >= 0")
        require(
            self.fewest <= self.most,
            f"scene {self.name!r} is asked for {self.fewest} to {self.most} objects; "
            "fewest must not exceed most",
        )
        check(self.name, self.fewest)
        check(self.name, self.most)


@dataclass(frozen=True)
class TrainingConfig:
    """What to train on and for how long.

    actions: in all. warm_up: random actions before the policy acts. exploration: share of random
    actions afterwards. other_share: share of the random actions drawn from all primitives instead
    of from those that pick. guided_share: share of those after the warm-up of which the primitive
    alone is random, done where the policy would. primitives: the repertoire, in the order of the
    network's outputs.
    updates: gradient steps an action, late_updates once ``late`` actions are done. save_after:
    actions between two saves (at ends of episodes). camera: as of TableEnv. colour: whether to
    learn from it too. mask: whether random actions are drawn from the admissible ones alone. ahead:
    whether to act in a process of its own, one action ahead of the learner, rather than in turns
    with it. trunks: one network "shared" by all primitives, or "separate" ones. head: what a value
    is, of choices.HEADS.
    strategy: how an action is chosen, of choices.STRATEGIES. task: as of TableEnv. risk, alpha: the
    measure that every other table is played by, so that what a careful policy comes to is learned
    from too; the rest by the mean.
    """

    actions: int = 2000
    seed: int = 0
    warm_up: int = 150
    exploration: float = 0.02
    other_share: float = 1.0
    guided_share: float = 0.0
    primitives: tuple[str, ...] = DEFAULT_REPERTOIRE
    updates: int = 3
    late: int = 500
    late_updates: int = 1
    save_after: int = 50
    camera: str = "perspective"
    colour: bool = False
    mask: bool = True
    ahead: bool = True
    trunks: str = "shared"
    head: str = "scalar"
    strategy: str = FLAT
    task: str = "clear"
    risk: str = DEFAULT_RISK
    alpha: float = DEFAULT_ALPHA
    scenes: tuple[SceneMix, ...] = (
        SceneMix("random", 0.25, 4, 14),
        SceneMix("tight", 0.75, 3, 10),
    )

    def __post_init__(self) -> None:
        for name, least in (("actions", 1), ("warm_up", 0), ("late", 0)):
            require_setting(self, name, getattr(self, name) >= least, f">= {least}")
        require_seed(self.seed)
        for name in ("updates", "late_updates", "save_after"):
            require_setting(self, name, getattr(self, name) >= 1, ">= 1")
        for name in ("exploration", "other_share", "guided_share"):
            require_setting(self, name, 0 <= getattr(self, name) <= 1, "in [0, 1]")
        repertoire(self.primitives)
        require_setting(self, "camera", self.camera in CAMERAS, f"one of {', '.join(CAMERAS)}")
        words = (("trunks", TRUNKS), ("head", HEADS), ("strategy", STRATEGIES), ("task", TASKS))
        for name, allowed in words:
            require_setting(
                self, name, getattr(self, name) in allowed, f"one of {', '.join(allowed)}"
            )
        require_risk(self.risk, self.alpha)
        knows = self.risk == DEFAULT_RISK or self.head != SCALAR
        require_setting(self, "risk", knows, "mean where the head is scalar, which knows no other")
        begins = any(mix.after == 0 for mix in self.scenes)
        require_setting(
            self, "scenes", begins, "a list of scenes, at least one of them with after 0"
        )

    @property
    def all_updates(self) -> int:
        """Gradient steps of the whole training."""
        return self._updates_until(self.actions)

    @property
    def half_updates(self) -> int:
        """Gradient steps of its first half, over which the rate falls unless it is told."""
        return max(1, self._updates_until(self.actions // 2))

    def updates_after(self, actions: int) -> int:
        """Gradient steps that follow the action before which so many were done."""
        return self.updates if actions < self.late else self.late_updates

    def _updates_until(self, actions: int) -> int:
        early = min(actions, self.late)
        return early * self.updates + (actions - early) * self.late_updates
