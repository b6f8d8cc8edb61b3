"""``vpg experiment``: the studies that come along, each one a command with one results file."""

import argparse
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

# Module experiment_NAME of this package → a study with add_parser(subparsers).
EXPERIMENTS = ("offline", "hierarchy", "distributional")


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("experiment", help="run a study and write its tables")
    commands = parser.add_subparsers(dest="experiment", metavar="STUDY", required=True)
    for name in EXPERIMENTS:
        import_module(f"vpg_ros.cli.experiment_{name}").add_parser(commands)
