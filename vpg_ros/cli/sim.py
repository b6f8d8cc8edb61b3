"""``vpg sim``: the whole system in simulation, from one command."""

import argparse
from typing import TYPE_CHECKING

from vpg_ros.bringup.arguments import add_system_parser
from vpg_ros.system import sim

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    add_system_parser(subparsers, sim(), "clear a table in simulation")
