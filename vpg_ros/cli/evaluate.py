"""``vpg evaluate``: let a frozen policy clear tables in simulation and count."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from vpg_ros.choices import POLICIES

if TYPE_CHECKING:
    from vpg_ros.policy import Policy

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a policy in simulation",
        description="Let a frozen policy clear simulated tables and report how it fared.",
    )
    parser.add_argument("--runs", type=int, default=10, help="tables, one a seed (default 10)")
    parser.add_argument("--seed", type=int, default=0, help="first seed (default 0)")
    parser.add_argument("--scene", default="random", help="scene family (default random)")
    parser.add_argument("--objects", type=int, default=10, help="objects a table (default 10)")
    parser.add_argument("--policy", choices=POLICIES, default="network")
    parser.add_argument("--checkpoint", type=Path, help="weights (default: the shipped ones)")
    parser.add_argument("--camera", choices=("perspective", "ortho"), default="perspective")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate, one line a run; a table of figures at the end."""
    import torch
    from rich.console import Console
    from rich.table import Table

    from vpg_ros.learning.env import TableEnv
    from vpg_ros.learning.evaluate import Run, evaluate, summary

    torch.set_num_threads(1)
    console = Console()

    def line(run: Run) -> None:
        mark = "cleared" if run.cleared else "not cleared"
        console.print(
            f"seed {run.seed}: {mark}, {run.picked}/{run.objects} picked, {run.lost} lost, "
            f"{run.actions} actions, {run.grasp_successes}/{run.grasps} grasps"
        )

    seeds = range(options.seed, options.seed + options.runs)
    env = TableEnv(options.camera)
    figures = summary(evaluate(env, _policy(options), options.scene, options.objects, seeds, line))
    table = Table("figure", "value", title=f"{options.policy} on {options.scene}")
    for name in ("completion", "grasp_success", "action_efficiency"):
        table.add_row(name, f"{figures[name]:.1%}")
    for name in ("actions", "grasps", "lost"):
        table.add_row(name, str(figures[name]))
    table.add_row("decision_ms", f"{figures['decision_ms']:.0f}")
    console.print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def _policy(options: argparse.Namespace) -> "Policy":
    """The policy asked for."""
    from vpg_ros.policy import HeuristicPolicy, RandomPolicy
    from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS, load_policy
    from vpg_ros.resources import resource

    if options.policy == "heuristic":
        return HeuristicPolicy()
    if options.policy == "random":
        return RandomPolicy(options.seed)
    return load_policy(options.checkpoint or resource(SHIPPED_WEIGHTS))
