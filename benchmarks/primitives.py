"""What each primitive is for: its scene family with the script that uses it, and without.

    python -m benchmarks.primitives --runs 30 --json runs/primitives.json

Solved means what the family asks for (all picked; the tower stands), within the environment's
limit of actions. ``script`` knows where the objects are (``benchmarks/scripted.py``).
``heuristic`` grasps the highest object, and pushes at random after a grasp that changed nothing;
``network`` are the shipped weights: both have grasp and push alone.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.scripted import SCRIPTS
from vpg_ros.action import Action
from vpg_ros.atomic import write_json
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.env import CAMERAS, TableEnv
from vpg_ros.learning.figures import figure
from vpg_ros.policy import HeuristicPolicy, Policy, RandomPolicy
from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS, load_policy
from vpg_ros.resources import resource
from vpg_ros.sim import scenes

OBJECTS = {"tall": 1, "cornered": 1, "tiles": 6, "cards": 2, "tower": 3}
Chooser = Callable[[TableEnv, Heightmap], Action]


def script(family: str, seed: int) -> Chooser:
    """The script of a family."""
    return lambda env, heightmap: SCRIPTS[family](env.world, heightmap)


def heuristic(family: str, seed: int) -> Chooser:
    """Grasps, and a random push after each that changed nothing."""
    grasping: Policy = HeuristicPolicy()
    pushing: Policy = RandomPolicy(seed, ("push",))

    def choose(env: TableEnv, heightmap: Heightmap) -> Action:
        policy = pushing if len(env.tried) % 2 else grasping
        return policy.decide(heightmap, env.tried).action

    return choose


def network(family: str, seed: int) -> Chooser:
    """The shipped weights."""
    policy = load_policy(resource(SHIPPED_WEIGHTS), "cpu")
    return lambda env, heightmap: policy.decide(heightmap, env.tried).action


PLAYERS = {"script": script, "heuristic": heuristic, "network": network}


def solves(env: TableEnv, family: str, chooser: Chooser, seed: int) -> tuple[bool, int]:
    """Whether a table of the family gets solved, and after how many actions."""
    objects, actions = OBJECTS[family], 0
    heightmap = env.reset(family, objects, seed)
    while not env.over and env.world.objects:
        try:
            action = chooser(env, heightmap)
        except VpgError as error:
            if error.code is not ErrorCode.NO_ADMISSIBLE_ACTION:
                raise
            break
        heightmap = env.step(action).after
        actions += 1
        if scenes.is_solved(env.world, family, objects):
            return True, actions
    return False, actions


def measure(env: TableEnv, family: str, player: str, seeds: range) -> dict[str, Any]:
    """One row: the share of tables solved, with its 95 % interval."""
    runs = [solves(env, family, PLAYERS[player](family, seed), seed) for seed in seeds]
    solved = sum(success for success, _ in runs)
    share = figure(solved / len(runs), len(runs))
    return {
        "family": family,
        "objects": OBJECTS[family],
        "player": player,
        "runs": len(runs),
        "solved": solved,
        "share": share.value,
        "low": share.low,
        "high": share.high,
        "actions": sum(actions for _, actions in runs) / len(runs),
    }


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=30, help="seeds of each family (default 30)")
    parser.add_argument("--families", nargs="+", choices=tuple(SCRIPTS), default=list(SCRIPTS))
    parser.add_argument("--players", nargs="+", choices=tuple(PLAYERS), default=list(PLAYERS))
    parser.add_argument("--camera", choices=CAMERAS, default="perspective")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    env, rows = TableEnv(options.camera), []
    table = Table("family", "player", "solved", "95 %", "actions")
    for family in options.families:
        for player in options.players:
            row = measure(env, family, player, range(options.runs))
            rows.append(row)
            print(row, flush=True)
            interval = f"{row['low']:.0%} – {row['high']:.0%}"
            solved = f"{row['solved']}/{row['runs']}"
            table.add_row(family, player, solved, interval, f"{row['actions']:.1f}")
            if options.json:
                write_json(options.json, {"camera": options.camera, "rows": rows})
    Console().print(table)


if __name__ == "__main__":
    main()
