"""Reading cases: texts, their meshes, and which frame of a mesh they place."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from vpg_ros.geometry import FloatArray, Pose
from vpg_ros.resources import resource
from vpg_ros.sim.cases.case import Case
from vpg_ros.sim.cases.frames import box_frame
from vpg_ros.sim.cases.meshes import convex_parts
from vpg_ros.sim.cases.overlap import overlap
from vpg_ros.sim.cases.text import Frame, Line, Text, invalid, read_text
from vpg_ros.sim.objects import ObjectSpec, of_shapes

CHALLENGING = "scenes/challenging"
# Where meshes are looked for, from the folder of the case's file; the last is the original's.
MESH_FOLDERS = (".", "blocks", "../blocks", "../../objects/blocks")
FRICTION = 0.7  # in the middle of what blocks have

_TIE = 1e-3  # m for each object


def challenging() -> list[Case]:
    """The eleven challenging cases that come along, in order."""
    return load_folder(resource(CHALLENGING))


def load_folder(folder: Path, meshes: Path | None = None) -> list[Case]:
    """All cases (``*.txt``) of a folder by name; raises SCENE_INVALID with file and line.

    meshes: folder of the OBJ files, when it is none of :data:`MESH_FOLDERS`. Files that do not say
    which frame of a mesh they place (see :mod:`.frames`) all place the same one: the file's own,
    unless objects placed by V-REP's overlap one another and the table less.
    """
    if not folder.is_dir():
        raise invalid(f"folder of cases {folder} does not exist")
    paths = sorted(folder.glob("*.txt"))
    if not paths:
        raise invalid(f"folder {folder} holds no case; expected text files *.txt")
    return _cases([read_text(path) for path in paths], meshes)


def load(path: Path, meshes: Path | None = None) -> Case:
    """The case in one text file, named as the file is; as :func:`load_folder` reads a folder."""
    return _cases([read_text(path)], meshes)[0]


def _cases(texts: list[Text], meshes: Path | None) -> list[Case]:
    silent = [text for text in texts if text.frame is None]
    frame = _fitting(silent, meshes) if silent else "mesh"
    return [_case(text, meshes, text.frame or frame) for text in texts]


def _fitting(texts: list[Text], meshes: Path | None) -> Frame:
    """The frame with which the objects of all texts overlap less; the file's own on a tie."""
    own, box = ([_case(text, meshes, frame) for text in texts] for frame in ("mesh", "box"))
    tie = _TIE * sum(len(case.specs) for case in own)
    return "box" if sum(map(overlap, box)) + tie < sum(map(overlap, own)) else "mesh"


def _case(text: Text, meshes: Path | None, frame: Frame) -> Case:
    """The objects that lie on the workspace."""
    found = [(line, _mesh_file(text, line, meshes)) for line in text.lines]
    inside = [each for each in found if text.is_inside(each[0])]
    if not inside:
        x, y = text.centre
        raise invalid(f"case {text.path} has no object on the workspace around ({x:g}, {y:g}) m")
    placed = [_object(line, mesh, frame, text.centre) for line, mesh in inside]
    specs, poses = zip(*placed, strict=True)
    return Case(text.path.stem, specs, poses)


def _mesh_file(text: Text, line: Line, meshes: Path | None) -> Path:
    """Where a line's mesh lies."""
    folders = [meshes] if meshes else [text.path.parent / folder for folder in MESH_FOLDERS]
    for folder in folders:
        if (folder / line.mesh).is_file():
            return (folder / line.mesh).resolve()
    searched = ", ".join(str(folder) for folder in folders)
    raise invalid(f"{line.place}: mesh {line.mesh} does not exist; expected in {searched}")


def _object(
    line: Line, mesh: Path, frame: Frame, centre: tuple[float, float]
) -> tuple[ObjectSpec, Pose]:
    """One object, its pose that of its centre of mass."""
    parts = convex_parts(mesh)
    spec, offset = of_shapes(mesh.stem, parts, line.colour, FRICTION)
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("XYZ", line.angles).as_matrix()
    pose[:3, 3] = np.array(line.position) - [*centre, 0.0]
    if frame == "box":
        pose = pose @ np.linalg.inv(_box_frame(mesh))
    pose[:3, 3] += pose[:3, :3] @ offset
    return spec, Pose.from_matrix(pose)


@lru_cache(maxsize=256)
def _box_frame(mesh: Path) -> FloatArray:
    return box_frame(np.vstack([part.corners() for part in convex_parts(mesh)]))
