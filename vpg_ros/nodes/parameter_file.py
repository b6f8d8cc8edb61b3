"""Read a node's parameters from its file without the node: for commands that use its devices."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

from vpg_ros.nodes.parameters import Rules
from vpg_ros.sections import sections

T = TypeVar("T")


def load(kind: type[T], path: Path, node: str, given: Mapping[str, Any]) -> T:
    """The parameters ``kind`` of ``node`` as the file ``path`` has them; ``given`` comes on top.

    Raises PARAMETER_INVALID for a file that cannot be read, and for what is missing or out of
    range, as the node would.
    """
    values = sections(path, node) | dict(given)
    return kind(**{entry.name: _value(entry, values, node) for entry in fields(kind)})  # type: ignore[arg-type]


def _value(entry: Any, values: Mapping[str, Any], node: str) -> Any:
    """One field's value, checked by the parameter's own rules."""
    rules: Rules = entry.metadata["rules"]
    name = rules.name or entry.name
    value = values.get(name, entry.default)
    problem = "is not set; it has no default" if value is MISSING else rules.problem(value)
    if problem:
        raise rules.refusal(node, name, problem)
    return tuple(value) if isinstance(value, list) else value
