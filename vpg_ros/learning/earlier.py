"""Settings that earlier versions did not name: there was nothing else to choose."""

from collections.abc import Mapping
from typing import Any

from vpg_ros.choices import DEFAULT_ALPHA, DEFAULT_RISK, FLAT

EARLIER: dict[str, dict[str, Any]] = {
    "training": {
        "guided_share": 0.0,
        "head": "scalar",
        "strategy": FLAT,
        "task": "clear",
        "risk": DEFAULT_RISK,
        "alpha": DEFAULT_ALPHA,
    },
    "network": {"strategy": FLAT},
    "learner": {
        "double": False,
        "smoothing": 1,
        "realised": False,
        "schedule": "joint",
        "accident_cost": 0.0,
    },
}


def flat(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Settings of all parts in one, each by the names of its part and its own."""
    return {f"{part}.{name}": value for part, own in parts.items() for name, value in own.items()}


def in_full(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of which those parts of EARLIER that are there name everything."""
    result = dict(settings)
    for part, names in EARLIER.items():
        if isinstance(result.get(part), Mapping):
            result[part] = names | result[part]
    return result
