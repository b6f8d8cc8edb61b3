"""Value heads: how the network's last layer speaks of values. One file a head."""

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.heads.base import DistributionalHead, ValueHead
from vpg_ros.policy.heads.categorical import CategoricalHead
from vpg_ros.policy.heads.implicit import ImplicitQuantileHead
from vpg_ros.policy.heads.quantile import QuantileHead
from vpg_ros.policy.heads.scalar import ScalarHead

__all__ = ["HEADS", "Distribution", "DistributionalHead", "ValueHead", "make_head"]

HEADS: dict[str, type[ValueHead]] = {  # choices.HEADS has the same names
    "scalar": ScalarHead,
    "categorical": CategoricalHead,
    "quantile": QuantileHead,
    "implicit": ImplicitQuantileHead,
}


def make_head(name: str, features: int, outputs: int) -> ValueHead:
    """The head called ``name``; raises CHECKPOINT_MISMATCH with the names there are."""
    if name not in HEADS:
        raise VpgError(
            ErrorCode.CHECKPOINT_MISMATCH,
            f"value head is {name!r}; known heads: {', '.join(HEADS)}",
        )
    return HEADS[name](features, outputs)
