"""The figures of a run, from what events.jsonl says of its actions."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from vpg_ros import primitives


def figures(actions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """actions, picked, grasps, grasp_success, decision_ms and action_seconds (medians).

    actions: the events of kind "action". What nothing is known of is None.
    """
    grasps = [action for action in actions if primitives.get(action["primitive"]).picks]
    picked = sum(action["reward"] > 0 for action in grasps)
    return {
        "actions": len(actions),
        "picked": picked,
        "grasps": len(grasps),
        "grasp_success": round(picked / len(grasps), 4) if grasps else None,
        "decision_ms": _median([action["decision_ms"] for action in actions]),
        "action_seconds": _median([action["action_seconds"] for action in actions]),
    }


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None
