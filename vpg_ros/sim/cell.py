"""What stands still around the robot: table, tray rim, bin and mast, from urdf/cell.xacro."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from vpg_ros.devices.description import Colour, LinkShapes, expand, fixed_frames, link_shapes
from vpg_ros.geometry import FloatArray, Pose, Workspace
from vpg_ros.shapes import Box, Shape
from vpg_ros.sim.shapes import collision_shape, mesh

# Against friction 1 an object's own coefficient counts (Bullet multiplies the two).
_FRICTION = 1.0


@dataclass(frozen=True)
class Drawable:
    """One body to draw: shapes in its own frame with a colour each, and its 4×4 pose."""

    shapes: tuple[Shape, ...]
    colours: tuple[Colour, ...]
    pose: FloatArray


@cache
def static_drawables(workspace: Workspace) -> tuple[Drawable, ...]:
    """What never moves around ``workspace``: one body for each link of the cell."""
    return tuple(Drawable(link.shapes, link.colours, pose) for link, pose in _links(workspace))


class Cell:
    """The static bodies, and the areas that decide what became of an object.

    boxes: M×2×3, lower and upper corners of the axis-aligned box around each shape, m. floor:
    [[min x, min y], [max x, max y]] inside the tray's rim, m.
    """

    def __init__(self, client: Any, workspace: Workspace) -> None:
        links = _links(workspace)
        for link, pose in links:
            add_static(client, link.shapes, Pose(tuple(pose[:3, 3].tolist())), _FRICTION)
        self.boxes = np.array([box for link, pose in links for box in _boxes(link, pose)])
        shapes = {link.name: link.shapes for link, _ in links}
        self.floor = _between(shapes["tray_rim"])
        self._tray = _enclosed(shapes["tray_rim"])
        self._bin = _enclosed(shapes["bin"])

    def narrow(self, margin: float) -> None:
        """Have the tray end ``margin`` m inside its rim: what comes to rest beyond is lost."""
        self._tray = self._tray + np.array([[margin], [-margin]])

    def on_tray(self, x: float, y: float) -> bool:
        """Whether (x, y) m lies within the tray's rim."""
        return _contains(self._tray, x, y)

    def in_bin(self, x: float, y: float) -> bool:
        """Whether (x, y) m lies within the bin's walls."""
        return _contains(self._bin, x, y)


def _links(workspace: Workspace) -> list[tuple[LinkShapes, FloatArray]]:
    """Shapes and pose in the base frame of each link of the cell."""
    urdf = expand(robot=False, cell=True, frames=True, workspace=workspace)
    frames = fixed_frames(urdf)
    return [(link, frames[link.name].matrix) for link in link_shapes(urdf)]


def add_static(client: Any, shapes: tuple[Shape, ...], pose: Pose, friction: float) -> int:
    """A body that never moves; returns its id."""
    form, at = collision_shape(client, shapes), list(pose.position)
    body = int(client.createMultiBody(0.0, form, -1, at, list(pose.quaternion)))
    client.changeDynamics(body, -1, lateralFriction=friction)
    return body


def _boxes(link: LinkShapes, pose: FloatArray) -> list[FloatArray]:
    corners = [mesh((shape,)).vertices @ pose[:3, :3].T + pose[:3, 3] for shape in link.shapes]
    return [np.array([points.min(axis=0), points.max(axis=0)]) for points in corners]


def _enclosed(walls: tuple[Shape, ...]) -> FloatArray:
    """[[min x, min y], [max x, max y]] between four walls, to the middle of each wall."""
    centres = np.array([wall.pose.position[:2] for wall in walls if isinstance(wall, Box)])
    return np.array([centres.min(axis=0), centres.max(axis=0)])


def _between(walls: tuple[Shape, ...]) -> FloatArray:
    """[[min x, min y], [max x, max y]] between the faces of four walls."""
    boxes = [wall for wall in walls if isinstance(wall, Box)]
    thickness = min(min(wall.size[:2]) for wall in boxes)
    return _enclosed(walls) + np.array([[thickness / 2], [-thickness / 2]])


def _contains(area: FloatArray, x: float, y: float) -> bool:
    return bool(area[0, 0] <= x <= area[1, 0] and area[0, 1] <= y <= area[1, 1])
