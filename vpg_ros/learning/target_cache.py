"""Targets of stored experiences; what takes long, the worth of a scene that one led to, is kept."""

from collections.abc import Callable
from typing import Any

from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.replay import Experience, Replay
from vpg_ros.learning.returns import Returns
from vpg_ros.learning.targets import RULES

ACCIDENT = Returns.certain(0.0)


class TargetCache:
    """What the values of stored experiences' actions are drawn towards.

    following: what the scene that an experience led to comes to.
    """

    def __init__(
        self, replay: Replay, config: LearnerConfig, following: Callable[[Experience], Returns]
    ) -> None:
        self.following = following
        self._replay, self._config = replay, config
        self._rule, self._range = RULES[config.targets], config.range
        self._nothing = config.acting.nothing
        self._kept: dict[int, Returns] = {}  # oldest evaluation first
        self._realised: dict[int, int] = {}  # bootstrapped experience → what the policy did next

    def of(self, index: int) -> Returns:
        """The target of a stored experience."""
        experience, config = self._replay[index], self._config
        if experience.accidents and config.accident_cost > 0:
            return ACCIDENT
        earned = self._rule.earned(experience, config.push_reward) / self._range
        discount = self._rule.share * config.gamma
        return self._next(index).after(earned, discount, self._nothing)

    def _next(self, index: int) -> Returns:
        """What counts of what came after a stored experience."""
        experience = self._replay[index]
        if index in self._realised:
            return self.of(self._realised[index])
        if not self._rule.bootstraps(experience):
            return Returns.certain(self._nothing)
        if index not in self._kept:
            self._kept[index] = self.following(experience)
        return self._kept[index]

    def realise(self, index: int) -> None:
        """Let what came of the experience after this one stand for the scene between them."""
        if self._kept.pop(index, None) is not None:
            self._realised[index] = index + 1

    def refresh(self) -> None:
        """Evaluate anew the scene that has not been for longest."""
        index = next(iter(self._kept), None)
        if index is not None:
            del self._kept[index]
            self._kept[index] = self.following(self._replay[index])

    def value_anew(self) -> None:
        """Evaluate every scene by the weights as they are."""
        self._kept.clear()
        for index in range(len(self._replay)):
            self.of(index)

    def state(self) -> dict[str, Any]:
        """Plain types; see ``restore``."""
        return {
            "next_values": [(index, each.to_plain()) for index, each in self._kept.items()],
            "follow_ups": list(self._realised.items()),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue where ``state`` was taken."""
        self._kept = {index: Returns.from_plain(each) for index, each in state["next_values"]}
        self._realised = dict(state.get("follow_ups", ()))  # earlier versions have none
