"""Entry point of the ``vpg`` command.

A module of this package becomes a subcommand by being named in ``SUBCOMMANDS``, with what it does.
It exposes ``add_parser(subparsers)``, which adds its parser and sets ``run``, a function from the
parsed arguments to the exit status. Only the module of the subcommand that is wanted is imported,
so that ``vpg --help`` answers at once.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from vpg_ros.errors import VpgError

SUBCOMMANDS = {
    "sim": "clear a table in simulation",
    "real": "clear a table with a robot",
    "train": "learn in simulation",
    "train-offline": "learn from recorded transitions",
    "calibrate": "find out where the camera is",
    "doctor": "check a cell before its first motion",
    "evaluate": "measure a policy in simulation",
    "experiment": "run a study and write its tables",
    "dataset": "make, mend and look into recorded transitions",
    "bench": "measure how long things take",
    "version": "print the version and exit",
}


def build_parser(wanted: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the command; of its subcommands only ``wanted`` knows its arguments."""
    parser = argparse.ArgumentParser(
        prog="vpg",
        description="Push and grasp through clutter with a robot arm and a depth camera.",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in SUBCOMMANDS.items():
        if name == wanted:
            import_module(f"vpg_ros.cli.{name.replace('-', '_')}").add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 after a sentence on standard error, or 130 on Ctrl-C."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    wanted = next((argument for argument in given if argument in SUBCOMMANDS), None)

    def work() -> int:
        options = build_parser(wanted).parse_args(given)
        status: int = options.run(options)
        return status

    return status_of(work)


def status_of(work: Callable[[], int]) -> int:
    """What ``work`` returns; 1 after an expected error's sentence, 130 after Ctrl-C."""
    try:
        return work()
    except VpgError as error:
        print(f"vpg: {error.sentence}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("vpg: interrupted", file=sys.stderr)
        return 130


def calibrate() -> int:
    """Entry point of ``ros2 run vpg_ros calibrate``."""
    return main(["calibrate", *sys.argv[1:]])


def doctor() -> int:
    """Entry point of ``ros2 run vpg_ros doctor``."""
    return main(["doctor", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
