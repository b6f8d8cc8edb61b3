"""A system's arguments on the command line."""

import argparse
from typing import TYPE_CHECKING

from vpg_ros.argument import Argument, as_text
from vpg_ros.system import System

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_system_parser(subparsers: "Subparsers", system: System, summary: str) -> None:
    """Add a subcommand that runs ``system``."""
    parser = subparsers.add_parser(system.name, help=summary, description=summary)
    for argument in system.arguments:
        _add(parser, argument)
    parser.set_defaults(run=lambda options: _run(system, options))


def _add(parser: argparse.ArgumentParser, argument: Argument) -> None:
    """One argument; its value is checked by the system's own rules, as in a launch file."""
    required = argument.default is None
    default = "required" if required else f"default {argument.default!r}"
    text = f"{argument.description} ({argument.allowed}; {default})".replace("%", "%%")
    flag = "--" + argument.name.replace("_", "-")
    if argument.kind is bool:
        action = argparse.BooleanOptionalAction
        parser.add_argument(flag, dest=argument.name, action=action, help=text)
    else:
        value = argument.name.upper()
        parser.add_argument(flag, dest=argument.name, metavar=value, required=required, help=text)


def _run(system: System, options: argparse.Namespace) -> int:
    """Run ``system`` with what was given."""
    from vpg_ros.bringup.run import run

    chosen = {argument.name: getattr(options, argument.name) for argument in system.arguments}
    return run(
        system, {name: as_text(value) for name, value in chosen.items() if value is not None}
    )
