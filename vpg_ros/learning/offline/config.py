"""What an offline training depends on."""

import math
from dataclasses import dataclass

from vpg_ros.choices import HEADS
from vpg_ros.errors import require_seed, require_setting
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.offline.boltzmann import TEMPERATURE
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.primitives import DEFAULT_REPERTOIRE, repertoire

LOWEST_TEMPERATURE = 1e-3  # below what the network can tell values in [0, 1] apart by


@dataclass(frozen=True)
class OfflineConfig:
    """What an offline training depends on, besides its data and algorithm.

    updates: gradient steps. gamma, push_reward, augment, batch, rate, accident_cost: as of
    LearnerConfig. scenes: whole scenes an update, where an algorithm looks at whole ones.
    temperature: of the Boltzmann policy over all actions. conservatism: CQL's alpha. expectile:
    IQL's tau. sharpness: IQL's beta and the inverse of AWAC's lambda. picks_first: share of the
    updates for which values are learned of picks alone. limit: transitions learned from, 0 for all.
    push_share: share of the actions that do not pick among these, 0 for as it is; the others are
    left out at random. head: of choices.HEADS; one of distributions can be decided by with a risk
    measure. primitives: the repertoire, in the order of the network's outputs.
    """

    updates: int = 2000
    seed: int = 0
    gamma: float = 0.8
    push_reward: float = 0.0
    augment: bool = True
    batch: int = 32
    rate: float = 4e-3
    scenes: int = 2
    temperature: float = TEMPERATURE
    conservatism: float = 0.5
    expectile: float = 0.8
    sharpness: float = 5.0
    picks_first: float = 0.25
    limit: int = 0
    push_share: float = 0.0
    head: str = "scalar"
    primitives: tuple[str, ...] = DEFAULT_REPERTOIRE
    accident_cost: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("updates", 1), ("scenes", 1), ("limit", 0)):
            require_setting(self, name, getattr(self, name) >= least, f">= {least}")
        require_seed(self.seed)
        fine = LOWEST_TEMPERATURE <= self.temperature < math.inf
        require_setting(self, "temperature", fine, f">= {LOWEST_TEMPERATURE} and finite")
        for name in ("conservatism", "sharpness"):
            fine = 0 <= getattr(self, name) < math.inf
            require_setting(self, name, fine, ">= 0 and finite")
        require_setting(self, "expectile", 0 < self.expectile < 1, "in (0, 1)")
        for name in ("picks_first", "push_share"):
            require_setting(self, name, 0 <= getattr(self, name) < 1, "in [0, 1)")
        require_setting(self, "head", self.head in HEADS, f"one of {', '.join(HEADS)}")
        repertoire(self.primitives)
        self.learner()  # checks the settings that it shares

    @property
    def network(self) -> NetworkConfig:
        """What the network is built for."""
        return NetworkConfig.of_repertoire(self.primitives, self.head)

    def learner(self, double: bool = False, targets: str = "discounted") -> LearnerConfig:
        """The settings of a learner of action values: uniform replay, as a log has no newest."""
        return LearnerConfig(
            rate=self.rate,
            decay_updates=self.updates,
            batch=self.batch,
            newest_share=0.0,
            gamma=self.gamma,
            refresh_every=2,
            realised=False,
            targets=targets,
            push_reward=self.push_reward,
            augment=self.augment,
            double=double,
            priority=0.0,
            accident_cost=self.accident_cost,
        )
