"""The command line of a node's executable: ``--help``, and what is left over beside ROS's own."""

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

from rclpy.utilities import remove_ros_args

from vpg_ros.errors import require
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.parameters import KINDS, TYPES, Rules

_HELP = {"-h", "--help"}
_MARKUP = re.compile(r":\w+:`\.?([^`]*)`|``([^`]*)``")


def wants_help(name: str, arguments: Sequence[str] | None) -> bool:
    """Whether help is asked for; raises PARAMETER_INVALID for an argument that is not ROS's.

    arguments: None for those of the process. Raises RuntimeError where ROS cannot read its own.
    """
    own = remove_ros_args(sys.argv[1:] if arguments is None else list(arguments))
    if _HELP & set(own):
        return True
    allowed = f"--help, and after --ros-args those of ROS, such as -p NAME:=VALUE (see {name} -h)"
    require(not own, f"{name} does not know the argument {own[:1]}; allowed: {allowed}")
    return False


def usage(name: str, node: type[VpgNode]) -> str:
    """What the node does, and every parameter with its kind, default and allowed values."""
    module = inspect.getmodule(node)
    about = _MARKUP.sub(lambda found: found[1] or found[2], (module and module.__doc__) or "")
    return "\n".join(
        [
            f"usage: {name} [-h] [--ros-args [--params-file FILE] [-p NAME:=VALUE ...]]",
            "",
            about.strip(),
            "",
            "parameters:",
            *(line for kind in node.PARAMETERS for line in _described(kind)),
        ]
    )


def _described(kind: type) -> Iterator[str]:
    """The lines on each parameter of a dataclass."""
    hints = get_type_hints(kind)
    for entry in fields(kind):
        rules: Rules = entry.metadata["rules"]
        facts = [KINDS[TYPES[hints[entry.name]]], _default(entry.default)]
        facts += [f"allowed: {rules.allowed}"] if rules.allowed else []
        facts += ["may be set while it runs"] if rules.changeable else []
        yield f"  {rules.name or entry.name}"
        for text in (rules.description, "; ".join(facts)):
            yield from textwrap.wrap(text, 92, initial_indent=" " * 6, subsequent_indent=" " * 6)


def _default(value: Any) -> str:
    if value is MISSING:
        return "required"
    return f"default {str(value).lower() if isinstance(value, bool) else repr(value)}"
