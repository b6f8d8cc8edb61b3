"""Entry point of the ``vpg`` command.

A module of this package becomes a subcommand by being named in ``SUBCOMMANDS``. It exposes
``add_parser(subparsers)``, which adds its parser and sets ``run``, a function from the parsed
arguments to the exit status. It imports what is slow to import inside ``run``, so that
``vpg --help`` answers at once.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from vpg_ros.errors import VpgError

SUBCOMMANDS = ("version",)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command with all its subcommands."""
    parser = argparse.ArgumentParser(
        prog="vpg", description="Push and grasp through clutter with a robot arm and a depth camera."
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in SUBCOMMANDS:
        import_module(f"vpg_ros.cli.{name}").add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 1 after one sentence on standard error, or 130 on Ctrl-C."""
    options = build_parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except VpgError as error:
        print(f"vpg: {error.message} [error {error.code.value}]", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("vpg: interrupted", file=sys.stderr)
        return 130
    return status


if __name__ == "__main__":
    sys.exit(main())
