"""How a learner learns."""

import math
from dataclasses import dataclass

from vpg_ros import primitives
from vpg_ros.errors import require, require_setting
from vpg_ros.learning.descent import DescentConfig
from vpg_ros.learning.hierarchy.meta_level import check_schedule
from vpg_ros.learning.targets import RULES
from vpg_ros.policy.config import SMOOTHING, ActingConfig


@dataclass(frozen=True)
class LearnerConfig(DescentConfig):
    """How to learn.

    batch: samples an update, of which newest_share come from the ``newest`` experiences. gamma:
    discount. refresh_every: updates between two re-evaluations of the oldest bootstrapped target.
    reach: m around an action within which the scene it leaves counts for its value: what waits
    elsewhere waited there before, and would hide whether the action did any good; farther for a
    primitive that carries things farther. realised: whether what the policy really did next within
    reach, and what came of it, is taken for that scene's value (SARSA; Rummery & Niranjan 1994)
    where the policy acted at all: a maximum over a hundred thousand places finds the one that is
    valued too high. Of experiences that are merely remembered nothing is known but the scene they
    led to.

    smoothing: cells a side over which values are averaged, as of Evaluator, both when the policy
    acts and when the next scene is valued. targets: name of the rule in ``targets.RULES``.
    push_reward: for an action other than a pick that changed the scene. target_network: whether the
    averaged weights value the next scene, rather than the learning ones. double: whether the
    learning weights choose which action of the next scene is valued (Double DQN, van Hasselt et al.
    2016, equation 4). augment: whether samples are mirrored and turned where that changes nothing.
    mask: whether inadmissible actions are left out of the next scene's value and of what the policy
    chooses. empty_table: weight of drawing the best-valued place towards 0 where it is empty table
    (Hundt et al. 2020, SPOT-Q). priority: exponent of rank-based prioritised replay (Schaul et al.
    2016), 0 for uniform. schedule: of a hierarchical strategy, whether its two levels learn from
    the beginning ("joint"), or one after the other and then both ("staged", ``meta_level.STAGES``).
    newest, priority, target_network, double and augment are of the pixels: a hierarchy's upper
    level (``MetaLevel``) does not heed them. accident_cost: what an accident costs, in picks; 0 for
    accidents to be overlooked.
    """

    batch: int = 32
    newest: int = 64
    newest_share: float = 0.25
    gamma: float = 0.8
    refresh_every: int = 2
    reach: float = 0.15
    smoothing: int = SMOOTHING
    realised: bool = False
    targets: str = "discounted"
    push_reward: float = 0.0
    target_network: bool = True
    double: bool = False
    augment: bool = True
    mask: bool = True
    empty_table: float = 0.0
    priority: float = 0.6
    schedule: str = "joint"
    accident_cost: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_setting(self, "gamma", 0 <= self.gamma < 1, "in [0, 1)")
        for name in ("batch", "newest", "refresh_every"):
            require_setting(self, name, getattr(self, name) >= 1, ">= 1")
        require_setting(self, "newest_share", 0 <= self.newest_share <= 1, "in [0, 1]")
        require_setting(self, "targets", self.targets in RULES, f"one of {', '.join(RULES)}")
        check_schedule(self.schedule)
        require(self.reach > 0, f"reach is {self.reach} m; it must be > 0")
        odd = self.smoothing > 0 and self.smoothing % 2 == 1
        require_setting(self, "smoothing", odd, "an odd number > 0")
        require_setting(self, "push_reward", 0 <= self.push_reward <= 1, "in [0, 1], 1 a pick's")
        for name in ("empty_table", "priority"):
            require_setting(self, name, 0 <= getattr(self, name) < math.inf, ">= 0 and finite")
        require_setting(self, "accident_cost", 0 <= self.accident_cost <= 1000, "in [0, 1000]")

    def reach_of(self, primitive: str) -> float:
        """M around an action of a primitive within which the scene it leaves counts."""
        return max(self.reach, primitives.get(primitive).carries)

    @property
    def range(self) -> float:
        """From an accident to the largest return, in picks: what values are shares of."""
        return self.accident_cost + RULES[self.targets].bound(self.push_reward, self.gamma)

    @property
    def acting(self) -> ActingConfig:
        """How what is learned is meant by whoever acts."""
        return ActingConfig(self.smoothing, self.accident_cost / self.range)

    def counts(self, primitive: str) -> bool:
        """Whether the worth of a scene that an action leaves may be that of a primitive in it."""
        return primitives.get(primitive).picks or not RULES[self.targets].by_picks
