"""Declared once, read once: a node's parameters as one frozen dataclass.

A node describes its parameters as a frozen dataclass whose fields are made by :func:`parameter`;
:func:`read` declares each with its description, range and choices, and returns the filled
dataclass. A wrong value is a :class:`VpgError` that names node, parameter, value and what is
allowed. Fields without a default are required: nothing that keeps people safe has a silent one.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar, get_type_hints

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterUninitializedException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from vpg_ros.errors import ErrorCode, VpgError

T = TypeVar("T")

# How a description of the parameter ``primitives`` begins, wherever there is one.
PRIMITIVES = "names of primitives, separated by commas, "

TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    tuple[float, ...]: Parameter.Type.DOUBLE_ARRAY,
    tuple[str, ...]: Parameter.Type.STRING_ARRAY,
}

KINDS = {
    Parameter.Type.BOOL: "true or false",
    Parameter.Type.INTEGER: "a whole number",
    Parameter.Type.DOUBLE: "a number with a decimal point",
    Parameter.Type.STRING: "text",
    Parameter.Type.DOUBLE_ARRAY: "a list of numbers with decimal points",
    Parameter.Type.STRING_ARRAY: "a list of texts",
}


@dataclass(frozen=True)
class Rules:
    """What a parameter's value must keep to."""

    description: str
    name: str | None
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    changeable: bool

    @property
    def allowed(self) -> str:
        """What a value may be, in words; "" where anything of the type may."""
        if self.choices:
            return "one of " + ", ".join(choice or "''" for choice in self.choices)
        if self.low is not None and self.high is not None:
            return f"{self.low} to {self.high}"
        if self.low is not None:
            return f"at least {self.low}"
        return f"at most {self.high}" if self.high is not None else ""

    def problem(self, value: Any) -> str:
        """What is wrong with a value of the right type; "" where nothing is."""
        if not all(map(_finite, value if isinstance(value, list | tuple) else [value])):
            return f"is {value!r}; every number must be finite"
        ranged = isinstance(value, int | float) and not isinstance(value, bool)
        low = self.low is None or not ranged or value >= self.low
        high = self.high is None or not ranged or value <= self.high
        return "" if low and high and value in (self.choices or (value,)) else f"is {value!r}"

    def refusal(self, node: str, name: str, problem: str) -> VpgError:
        """The error that names node, parameter, problem and what is allowed."""
        hint = f"; allowed: {self.allowed}" if self.allowed else ""
        sentence = f"parameter {name} of {node} {problem}{hint} ({self.description})"
        return VpgError(ErrorCode.PARAMETER_INVALID, sentence)


def parameter(
    description: str,
    default: Any = MISSING,
    *,
    name: str | None = None,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    changeable: bool = False,
) -> Any:
    """A dataclass field that :func:`read` fills from the ROS parameter of the same name.

    name: the ROS name where it is another (dots group parameters). low, high: inclusive range.
    changeable: it may be set while the node runs, which then asks for it by ``get_parameter``.
    """
    rules = Rules(description, name, low, high, choices, changeable)
    return field(default=default, metadata={"rules": rules})


def read(node: Node, kind: type[T], check: Callable[[Mapping[str, Any]], None] | None = None) -> T:
    """Declare every parameter of ``kind`` on ``node`` and return the values given.

    Raises PARAMETER_INVALID for one that is missing, of another type or outside its range.
    check: raises VpgError for new values, by name, that go together with nothing else there is.
    """
    hints = get_type_hints(kind)
    entries = fields(kind)  # type: ignore[arg-type]
    values = {entry.name: _declare(node, entry, hints[entry.name]) for entry in entries}
    rules = {
        entry.metadata["rules"].name or entry.name: entry.metadata["rules"] for entry in entries
    }
    node.add_on_set_parameters_callback(lambda changes: _changed(changes, rules, check))
    return kind(**values)


def _changed(
    changes: list[Any],
    rules: dict[str, Rules],
    check: Callable[[Mapping[str, Any]], None] | None,
) -> SetParametersResult:
    """Refuse a value that is not among the choices or fails the check; ranges are rclpy's."""
    for change in changes:
        choices = rules[change.name].choices if change.name in rules else ()
        if choices and change.value not in choices:
            reason = f"{change.name} is {change.value!r}; allowed: {', '.join(map(repr, choices))}"
            return SetParametersResult(successful=False, reason=reason)
    try:
        if check is not None:
            check({change.name: change.value for change in changes})
    except VpgError as error:
        return SetParametersResult(successful=False, reason=error.message)
    return SetParametersResult(successful=True)


def _declare(node: Node, entry: "Field[Any]", hint: Any) -> Any:
    """One parameter's value."""
    rules: Rules = entry.metadata["rules"]
    name = rules.name or entry.name
    declared = TYPES[hint] if entry.default is MISSING else entry.default
    try:
        value = node.declare_parameter(name, declared, _descriptor(rules, hint)).value
        if value is None:
            raise ParameterUninitializedException(name)
    except ParameterUninitializedException:
        raise _invalid(node, name, "is not set; it has no default", rules) from None
    except InvalidParameterTypeException as error:
        wanted = KINDS[TYPES[hint]]
        raise _invalid(node, name, f"is {_refused(error)}; it must be {wanted}", rules) from None
    except InvalidParameterValueException as error:
        raise _invalid(node, name, f"is {_refused(error)}", rules) from None
    if problem := rules.problem(value):
        raise _invalid(node, name, problem, rules)
    return tuple(value) if hint in (tuple[float, ...], tuple[str, ...]) else value


def _descriptor(rules: Rules, hint: Any) -> ParameterDescriptor:
    """The description that ``ros2 param describe`` shows."""
    fixed = not rules.changeable
    result = ParameterDescriptor(description=rules.description, read_only=fixed)
    result.additional_constraints = rules.allowed
    if rules.low is None and rules.high is None:
        return result
    if hint is int:
        low, high = int(rules.low or 0), int(rules.high if rules.high is not None else 2**31)
        result.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
    else:
        low_value = float("-inf") if rules.low is None else float(rules.low)
        high_value = float("inf") if rules.high is None else float(rules.high)
        limits = FloatingPointRange(from_value=low_value, to_value=high_value, step=0.0)
        result.floating_point_range = [limits]
    return result


def _refused(error: Exception) -> str:
    """The value that rclpy refused; its exceptions carry it in their text alone."""
    match = re.search(r" to '(.*)' of type|parameter value \((.*?)\) for parameter", str(error))
    return str(error) if match is None else repr(match[1] or match[2])


def _invalid(node: Node, name: str, problem: str, rules: Rules) -> VpgError:
    return rules.refusal(node.get_name(), name, problem)


def _finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
