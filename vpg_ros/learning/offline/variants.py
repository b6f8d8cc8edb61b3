"""Variants of a training, by name: one thing changed in each, to see what decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vpg_ros.choices import DEFAULT_ALPHA
from vpg_ros.learning.offline import algorithms
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.policy.risk import MEAN

_OF_DATA = ("push_share",)  # what every algorithm heeds


@dataclass(frozen=True)
class Variant:
    """changes: to fields of OfflineConfig. risk, alpha: what is decided by, as of ``make_risk``."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    risk: str = MEAN.name
    alpha: float = DEFAULT_ALPHA

    def config(self, updates: int, seed: int) -> OfflineConfig:
        """The settings of one training."""
        return OfflineConfig(updates=updates, seed=seed, **self.changes)

    def concerns(self, algorithm: str) -> bool:
        """Whether a training of the algorithm becomes another one."""
        heeded = {*_OF_DATA, *algorithms.get(algorithm).heeds}
        return not self.changes or any(name in heeded for name in self.changes)


PLAIN = "plain"  # the variant without changes

VARIANTS: dict[str, Variant] = {
    PLAIN: Variant(),
    # Primitive balance: pushes among what is learned from.
    "few-pushes": Variant({"push_share": 0.05}),
    "half-pushes": Variant({"push_share": 0.5}),
    # Discount.
    "short-sighted": Variant({"gamma": 0.5}),
    "far-sighted": Variant({"gamma": 0.95}),
    # Conservatism, of CQL.
    "not-conservative": Variant({"conservatism": 0.0}),
    "less-conservative": Variant({"conservatism": 0.1}),
    # Reward for change: below 1 − γ, so that a push before a pick is worth less than the pick.
    "push-reward": Variant({"push_reward": 0.1}),
    # Augmentation.
    "no-augmentation": Variant({"augment": False}),
    # Pushes are learned from before picks are valued.
    "all-at-once": Variant({"picks_first": 0.0}),
    # Distributions of returns, decided by their mean, and by their worse half.
    "distributional": Variant({"head": "categorical"}),
    "cautious": Variant({"head": "categorical"}, "cvar", 0.5),
}
