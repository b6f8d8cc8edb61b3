"""What a ROS parameter file says of a node, read without ROS."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from vpg_ros.errors import ErrorCode, VpgError


def sections(path: Path, node: str) -> dict[str, Any]:
    """Dotted parameter → value; of sections that concern ``node``, the file's later ones win.

    Raises PARAMETER_INVALID for a file that cannot be read.
    """
    return sections_of(path, [node])[node]


def sections_of(path: Path, nodes: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The same of each of ``nodes``, with the file read once."""
    try:
        content = yaml.safe_load(path.read_text())
        return {node: _of(content, node) for node in nodes}
    except (OSError, yaml.YAMLError, AttributeError) as error:
        sentence = f"parameter file {path} cannot be read: {error}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from None


def _of(content: Mapping[str, Any], node: str) -> dict[str, Any]:
    keys = {"*", "/*", "/**", f"/**/{node}", f"/{node}", node}
    return {
        name: value
        for key, part in content.items()
        if key in keys
        for name, value in _flat(part.get("ros__parameters", {})).items()
    }


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"limits": {"box": 1}}`` as ``{"limits.box": 1}``."""
    result: dict[str, Any] = {}
    for name, value in tree.items():
        inside = isinstance(value, Mapping)
        result |= _flat(value, f"{prefix}{name}.") if inside else {f"{prefix}{name}": value}
    return result
