"""``vpg version``: print the version of the package."""

import argparse
from typing import TYPE_CHECKING

from vpg_ros import __version__

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("version", help="print the version and exit")
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print the version."""
    print(__version__)
    return 0
