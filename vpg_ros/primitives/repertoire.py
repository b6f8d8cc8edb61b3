"""The repertoire: which of the registered primitives one system chooses from.

Registering a primitive puts it within reach; whoever wants it used names it. A checkpoint knows
the repertoire that its network was built for.
"""

from collections.abc import Iterable

from vpg_ros.errors import require
from vpg_ros.primitives.base import get
from vpg_ros.primitives.base import names as registered

DEFAULT_REPERTOIRE = ("grasp", "push")  # Zeng et al. 2018
# What is measured and compared, in this order. Any that is added comes after, so that seven stay
# the same seven.
_FIRST = (*DEFAULT_REPERTOIRE, "lever", "roll", "squeeze", "stack", "topple")


def repertoire(names: Iterable[str]) -> tuple[str, ...]:
    """``names`` in their order, which is that of value maps and network outputs.

    Raises UNKNOWN_PRIMITIVE, and PARAMETER_INVALID for none at all or one that comes twice.
    """
    chosen = tuple(names)
    for name in chosen:
        get(name)
    require(
        len(chosen) == len(set(chosen)) > 0,
        f"primitives is {', '.join(chosen)!r}; it must be at least one name, each once",
    )
    return chosen


def first_primitives(count: int) -> tuple[str, ...]:
    """The ``count`` first primitives: grasp and push, five more, then others as registered.

    Raises PARAMETER_INVALID where there are not as many.
    """
    known = _FIRST + tuple(name for name in registered() if name not in _FIRST)
    require(0 < count <= len(known), f"primitives is {count}; it must be 1 to {len(known)}")
    return known[:count]


def parse_repertoire(text: str, default: tuple[str, ...] = DEFAULT_REPERTOIRE) -> tuple[str, ...]:
    """The repertoire in a text such as ``"grasp, push"``; ``default`` for ""; raises as above."""
    if not text.strip():
        return default
    return repertoire(name.strip() for name in text.split(","))
