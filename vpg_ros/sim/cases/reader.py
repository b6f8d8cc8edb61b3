"""Reading cases: text files of one object a line, as the original's ``test-10-obj-*.txt``.

A line is ``mesh.obj r g b x y z ax ay az``: colour 0 … 1, position of the mesh's frame in m, and
the angles alpha, beta and gamma of V-REP in rad, R = Rx(ax)·Ry(ay)·Rz(az). Lines that begin with
``#`` are comments; ``# workspace X Y`` gives the middle of the workspace that positions refer to
(the original's, −0.5 0, when there is none). What lies outside the workspace is left out.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from vpg_ros.devices.description import Colour
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Pose
from vpg_ros.resources import resource
from vpg_ros.sim.cases.case import Case
from vpg_ros.sim.cases.meshes import convex_parts
from vpg_ros.sim.objects import ObjectSpec, of_shapes

CHALLENGING = "scenes/challenging"
# Where meshes are looked for, from the folder of the case's file; the last is the original's.
MESH_FOLDERS = (".", "blocks", "../blocks", "../../objects/blocks")
FRICTION = 0.7  # in the middle of what blocks have

_ORIGINAL_CENTRE = (-0.5, 0.0)
_HALF, _CEILING = 0.224, 0.4  # m that the original's workspace reaches to each side, and up
_LINE = "mesh.obj r g b x y z ax ay az"


@dataclass(frozen=True)
class _Line:
    """One line of a case, as it stands there."""

    place: str
    mesh: str
    numbers: tuple[float, ...]

    @property
    def colour(self) -> Colour:
        return self.numbers[0], self.numbers[1], self.numbers[2]


def challenging() -> list[Case]:
    """The eleven challenging cases that come along, in order."""
    return load_folder(resource(CHALLENGING))


def load_folder(folder: Path, meshes: Path | None = None) -> list[Case]:
    """All cases (``*.txt``) of a folder by name; raises SCENE_INVALID with file and line.

    meshes: folder of the OBJ files, when it is none of :data:`MESH_FOLDERS`.
    """
    if not folder.is_dir():
        raise _error(f"folder of cases {folder} does not exist")
    paths = sorted(folder.glob("*.txt"))
    if not paths:
        raise _error(f"folder {folder} holds no case; expected text files *.txt")
    return [load(path, meshes) for path in paths]


def load(path: Path, meshes: Path | None = None) -> Case:
    """The case in one text file, named as the file is; raises SCENE_INVALID."""
    centre = _ORIGINAL_CENTRE
    lines: list[_Line] = []
    for place, words in _words(path):
        if words[0] == "#":
            centre = _centre(place, words) if words[1:2] == ["workspace"] else centre
        else:
            lines.append(_parsed(place, words))
    if not lines:
        raise _error(f"case {path} is empty; expected lines '{_LINE}'")
    found = [(line, _mesh_file(path, line, meshes)) for line in lines]
    inside = [each for each in found if _is_inside(each[0], centre)]
    if not inside:
        raise _error(f"case {path} has no object on the workspace around {centre} m")
    specs, poses = zip(*(_object(line, mesh, centre) for line, mesh in inside), strict=True)
    return Case(path.stem, specs, poses)


def _words(path: Path) -> list[tuple[str, list[str]]]:
    """Where every line that is not blank stands, and its words; comments begin with ``#``."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _error(f"case {path} cannot be read as text: {error}") from None
    rows = [line.replace("#", "# ", 1).split() for line in text.splitlines()]
    return [(f"{path}, line {number}", words) for number, words in enumerate(rows, 1) if words]


def _parsed(place: str, words: list[str]) -> _Line:
    """The line of one object."""
    numbers = _numbers(place, words[1:], 9, f"'{_LINE}'")
    if not all(0 <= value <= 1 for value in numbers[:3]):
        raise _error(f"{place}: colour is {words[1:4]}; expected r, g and b of 0 … 1")
    return _Line(place, words[0], numbers)


def _centre(place: str, words: list[str]) -> tuple[float, float]:
    x, y = _numbers(place, words[2:], 2, "'# workspace X Y', in m")
    return x, y


def _numbers(place: str, words: list[str], count: int, expected: str) -> tuple[float, ...]:
    """``count`` finite numbers."""
    if len(words) != count:
        raise _error(f"{place}: {len(words)} numbers; expected {count}: {expected}")
    try:
        numbers = tuple(float(word) for word in words)
    except ValueError:
        numbers = (math.nan,)
    if not all(math.isfinite(number) for number in numbers):
        raise _error(f"{place}: {' '.join(words)} are not all finite numbers; expected {expected}")
    return numbers


def _mesh_file(path: Path, line: _Line, meshes: Path | None) -> Path:
    """Where a line's mesh lies."""
    folders = [meshes] if meshes else [path.parent / folder for folder in MESH_FOLDERS]
    for folder in folders:
        if (folder / line.mesh).is_file():
            return (folder / line.mesh).resolve()
    searched = ", ".join(str(folder) for folder in folders)
    raise _error(f"{line.place}: mesh {line.mesh} does not exist; expected in {searched}")


def _is_inside(line: _Line, centre: tuple[float, float]) -> bool:
    x, y, z = line.numbers[3:6]
    beside = max(abs(x - centre[0]), abs(y - centre[1])) > _HALF
    return not beside and 0 < z < _CEILING


def _object(line: _Line, mesh: Path, centre: tuple[float, float]) -> tuple[ObjectSpec, Pose]:
    """One object, its pose moved from the mesh's frame to the centre of mass."""
    spec, offset = of_shapes(mesh.stem, convex_parts(mesh), line.colour, FRICTION)
    x, y, z = line.numbers[3:6]
    frame = np.eye(4)
    frame[:3, :3] = Rotation.from_euler("XYZ", line.numbers[6:9]).as_matrix()
    frame[:3, 3] = (x - centre[0], y - centre[1], z)
    frame[:3, 3] += frame[:3, :3] @ offset
    return spec, Pose.from_matrix(frame)


def _error(sentence: str) -> VpgError:
    return VpgError(ErrorCode.SCENE_INVALID, sentence)
