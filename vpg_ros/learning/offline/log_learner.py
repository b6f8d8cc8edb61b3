"""The learner of action values, with a log for its replay."""

from typing import Any

from vpg_ros import primitives
from vpg_ros.learning.learner import Learner, NextValue, Penalty
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.log import Log
from vpg_ros.policy.config import NetworkConfig


class LogLearner(Learner):
    """Learns the values of picks first, those of all actions then.

    What a push is worth is made of the values of the scene it leaves. Those of picks need nothing
    but the log, and before they are learned a scene would be valued by chance; to value all of them
    again later is what learning from a large log has no time for.
    """

    def __init__(
        self,
        log: Log,
        network: NetworkConfig,
        config: OfflineConfig,
        double: bool = False,
        next_value: NextValue | None = None,
        penalty: Penalty | None = None,
    ) -> None:
        settings = config.learner(double)
        super().__init__(
            network,
            settings,
            log.workspace,
            config.seed,
            next_value=next_value,
            penalty=penalty,
        )
        picks = [i for i in range(len(log)) if log.picks(i)]
        self._first = int(config.picks_first * config.updates) if picks else 0
        self._later = [log.experiences[i] for i in range(len(log)) if not log.picks(i)]
        for i in picks:
            self.remember(log.experiences[i])
        self._complete()

    @property
    def knows_all(self) -> bool:
        """Whether it learns from the whole log by now."""
        return not self._later

    @property
    def valued(self) -> tuple[str, ...]:
        """The primitives that it learns the values of by now."""
        names = self.network.config.names
        return names if self.knows_all else tuple(n for n in names if primitives.get(n).picks)

    def _complete(self) -> None:
        """Remember what is learned from later, when it is time."""
        if self.updates >= self._first:
            for each in self._later:
                self.remember(each)
            self._later = []

    def update(self) -> float:
        """One gradient step; returns the loss."""
        self._complete()
        return super().update()

    def restore(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``state`` was taken; the log is the replay."""
        if state["experiences"] > len(self.replay):
            self._first = 0
            self._complete()
        super().restore(state)
