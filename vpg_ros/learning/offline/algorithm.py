"""What an offline algorithm is, and the registry that is the only list of them."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from vpg_ros.choices import SCALAR
from vpg_ros.errors import ErrorCode, require
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.log import Log
from vpg_ros.policy.checkpoint import training_of
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import Network


class Algorithm(ABC):
    """Learns a policy from a log, one ``update`` at a time; deterministic for a seed on one thread.

    name: registry key, and with _ for - that of its module, by which the commands offer it. heeds:
    the fields of OfflineConfig that make a difference to it, of those that say what values are
    learned and how; "head" and "accident_cost" where the outputs are values of actions, which those
    of one that imitates are not. The policy is the greedy one of ``network``.
    """

    name: ClassVar[str]
    heeds: ClassVar[tuple[str, ...]] = ()

    def __init__(self, log: Log, network: NetworkConfig, config: OfflineConfig) -> None:
        self.log, self.config = log, config

    @abstractmethod
    def update(self) -> float:
        """One gradient step; returns its loss."""

    @property
    @abstractmethod
    def network(self) -> Network:
        """The averaged weights, whose highest output chooses the action."""

    @property
    @abstractmethod
    def valuing(self) -> Network | None:
        """The averaged weights whose outputs are values of actions; None where there are none."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs, tensors and plain types."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``state`` was taken."""


# What all that learn values heed.
VALUES = ("gamma", "push_reward", "augment", "picks_first")

_REGISTRY: dict[str, type[Algorithm]] = {}


def register(algorithm: type[Algorithm]) -> type[Algorithm]:
    """Class decorator: make an algorithm known by its name."""
    _REGISTRY[algorithm.name] = algorithm
    return algorithm


def get(name: str) -> type[Algorithm]:
    """The algorithm called ``name``; raises PARAMETER_INVALID with the names there are."""
    require(name in _REGISTRY, f"algorithm is {name!r}; it must be one of {', '.join(names())}")
    return _REGISTRY[name]


def check_config(name: str, config: OfflineConfig) -> None:
    """Raise PARAMETER_INVALID for distributions or accidents where an algorithm learns of none."""
    for field, without in (("head", SCALAR), ("accident_cost", 0.0)):
        value = getattr(config, field)
        require(
            value == without or field in get(name).heeds,
            f"{field} is {value!r}, of which {name} learns nothing; with it the algorithm must be "
            f"one of {', '.join(_heeding(field))}",
        )


def check_values(weights: Path) -> None:
    """Raise CHECKPOINT_MISMATCH for those of an algorithm whose outputs are no values of actions.

    There is nothing to go on learning from in them. Raises as ``checkpoint.load``.
    """
    name, valuing = training_of(weights).get("algorithm"), _heeding("head")
    require(
        name not in names() or name in valuing,
        f"checkpoint {weights} was learned by {name}, whose outputs are no values of actions; what "
        f"can be gone on with is of {', '.join(valuing)}, or learned by acting",
        ErrorCode.CHECKPOINT_MISMATCH,
    )


def _heeding(field: str) -> tuple[str, ...]:
    return tuple(name for name in names() if field in get(name).heeds)


def names() -> tuple[str, ...]:
    """Names of all algorithms."""
    return tuple(sorted(_REGISTRY))
