"""Settings that earlier versions did not name: there was nothing else to choose."""

from collections.abc import Mapping
from typing import Any

from vpg_ros.choices import DEFAULT_ALPHA, DEFAULT_RISK, FLAT

EARLIER = {
    "training.guided_share": 0.0,
    "training.head": "scalar",
    "training.strategy": FLAT,
    "training.task": "clear",
    "training.risk": DEFAULT_RISK,
    "training.alpha": DEFAULT_ALPHA,
    "network.strategy": FLAT,
    "learner.double": False,
    "learner.smoothing": 1,
    "learner.realised": False,
    "learner.schedule": "joint",
    "learner.accident_cost": 0.0,
}


def in_full(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of which ``training`` and ``learner``, where they are there, name everything."""
    result = dict(settings)
    for part in ("training", "learner"):
        if isinstance(result.get(part), Mapping):
            names = {
                name.removeprefix(f"{part}."): value
                for name, value in EARLIER.items()
                if name.startswith(f"{part}.")
            }
            result[part] = names | result[part]
    return result
