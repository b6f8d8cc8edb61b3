"""Measure how many primitives a minute the simulated table carries out on one core.

    .venv/bin/python benchmarks/environment.py --actions 200 --json environment.json

Full-arm physics, nothing learned. Rows: exact maps or a noisy camera, with random actions or the
shipped weights' decisions, each of whole tables of random clutter; they take turns, a table each,
so that whatever else the machine does meets all of them. Processor time, of this process alone.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from vpg_ros.atomic import write_json
from vpg_ros.choices import CAMERAS
from vpg_ros.errors import VpgError, require
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.rollout import Rollout
from vpg_ros.learning.threads import one_thread
from vpg_ros.policy import Policy
from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS, load_policy
from vpg_ros.resources import resource

_SCENES = (SceneMix("random", 1.0, 10, 10),)


@dataclass
class Row:
    """One way to act. exploration: share of random actions."""

    camera: str
    exploration: float
    policy: Policy
    actions: int = 0
    seconds: float = 0.0
    tables: int = 0

    def __post_init__(self) -> None:
        settings = {"warm_up": 0, "exploration": self.exploration, "scenes": _SCENES}
        config = TrainingConfig(camera=self.camera, **settings)  # type: ignore[arg-type]
        self._rollout = Rollout(config, lambda: self.policy)

    def play(self) -> None:
        """One more table; the first one finds everything cold and does not count."""
        begin = time.process_time()
        actions = sum(1 for _ in self._rollout.episode(self.tables, 0))
        if self.tables:
            self.seconds += time.process_time() - begin
            self.actions += actions
        self.tables += 1

    def figures(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "camera": self.camera,
            "actions_by": "chance" if self.exploration else "network",
            "actions": self.actions,
            "ms": 1000 * self.seconds / self.actions,
            "actions_per_minute": 60 * self.actions / self.seconds,
        }


def measure(actions: int) -> list[dict[str, Any]]:
    """The figures of every row, of at least so many actions each."""
    policy = load_policy(resource(SHIPPED_WEIGHTS), "cpu")
    rows = [Row(camera, share, policy) for camera in CAMERAS for share in (1.0, 0.0)]
    while any(row.actions < actions for row in rows):
        for row in rows:
            if row.actions < actions:
                row.play()
    return [row.figures() for row in rows]


def main() -> int:
    """Entry point; 1 after a sentence on standard error."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--actions", type=int, default=200, help="of each row (default 200)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    one_thread()
    try:
        require(options.actions > 0, f"--actions is {options.actions}; it must be > 0")
        found = measure(options.actions)
        if options.json:
            write_json(options.json, found)
    except VpgError as error:
        print(f"environment: {error.sentence}", file=sys.stderr)
        return 1
    table = Table("camera", "actions by", "actions", "ms an action", "actions a minute")
    for row in found:
        ms, rate = f"{row['ms']:.0f}", f"{row['actions_per_minute']:.0f}"
        table.add_row(row["camera"], row["actions_by"], str(row["actions"]), ms, rate)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
