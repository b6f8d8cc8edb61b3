"""The robot and its cell as described in urdf/: text for PyBullet, shapes for the camera."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from xml.etree import ElementTree

import xacro
from scipy.spatial.transform import Rotation

from vpg_ros.devices import grippers
from vpg_ros.devices.kinematics import kinematics
from vpg_ros.geometry import DEFAULT_BIN, Pose, Workspace
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


@dataclass(frozen=True)
class _Build:
    """Where an arm's tubes lie beside its plane, m, and how thick it is, times a UR5."""

    upper_arm_offset: float
    forearm_offset: float
    girth: float


# Offsets from the maker's own descriptions (ur_description).
_BUILDS = {
    "ur3": _Build(0.1198, 0.0275, 0.8),
    "ur5": _Build(0.13585, 0.0165, 1.0),
    "ur10": _Build(0.220941, 0.049042, 1.25),
    "ur3e": _Build(0.120, 0.027, 0.8),
    "ur5e": _Build(0.138, 0.007, 1.0),
    "ur10e": _Build(0.1762, 0.0393, 1.25),
}


@cache
def expand(
    robot: bool,
    cell: bool,
    frames: bool,
    workspace: Workspace,
    model: str = "ur5",
    gripper: str = "rg2",
    tool_length: float | None = None,
    camera: Pose | None = None,
    bin_position: tuple[float, ...] = DEFAULT_BIN,
) -> str:
    """URDF text of the arm with its gripper (``robot``) and of what stands around it (``cell``).

    frames: also the links without mass, such as ``tool0``, which physics engines warn about.
    tool_length: from ``tool0`` to the fingertips, m; None for the gripper's own.
    camera: optical frame in the base frame; None for the one of the simulated cell. bin_position:
    above whose middle things are let go of, x y z in m. Raises PARAMETER_INVALID for a model or a
    gripper that there is not.
    """
    mappings = {
        "robot": str(robot).lower(),
        "cell": str(cell).lower(),
        "frames": str(frames).lower(),
        **_arm_mappings(model),
        **_gripper_mappings(gripper, tool_length),
        **_workspace_mappings(workspace),
        "bin_x": str(bin_position[0]),
        "bin_y": str(bin_position[1]),
        **({} if camera is None else _camera_mappings(camera)),
    }
    path = resource("urdf/robot.urdf.xacro")
    return str(xacro.process_file(str(path), mappings=mappings).toxml())


def _arm_mappings(model: str) -> dict[str, str]:
    arm, build = kinematics(model), _BUILDS[model]
    lengths = {"d1": arm.d[0], "a2": arm.a[1], "a3": arm.a[2]}
    lengths |= {"d4": arm.d[3], "d5": arm.d[4], "d6": arm.d[5]}
    return {name: str(value) for name, value in (lengths | asdict(build)).items()}


def _gripper_mappings(gripper: str, tool_length: float | None) -> dict[str, str]:
    """A gripper without a file of its own is described by the space it may take up."""
    data = grippers.get(gripper).data
    alike = [name for name in grippers.NAMES if grippers.get(name).data == data]
    drawn = [name for name in alike if (resource("urdf") / f"{name}.xacro").is_file()]
    length = data.length if tool_length is None else tool_length
    return {"gripper": next(iter(drawn), "envelope"), "tool_z": str(length)}


def _workspace_mappings(workspace: Workspace) -> dict[str, str]:
    x, y = workspace.centre
    return {
        "workspace_x": str(x),
        "workspace_y": str(y),
        "workspace_size_x": str(workspace.columns * workspace.resolution),
        "workspace_size_y": str(workspace.rows * workspace.resolution),
        "table_z": str(workspace.table_z),
    }


def _camera_mappings(camera: Pose) -> dict[str, str]:
    angles = Rotation.from_quat(camera.quaternion).as_euler("xyz")
    return {"camera_xyz": _numbers(camera.position), "camera_rpy": _numbers(angles)}


def _numbers(values: Iterable[float]) -> str:
    return " ".join(str(float(value)) for value in values)


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


@dataclass(frozen=True)
class Joint:
    """One joint of a URDF: the child's frame in the parent's, moved along or about ``axis``."""

    name: str
    kind: str
    parent: str
    child: str
    origin: Pose
    axis: tuple[float, float, float]


@cache
def joints(urdf: str) -> tuple[Joint, ...]:
    """All joints of a URDF."""
    return tuple(_joint(element) for element in ElementTree.fromstring(urdf).findall("joint"))


@cache
def collision_shapes(urdf: str) -> dict[str, tuple[Shape, ...]]:
    """The shapes that stand for each link in collisions, in the link's frame."""
    links = ElementTree.fromstring(urdf).findall("link")
    return {
        link.attrib["name"]: tuple(_shape(element) for element in link.findall("collision"))
        for link in links
        if link.find("collision") is not None
    }


@cache
def fixed_frames(urdf: str) -> dict[str, Pose]:
    """Pose in ``base`` of every link that a fixed joint ties to it."""
    return {
        joint.child: joint.origin
        for joint in joints(urdf)
        if joint.kind == "fixed" and joint.parent == "base"
    }


def _joint(element: ElementTree.Element) -> Joint:
    axis = element.find("axis")
    x, y, z = (float(v) for v in ("1 0 0" if axis is None else axis.attrib["xyz"]).split())
    return Joint(
        element.attrib["name"],
        element.attrib["type"],
        _attribute(element, "parent", "link"),
        _attribute(element, "child", "link"),
        _pose(element.find("origin")),
        (x, y, z),
    )


def _shape(element: ElementTree.Element) -> Shape:
    pose = _pose(element.find("origin"))
    box = element.find("geometry/box")
    if box is not None:
        x, y, z = (float(side) for side in box.attrib["size"].split())
        return Box((x, y, z), pose)
    radius = float(_attribute(element, "geometry/cylinder", "radius"))
    return Cylinder(radius, float(_attribute(element, "geometry/cylinder", "length")), pose)


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
