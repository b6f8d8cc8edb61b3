"""What differs between the settings that something was made with and those it is asked for with."""

from collections.abc import Iterator, Mapping
from typing import Any


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """In words, "a.b 1 there and 2 here; …", in the order of the names; empty where all are equal.

    there: of what was found. here: of who asks. Values may be mappings again.
    """
    return "; ".join(_differing(there, here, ""))


def _differing(there: Mapping[str, Any], here: Mapping[str, Any], part: str) -> Iterator[str]:
    for name in sorted(there.keys() | here.keys()):
        before, now = there.get(name, _MISSING), here.get(name, _MISSING)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from _differing(before, now, f"{part}{name}.")
        elif before != now:
            yield f"{part}{name} {before!r} there and {now!r} here"


class _Missing:
    def __repr__(self) -> str:
        return "not named"


_MISSING = _Missing()
