"""The objects: toy blocks of 25 to 60 mm like the original's, from convex shapes alone.

A kind is one function from a random generator to the shapes of a block; adding one is adding a
function to the table at the end.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vpg_ros.devices.description import Colour
from vpg_ros.geometry import FloatArray, Pose
from vpg_ros.shapes import Box, Cylinder, Hull, Shape, prism_corners
from vpg_ros.sim.shapes import moments

DENSITY = 850.0  # kg/m³: beech and hard plastics; blocks then weigh 20 to 150 g

# The colours of the original's blocks, from the palette of Tableau 10.
PALETTE: tuple[Colour, ...] = (
    (0.306, 0.475, 0.655),
    (0.349, 0.631, 0.310),
    (0.612, 0.459, 0.373),
    (0.949, 0.557, 0.169),
    (0.929, 0.788, 0.282),
    (0.729, 0.690, 0.675),
    (1.000, 0.341, 0.349),
    (0.690, 0.478, 0.631),
    (0.463, 0.718, 0.698),
    (1.000, 0.616, 0.655),
)


@dataclass(frozen=True)
class ObjectSpec:
    """One block, its frame at its centre of mass.

    shapes: their union. colour: RGB, 0 … 1. mass: kg. inertia: about x, y and z, kg·m².
    friction: Coulomb coefficient against table and fingers. height: z extent as it lies, m.
    """

    kind: str
    shapes: tuple[Shape, ...]
    colour: Colour
    mass: float
    inertia: tuple[float, float, float]
    friction: float

    @property
    def extent(self) -> FloatArray:
        """Size of the axis-aligned box around the block in its own frame, 3, m."""
        points = np.vstack([_placed(shape) for shape in self.shapes])
        return np.ptp(points, axis=0)

    @property
    def lowest(self) -> float:
        """Lowest z of the block in its own frame, m."""
        return float(min(_placed(shape)[:, 2].min() for shape in self.shapes))


def block(kind: str, rng: np.random.Generator, colour: Colour | None = None) -> ObjectSpec:
    """A random block of ``kind`` (see :data:`KINDS`), in ``colour`` or a random one."""
    shapes = KINDS[kind](rng)
    chosen = some_colour(rng)
    friction = float(rng.uniform(0.6, 0.8))
    return of_shapes(kind, shapes, colour or chosen, friction)[0]


def some_colour(rng: np.random.Generator) -> Colour:
    """One of PALETTE."""
    return PALETTE[int(rng.integers(len(PALETTE)))]


def of_shapes(
    kind: str, shapes: tuple[Shape, ...], colour: Colour, friction: float
) -> tuple[ObjectSpec, FloatArray]:
    """The block made of ``shapes``, and its centre of mass in their frame, 3, m."""
    volume, centroid, inertia = moments(shapes)
    cx, cy, cz = (float(value) for value in centroid)
    centred = tuple(replace(shape, pose=shape.pose.translated(-cx, -cy, -cz)) for shape in shapes)
    ixx, iyy, izz = (float(value) * DENSITY for value in np.diag(inertia))
    spec = ObjectSpec(kind, centred, colour, volume * DENSITY, (ixx, iyy, izz), friction)
    return spec, centroid


def _cube(rng: np.random.Generator) -> tuple[Shape, ...]:
    side = rng.uniform(0.030, 0.050)
    return (Box((side, side, side)),)


def _brick(rng: np.random.Generator) -> tuple[Shape, ...]:
    x, y, z = rng.uniform([0.045, 0.025, 0.025], [0.060, 0.040, 0.040])
    return (Box((x, y, z)),)


def _cylinder(rng: np.random.Generator) -> tuple[Shape, ...]:
    return (Cylinder(rng.uniform(0.015, 0.022), rng.uniform(0.030, 0.060)),)


def _disc(rng: np.random.Generator) -> tuple[Shape, ...]:
    return (Cylinder(rng.uniform(0.020, 0.028), rng.uniform(0.025, 0.030)),)


def _prism(rng: np.random.Generator) -> tuple[Shape, ...]:
    """Triangular roof: isosceles outline, lying on its base."""
    base, height = rng.uniform([0.040, 0.028], [0.058, 0.036])
    outline = np.array([[-base / 2, 0.0], [base / 2, 0.0], [0.0, height]])
    return (_lying(outline, rng.uniform(0.035, 0.060)),)


def _half_cylinder(rng: np.random.Generator) -> tuple[Shape, ...]:
    angles = np.linspace(0.0, np.pi, 11)
    radius = rng.uniform(0.025, 0.030)
    outline = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return (_lying(outline, rng.uniform(0.030, 0.055)),)


def _hexagon(rng: np.random.Generator) -> tuple[Shape, ...]:
    angles = np.arange(6) * np.pi / 3
    outline = rng.uniform(0.018, 0.026) * np.column_stack([np.cos(angles), np.sin(angles)])
    corners = prism_corners(outline, rng.uniform(0.028, 0.050))
    return (Hull(_points(corners)),)


def _arch(rng: np.random.Generator) -> tuple[Shape, ...]:
    """A lintel on two feet."""
    length, depth = rng.uniform([0.052, 0.026], [0.060, 0.034])
    thickness, foot = 0.016, 0.015
    feet = tuple(
        Box((foot, depth, foot), Pose((side * (length - foot) / 2, 0.0, foot / 2)))
        for side in (-1, 1)
    )
    return (Box((length, depth, thickness), Pose((0.0, 0.0, foot + thickness / 2))), *feet)


def _corner(rng: np.random.Generator) -> tuple[Shape, ...]:
    """An L lying flat: two bars at a right angle."""
    length, height = rng.uniform([0.048, 0.026], [0.060, 0.034])
    bar = rng.uniform(0.020, 0.024)
    return (
        Box((length, bar, height)),
        Box((bar, length - bar, height), Pose(((bar - length) / 2, length / 2, 0.0))),
    )


def _lying(outline: FloatArray, length: float) -> Hull:
    """The prism over an (x, z) outline, along y."""
    x, z, y = prism_corners(outline, length).T
    return Hull(_points(np.column_stack([x, y, z])))


def _points(corners: FloatArray) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in corners)


def _placed(shape: Shape) -> FloatArray:
    return shape.corners() @ shape.pose.matrix[:3, :3].T + shape.pose.position


KINDS: dict[str, Callable[[np.random.Generator], tuple[Shape, ...]]] = {
    "cube": _cube,
    "brick": _brick,
    "cylinder": _cylinder,
    "disc": _disc,
    "prism": _prism,
    "half_cylinder": _half_cylinder,
    "hexagon": _hexagon,
    "arch": _arch,
    "corner": _corner,
}
