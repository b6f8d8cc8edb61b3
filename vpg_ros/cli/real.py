"""``vpg real``: the whole system with a robot, from one command."""

import argparse
from typing import TYPE_CHECKING

from vpg_ros.bringup.arguments import add_system_parser
from vpg_ros.system import real

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    add_system_parser(subparsers, real(), "clear a table with a robot")
