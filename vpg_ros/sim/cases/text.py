"""The text of a case: one object a line, as in the original's ``test-10-obj-*.txt``.

A line is ``mesh.obj r g b x y z ax ay az``: colour 0 … 1, position of the mesh's frame in m, and
the angles alpha, beta and gamma of V-REP in rad, R = Rx(ax)·Ry(ay)·Rz(az). Lines that begin with
``#`` are comments, but for two:

- ``# workspace X Y``: middle of the workspace that positions refer to, m (−0.5 0 without)
- ``# frame mesh`` or ``# frame box``: what the poses place, see :mod:`.frames`
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from vpg_ros.devices.description import Colour
from vpg_ros.errors import ErrorCode, VpgError

Frame = Literal["mesh", "box"]

_ORIGINAL_CENTRE = (-0.5, 0.0)
_HALF, _CEILING = 0.224, 0.4  # m that the original's workspace reaches to each side, and up
_LINE = "mesh.obj r g b x y z ax ay az"


@dataclass(frozen=True)
class Line:
    """One object as it stands in the file. place: the file and line, for messages."""

    place: str
    mesh: str
    colour: Colour
    position: tuple[float, float, float]
    angles: tuple[float, float, float]


@dataclass(frozen=True)
class Text:
    """One file. lines: of all objects. centre: of its workspace, m. frame: None where not said."""

    path: Path
    lines: tuple[Line, ...]
    centre: tuple[float, float]
    frame: Frame | None

    def is_inside(self, line: Line) -> bool:
        """Whether an object lies on the workspace; the original parks others beside it."""
        x, y, z = line.position
        beside = max(abs(x - self.centre[0]), abs(y - self.centre[1])) > _HALF
        return not beside and 0 < z < _CEILING


def read_text(path: Path) -> Text:
    """The file's lines; raises SCENE_INVALID with file, line, and what is expected there."""
    centre, frame = _ORIGINAL_CENTRE, None
    lines: list[Line] = []
    for place, words in _words(path):
        if words[0] != "#":
            lines.append(_line(place, words))
        elif words[1:2] == ["workspace"]:
            x, y = _numbers(place, words[2:], 2, "'# workspace X Y', in m")
            centre = (x, y)
        elif words[1:2] == ["frame"]:
            frame = _frame(place, words[2:])
    if not lines:
        raise invalid(f"case {path} is empty; expected lines '{_LINE}'")
    return Text(path, tuple(lines), centre, frame)


def invalid(sentence: str) -> VpgError:
    """The error that all of a case's faults are."""
    return VpgError(ErrorCode.SCENE_INVALID, sentence)


def _words(path: Path) -> list[tuple[str, list[str]]]:
    """Where every line that is not blank stands, and its words; comments begin with ``#``."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise invalid(f"case {path} cannot be read as text: {error}") from None
    rows = [line.replace("#", "# ", 1).split() for line in text.splitlines()]
    return [(f"{path}, line {number}", words) for number, words in enumerate(rows, 1) if words]


def _line(place: str, words: list[str]) -> Line:
    """The line of one object."""
    red, green, blue, x, y, z, alpha, beta, gamma = _numbers(place, words[1:], 9, f"'{_LINE}'")
    if not all(0 <= value <= 1 for value in (red, green, blue)):
        raise invalid(f"{place}: colour is {' '.join(words[1:4])}; expected r, g and b of 0 … 1")
    return Line(place, words[0], (red, green, blue), (x, y, z), (alpha, beta, gamma))


def _numbers(place: str, words: list[str], count: int, expected: str) -> tuple[float, ...]:
    """``count`` finite numbers."""
    if len(words) != count:
        raise invalid(f"{place}: {len(words)} numbers; expected {count}: {expected}")
    try:
        numbers = tuple(float(word) for word in words)
    except ValueError:
        numbers = (math.nan,)
    if not all(math.isfinite(number) for number in numbers):
        found = " ".join(words)
        raise invalid(f"{place}: '{found}' are not all finite numbers; expected {expected}")
    return numbers


def _frame(place: str, words: list[str]) -> Frame:
    if len(words) != 1 or words[0] not in get_args(Frame):
        raise invalid(f"{place}: frame is '{' '.join(words)}'; expected 'mesh' or 'box'")
    return cast(Frame, words[0])
