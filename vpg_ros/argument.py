"""What a user may choose at start-up: one argument, from text and to text."""

from collections.abc import Mapping
from dataclasses import dataclass

from vpg_ros.errors import ErrorCode, VpgError, require

Value = str | int | float | bool


@dataclass(frozen=True)
class Argument:
    """Something that a user may choose at start-up.

    kind: str, int, float or bool. default: None where one must be given. choices: allowed values
    ("" for any). low, high: inclusive range of a number.
    """

    name: str
    kind: type
    default: Value | None
    description: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    def parse(self, text: str) -> Value:
        """The value that ``text`` stands for; raises PARAMETER_INVALID naming what is allowed."""
        value = self._converted(text)
        inside = isinstance(value, str | bool) or (
            (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        )
        require(inside and (not self.choices or text in self.choices), self._refusal(text))
        return value

    def told(self, told: Mapping[str, str]) -> Value:
        """The value told for it, else its default; raises PARAMETER_INVALID without either."""
        if self.name in told:
            return self.parse(told[self.name])
        sentence = f"argument {self.name} is not given; it has no default ({self.description})"
        if self.default is None:
            raise VpgError(ErrorCode.PARAMETER_INVALID, sentence)
        return self.default

    @property
    def allowed(self) -> str:
        """What a value may be, in words."""
        if self.choices:
            return "one of " + ", ".join(choice or "''" for choice in self.choices)
        kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
        limits = [f"at least {self.low:g}"] if self.low is not None else []
        limits += [f"at most {self.high:g}"] if self.high is not None else []
        return ", ".join([kinds[self.kind], *limits])

    def _converted(self, text: str) -> Value:
        try:
            if self.kind is bool:
                return {"true": True, "false": False}[text.lower()]
            result: Value = self.kind(text)
        except (KeyError, ValueError):
            raise VpgError(ErrorCode.PARAMETER_INVALID, self._refusal(text)) from None
        return result

    def _refusal(self, text: str) -> str:
        return f"argument {self.name} is {text!r}; allowed: {self.allowed} ({self.description})"


def as_text(value: object) -> str:
    """A value as it is given on a command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)
