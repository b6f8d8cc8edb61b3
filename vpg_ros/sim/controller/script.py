"""The script port (30003): what clients upload, as far as a controller must understand it.

URScript is not interpreted. Of ur_rtde's own program the name, the register offset and an injected
path are read; of other programs the few lines that :mod:`custom` knows.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

PORT = 30003
_OFFSET = re.compile(r"# int register offset\n\s*(\d+)")
_PATH = re.compile(r"# inject move path\n(.*?)^\s*end\b", re.DOTALL | re.MULTILINE)
_NUMBER = r"[-+0-9.eE]+"
_WAYPOINT = re.compile(
    rf"(?P<verb>move[jl])\((?P<pose>p?)\[(?P<values>[^\]]*)\],\s*a=(?P<a>{_NUMBER}),\s*"
    rf"v=(?P<v>{_NUMBER})"
)


@dataclass(frozen=True)
class Waypoint:
    """One line of an injected path.

    linear: movel rather than movej. pose: whether ``values`` is a tool pose rather than joints.
    """

    linear: bool
    pose: bool
    values: tuple[float, ...]
    speed: float
    acceleration: float


@dataclass(frozen=True)
class Script:
    """An uploaded program: its name, register offset (0 or 24), injected path and lines."""

    name: str
    offset: int
    path: tuple[Waypoint, ...]
    lines: tuple[str, ...]

    @property
    def is_control(self) -> bool:
        """Whether this is the program through which ur_rtde gives its commands."""
        return self.name == "rtde_control"

    @staticmethod
    def parse(text: str) -> "Script":
        """The program in ``text``, from its ``def`` line to its ``end`` line."""
        head, _, body = text.partition("\n")
        offset = _OFFSET.search(text)
        path = _PATH.search(text)
        return Script(
            name=head.removeprefix("def ").split("(")[0].strip(),
            offset=int(offset.group(1)) if offset else 0,
            path=tuple(map(_waypoint, _WAYPOINT.finditer(path.group(1)))) if path else (),
            lines=tuple(line.strip() for line in body.splitlines()[:-1]),
        )


def _waypoint(match: re.Match[str]) -> Waypoint:
    return Waypoint(
        linear=match["verb"] == "movel",
        pose=match["pose"] == "p",
        values=tuple(float(value) for value in match["values"].split(",")),
        speed=float(match["v"]),
        acceleration=float(match["a"]),
    )


class ScriptServer:
    """Reads programs off the script port and hands each complete one to ``load``."""

    def __init__(self, load: Callable[[Script], None]) -> None:
        self._load = load
        self._switches = 0

    def switched(self) -> None:
        """The pendant changed between local and remote control: old connections go unheard."""
        self._switches += 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take the programs of one connection until the client closes it."""
        switches = self._switches
        lines: list[str] = []
        while line := (await reader.readline()).decode(errors="replace").rstrip("\r\n") + "\n":
            if reader.at_eof() and line == "\n":
                return
            if line.startswith("def "):
                lines = []
            lines.append(line)
            if line.startswith("end") and lines[0].startswith("def "):
                if switches == self._switches:
                    self._load(Script.parse("".join(lines)))
                lines = []
