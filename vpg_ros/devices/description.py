"""The robot and its cell as described in urdf/: text for PyBullet, shapes for the camera."""

from dataclasses import dataclass
from functools import cache
from xml.etree import ElementTree

import xacro
from scipy.spatial.transform import Rotation

from vpg_ros.geometry import Pose, Workspace
from vpg_ros.resources import resource
from vpg_ros.shapes import Box, Cylinder, Shape

Colour = tuple[float, float, float]

_GREY: Colour = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class LinkShapes:
    """What one link looks like: shapes in the link's frame, and a colour each (RGB, 0 … 1)."""

    name: str
    shapes: tuple[Shape, ...]
    colours: tuple[Colour, ...]


@cache
def expand(robot: bool, cell: bool, frames: bool, workspace: Workspace) -> str:
    """URDF text of the arm with its gripper (``robot``) and of what stands around it (``cell``).

    frames: also the links without mass, such as ``tool0``, which physics engines warn about.
    """
    x, y = workspace.centre
    mappings = {
        "robot": str(robot).lower(),
        "cell": str(cell).lower(),
        "frames": str(frames).lower(),
        "workspace_x": str(x),
        "workspace_y": str(y),
        "workspace_size_x": str(workspace.columns * workspace.resolution),
        "workspace_size_y": str(workspace.rows * workspace.resolution),
        "table_z": str(workspace.table_z),
    }
    path = resource("urdf/ur5_rg2.urdf.xacro")
    return str(xacro.process_file(str(path), mappings=mappings).toxml())


@cache
def link_shapes(urdf: str) -> tuple[LinkShapes, ...]:
    """The visual boxes and cylinders of every link of a URDF that has any."""
    root = ElementTree.fromstring(urdf)
    palette = {
        material.attrib["name"]: _colour(material.find("color"))
        for material in root.iter("material")
        if material.find("color") is not None
    }
    links = []
    for link in root.findall("link"):
        visuals = link.findall("visual")
        if visuals:
            shapes = tuple(_shape(visual) for visual in visuals)
            colours = tuple(palette.get(_material(visual), _GREY) for visual in visuals)
            links.append(LinkShapes(link.attrib["name"], shapes, colours))
    return tuple(links)


@cache
def fixed_frames(urdf: str) -> dict[str, Pose]:
    """Pose in ``base`` of every link that a fixed joint ties to it."""
    root = ElementTree.fromstring(urdf)
    fixed = [joint for joint in root.findall("joint") if joint.attrib["type"] == "fixed"]
    return {
        _attribute(joint, "child", "link"): _pose(joint.find("origin"))
        for joint in fixed
        if _attribute(joint, "parent", "link") == "base"
    }


def _shape(visual: ElementTree.Element) -> Shape:
    pose = _pose(visual.find("origin"))
    box = visual.find("geometry/box")
    if box is not None:
        x, y, z = (float(side) for side in box.attrib["size"].split())
        return Box((x, y, z), pose)
    radius = float(_attribute(visual, "geometry/cylinder", "radius"))
    return Cylinder(radius, float(_attribute(visual, "geometry/cylinder", "length")), pose)


def _pose(origin: ElementTree.Element | None) -> Pose:
    if origin is None:
        return Pose((0.0, 0.0, 0.0))
    x, y, z = (float(value) for value in origin.attrib.get("xyz", "0 0 0").split())
    angles = [float(value) for value in origin.attrib.get("rpy", "0 0 0").split()]
    qx, qy, qz, qw = Rotation.from_euler("xyz", angles).as_quat()
    return Pose((x, y, z), (float(qx), float(qy), float(qz), float(qw)))


def _colour(element: ElementTree.Element | None) -> Colour:
    assert element is not None
    r, g, b, _ = (float(value) for value in element.attrib["rgba"].split())
    return r, g, b


def _material(visual: ElementTree.Element) -> str:
    material = visual.find("material")
    return "" if material is None else material.attrib["name"]


def _attribute(element: ElementTree.Element, path: str, name: str) -> str:
    child = element.find(path)
    assert child is not None, f"URDF element {element.tag} has no {path}"
    return child.attrib[name]
