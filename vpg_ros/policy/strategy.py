"""Strategies: in which order primitives are looked at before an action is chosen.

A strategy makes groups of primitives. The best admissible action of the first group that has one is
taken; what values the groups after it is never run.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from vpg_ros.action import Action
from vpg_ros.choices import HIERARCHICAL, STRATEGIES
from vpg_ros.errors import ErrorCode, require

Groups = Iterator[tuple[str, ...]]
# Share by which a primitive's value falls for each of its actions that came to nothing on this
# table, so that another one's turn comes before all of its places were tried.
META_DOUBT = 0.2
_DIGITS = 6  # decimals of a value that rounding leaves intact


def flat(names: tuple[str, ...]) -> Groups:
    """All primitives together: the argmax over all of their maps."""
    yield names


def hierarchical(worth: Mapping[str, tuple[float, ...]], tried: Sequence[Action]) -> Groups:
    """One primitive after the other, the one first that is worth most to the meta-policy.

    worth: of every primitive on this table, its value and then what tells equal ones apart; those
    that are equal in all keep their order. Raises VALUES_INVALID where one is no number.
    """
    wrong = [name for name, values in worth.items() if math.isnan(sum(values))]
    require(
        not wrong,
        f"the meta-policy's value of {', '.join(wrong)} is not a number: the weights are broken",
        ErrorCode.VALUES_INVALID,
    )
    failures = Counter(action.primitive for action in tried)

    def doubted(name: str) -> tuple[float, ...]:
        lost = 1 - (1 - META_DOUBT) ** failures[name]
        return tuple(round(value - abs(value) * lost, _DIGITS) for value in worth[name])

    for name in sorted(worth, key=doubted, reverse=True):
        yield (name,)


def check_chooser(policy: str, strategy: str) -> None:
    """Raise PARAMETER_INVALID for a strategy of a policy that is not the network."""
    require(
        policy == "network" or not strategy,
        f"strategy is {strategy!r}; the {policy} policy knows none, leave it out",
    )


def check_strategy(name: str, has_meta: bool) -> None:
    """Raise PARAMETER_INVALID for an unknown strategy, or one that lacks its meta-policy."""
    require(name in STRATEGIES, f"strategy is {name!r}; it must be one of {', '.join(STRATEGIES)}")
    require(
        name != HIERARCHICAL or has_meta,
        f"strategy is {name!r}; these weights have no meta-policy: "
        "use weights that were trained with this strategy",
    )
