"""Filtered behaviour cloning: do what worked (Chen et al. 2021, section 5.1, "%BC")."""

from collections.abc import Sequence
from typing import ClassVar

from vpg_ros.errors import ErrorCode, require
from vpg_ros.learning.offline.algorithm import register
from vpg_ros.learning.offline.algorithms.bc import BehaviourCloning


@register
class FilteredBehaviourCloning(BehaviourCloning):
    """Clones the actions whose return in the log is at least gamma.

    By the rule of ``Log.returns`` these are the picks, and the pushes that a pick followed at once.
    """

    name: ClassVar[str] = "filtered-bc"

    def cloned(self) -> Sequence[int]:
        """Indices of what worked; raises STORE_MISMATCH when nothing did."""
        returns = self.log.returns(self.config.gamma)
        worked = [i for i, value in enumerate(returns) if value >= self.config.gamma and value > 0]
        require(
            len(worked) > 0,
            f"no action of the {len(self.log)} in the data set led to a pick; nothing to clone",
            ErrorCode.STORE_MISMATCH,
        )
        return worked
