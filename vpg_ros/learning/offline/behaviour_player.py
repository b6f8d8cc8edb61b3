"""Who acts in a kind of data set, as a player of evaluations."""

from dataclasses import dataclass

from vpg_ros.learning.evaluate import Contestant, Player
from vpg_ros.learning.offline.behaviour import BEHAVIOURS, weights_of
from vpg_ros.primitives import DEFAULT_REPERTOIRE


@dataclass(frozen=True)
class BehaviourPlayer(Player):
    """kind: of BEHAVIOURS. A table's seed is that of who acts on it."""

    def load(self) -> Contestant:
        """Raises as ``load_policy``."""
        return Contestant(weights_of(self.kind), DEFAULT_REPERTOIRE, BEHAVIOURS[self.kind])
