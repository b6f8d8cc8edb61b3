"""Read a node's parameters from its file without the node: for commands that use its devices."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.nodes.parameters import Rules

T = TypeVar("T")


def load(kind: type[T], path: Path, node: str, given: Mapping[str, Any]) -> T:
    """The parameters ``kind`` of ``node`` as the file ``path`` has them; ``given`` comes on top.

    Raises PARAMETER_INVALID for a file that cannot be read, and for what is missing or out of
    range, as the node would.
    """
    values = sections(path, node) | dict(given)
    return kind(**{entry.name: _value(entry, values, node) for entry in fields(kind)})  # type: ignore[arg-type]


def sections(path: Path, node: str) -> dict[str, Any]:
    """What the file says of ``node``: the sections for all nodes first."""
    try:
        content = yaml.safe_load(path.read_text())
        parts = [content.get(key, {}) for key in ("/**", f"/**/{node}", node)]
        return {
            name: value
            for part in parts
            for name, value in _flat(part.get("ros__parameters", {})).items()
        }
    except (OSError, yaml.YAMLError, AttributeError) as error:
        sentence = f"parameter file {path} cannot be read: {error}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from None


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"limits": {"box": 1}}`` as ``{"limits.box": 1}``."""
    result: dict[str, Any] = {}
    for name, value in tree.items():
        inside = isinstance(value, Mapping)
        result |= _flat(value, f"{prefix}{name}.") if inside else {f"{prefix}{name}": value}
    return result


def _value(entry: Any, values: Mapping[str, Any], node: str) -> Any:
    """One field's value, checked by the parameter's own rules."""
    rules: Rules = entry.metadata["rules"]
    name = rules.name or entry.name
    value = values.get(name, entry.default)
    problem = "is not set; it has no default" if value is MISSING else rules.problem(value)
    if problem:
        raise rules.refusal(node, name, problem)
    return tuple(value) if isinstance(value, list) else value
