"""What each primitive is for: its scene family with the script that uses it, and without.

    python -m benchmarks.primitives --runs 30 --json runs/primitives.json

What the file has already is not measured again.

Solved means what the family asks for (all picked; the tower stands), within the environment's
limit of actions. ``script`` knows where the objects are (``benchmarks/scripted.py``).
``heuristic`` grasps the highest object, and pushes at random after a grasp that changed nothing;
``network`` are the shipped weights: both have grasp and push alone.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.scripted import SCRIPTS
from vpg_ros.action import Action
from vpg_ros.atomic import make_folder, require_writable, write_json
from vpg_ros.choices import CAMERAS
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.env import TableEnv
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


def known(path: Path | None, camera: str, runs: int) -> list[dict[str, Any]]:
    """The rows in a file of an earlier call; raises STORE_MISMATCH where it measured otherwise."""
    if path is None or not path.is_file():
        return []
    content = json.loads(path.read_text())
    other = [row["runs"] for row in content["rows"] if row["runs"] != runs]
    require(
        content["camera"] == camera and not other,
        f"{path} has other runs or another camera; choose another file",
        ErrorCode.STORE_MISMATCH,
    )
    rows: list[dict[str, Any]] = content["rows"]
    return rows


def cells(row: dict[str, Any]) -> list[str]:
    """A row of the table."""
    interval = f"{row['low']:.0%} – {row['high']:.0%}"
    solved = f"{row['solved']}/{row['runs']}"
    return [row["family"], row["player"], solved, interval, f"{row['actions']:.1f}"]


def arguments() -> argparse.Namespace:
    """What the command line asks for; raises PARAMETER_INVALID."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=30, help="seeds of each family (default 30)")
    parser.add_argument("--families", nargs="+", choices=tuple(SCRIPTS), default=list(SCRIPTS))
    parser.add_argument("--players", nargs="+", choices=tuple(PLAYERS), default=list(PLAYERS))
    parser.add_argument("--camera", choices=CAMERAS, default="perspective")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args()
    require(options.runs > 0, f"--runs is {options.runs}; it must be > 0")
    if options.json:
        make_folder(options.json.parent, "folder of --json")
        require_writable(options.json)
    return options


def rows_of(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Every row asked for, measured or known."""
    env, rows = TableEnv(options.camera), known(options.json, options.camera, options.runs)
    done = {(row["family"], row["player"]) for row in rows}
    for family in options.families:
        for player in options.players:
            if (family, player) in done:
                continue
            rows.append(measure(env, family, player, range(options.runs)))
            print(*cells(rows[-1]), flush=True)
            if options.json:
                write_json(options.json, {"camera": options.camera, "rows": rows})
    return rows


def main() -> int:
    """Measure and print a table; 1 after a sentence on standard error."""
    try:
        rows = rows_of(arguments())
    except VpgError as error:
        print(f"primitives: {error.sentence}", file=sys.stderr)
        return 1
    table = Table("family", "player", "solved", "95 %", "actions")
    for row in rows:
        table.add_row(*cells(row))
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
