"""The settings of a training as a YAML file with the sections ``training`` and ``learner``."""

import json
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.learner_config import LearnerConfig

Settings = TypeVar("Settings")


class _Loader(yaml.SafeLoader):
    """Reads 4e-3 as a number, as YAML 1.2 does and PyYAML does not."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def read_config(
    path: Path | None, overrides: dict[str, Any] | None = None
) -> tuple[TrainingConfig, LearnerConfig]:
    """The settings in a file, or the defaults where it is silent or ``path`` is None.

    overrides: entries of ``training`` that win over the file's. The learning rate falls over the
    first half of the training unless the file says otherwise. Raises PARAMETER_INVALID naming the
    file, the key, its value and what is allowed.
    """
    document = _read(path) if path else {}
    where = f"{path}: " if path else ""
    _check_keys(where, "the file", document, ("training", "learner"))
    training = _section(where, document, "training", overrides or {})
    for mix in training["scenes"] if isinstance(training.get("scenes"), list) else ():
        _check_keys(where, "an entry of training.scenes", mix, _names(SceneMix))
    config = _build(where, "training", TrainingConfig, training)
    learner = _section(where, document, "learner", {})
    decay = {"decay_updates": config.half_updates}
    return config, _build(where, "learner", LearnerConfig, decay | learner)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        sentence = f"config is {str(path)!r} and cannot be read: {reason}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise VpgError(ErrorCode.PARAMETER_INVALID, f"{path} is not YAML: {reason}") from error
    return {} if document is None else document


def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))


def _check_keys(where: str, what: str, mapping: Any, allowed: Iterable[str]) -> None:
    """Raise PARAMETER_INVALID unless ``mapping`` is one and has no other keys."""
    keys = ", ".join(allowed)
    require(
        isinstance(mapping, dict), f"{where}{what} is {mapping!r}; it must be a mapping of {keys}"
    )
    for key in mapping:
        require(key in allowed, f"{where}{what} has the unknown key {key!r}; it may have {keys}")


def _section(where: str, document: Any, name: str, overrides: dict[str, Any]) -> dict[str, Any]:
    section = document.get(name)
    section = {} if section is None else section  # a heading with nothing but comments under it
    cls = {"training": TrainingConfig, "learner": LearnerConfig}[name]
    _check_keys(where, f"section {name}", section, _names(cls))
    return section | overrides


def _build(where: str, name: str, cls: type[Settings], section: dict[str, Any]) -> Settings:
    """The dataclass of a section, its types checked here and its ranges by itself."""
    try:
        # Through JSON, because pydantic's strict mode takes a list for a tuple only from there.
        return TypeAdapter(cls).validate_json(json.dumps(section, default=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join([name, *(str(part) for part in first["loc"])])
        allowed = first["msg"][0].lower() + first["msg"][1:]
        sentence = f"{where}{key} is {first['input']!r}; {allowed}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from error
    except VpgError as error:
        raise VpgError(error.code, f"{where}{name}: {error.message}") from error
