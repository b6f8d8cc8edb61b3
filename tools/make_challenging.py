"""Write the challenging cases: meshes and arrangements under scenes/challenging/.

Run from the repository root, after changing an arrangement here. Lengths in mm and angles in
degrees; the files are in metres and radians. What stands in touch is of one height: a taller block
could be pinched by its top.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vpg_ros.geometry import FloatArray
from vpg_ros.shapes import Hull, prism_corners
from vpg_ros.sim.objects import PALETTE
from vpg_ros.sim.shapes import mesh

FOLDER = Path("scenes/challenging")
GAP = 0.2  # mm between neighbours
HEADER = """\
# {title}
# mesh.obj r g b x y z ax ay az (m, and V-REP Euler angles in rad)
# workspace 0 0
# frame mesh
"""

Outline = FloatArray
# A mesh's name, its middle (x, y) and its angle.
Place = tuple[str, float, float, float]


def rectangle(x: float, y: float) -> Outline:
    """Corners of a rectangle about the origin."""
    return np.array([[-x, -y], [x, -y], [x, y], [-x, y]]) / 2


def polygon(corners: int, radius: float, phase: float = 0.0) -> Outline:
    """A regular polygon."""
    angles = phase + 2 * np.pi * np.arange(corners) / corners
    return radius * np.column_stack([np.cos(angles), np.sin(angles)])


def lying(outline: Outline, length: float) -> FloatArray:
    """Corners of the prism over an (x, z) outline along y, its box centred on the origin."""
    centred = outline - (outline.min(axis=0) + outline.max(axis=0)) / 2
    x, z, y = prism_corners(centred, length).T
    return np.column_stack([x, y, z])


def meshes() -> dict[str, FloatArray]:
    """Corners of every mesh, N×3."""
    roof = np.array([[-25.0, 0.0], [25.0, 0.0], [0.0, 38.0]])
    bow = np.linspace(0, np.pi, 17)
    half = 28 * np.column_stack([np.cos(bow), np.sin(bow)])
    return {
        "cube": prism_corners(rectangle(50, 50), 50),
        "small_cube": prism_corners(rectangle(48, 48), 38),
        "plank": prism_corners(rectangle(46, 92), 36),
        "brick": prism_corners(rectangle(96, 48), 40),
        "course": prism_corners(rectangle(92, 46), 42),
        "half_course": prism_corners(rectangle(45.9, 46), 42),
        "wall": prism_corners(rectangle(150, 42), 38),
        "end_wall": prism_corners(rectangle(42, 134.4), 38),
        "sill": prism_corners(rectangle(112.2, 40), 28),
        "tile": prism_corners(rectangle(64, 64), 26),
        "cylinder": prism_corners(polygon(32, 25), 38),
        "tall_cylinder": prism_corners(polygon(32, 25), 50),
        "small_cylinder": prism_corners(polygon(32, 23.5), 40),
        "hexagon": prism_corners(polygon(6, 46 / 3**0.5), 44),
        "tall_hexagon": prism_corners(polygon(6, 25, np.pi / 2), 50),
        "roof": lying(roof, 60),
        "half_cylinder": lying(half, 56),
    }


def grid(rows: list[list[str]], x: float, y: float) -> Iterator[Place]:
    """Meshes in rows, ``x`` from one to the next and ``y`` from row to row."""
    for row, names in enumerate(rows):
        for column, name in enumerate(names):
            middle = (len(names) - 1) / 2
            yield name, (column - middle) * (x + GAP), (row - (len(rows) - 1) / 2) * (y + GAP), 0.0


def pinwheel() -> Iterator[Place]:
    """Four bricks around a square hole, and what fills it."""
    along, across = (48 + GAP) / 2, (96 + GAP) / 2
    for quarter in range(4):
        angle = quarter * np.pi / 2
        c, s = np.cos(angle), np.sin(angle)
        yield "brick", c * along - s * across, s * along + c * across, 90.0 * quarter
    yield "small_cylinder", 0.0, 0.0, 0.0


def between_walls(name: str, side: float) -> Iterator[Place]:
    """Three in a row between two long walls."""
    yield from grid([[name] * 3], side, side)
    for sign in (-1, 1):
        yield "wall", 0.0, sign * (side / 2 + 21 + GAP), 0.0


def boxed_in() -> Iterator[Place]:
    """Three cylinders between four walls."""
    yield from between_walls("cylinder", 50)
    for sign in (-1, 1):
        yield "end_wall", sign * (75 + 21 + 2 * GAP), 0.0, 0.0


def honeycomb() -> Iterator[Place]:
    """One hexagon among six."""
    yield "hexagon", 0.0, 0.0, 0.0
    for x, y in polygon(6, 46 + GAP, np.pi / 6):
        yield "hexagon", float(x), float(y), 0.0


def bond() -> Iterator[Place]:
    """Three courses of a brick wall, the joints offset."""
    for sign in (-1, 1):
        yield "course", -46 - GAP / 2, sign * (46 + GAP), 0.0
        yield "course", 46 + GAP / 2, sign * (46 + GAP), 0.0
        yield "half_course", sign * (46 + 23 + GAP), 0.0, 0.0
    yield "course", 0.0, 0.0, 0.0


def halves() -> Iterator[Place]:
    """Half cylinders, two and two, on both sides of a sill."""
    for sign in (-1, 1):
        for x in (-28 - GAP / 2, 28 + GAP / 2):
            yield "half_cylinder", x, sign * (28 + 20 + GAP), 0.0
    yield "sill", 0.0, 0.0, 0.0


MIXED = [
    ["cube", "tall_cylinder", "tall_hexagon", "cube"],
    ["cube", "cube", "tall_cylinder", "cube"],
]

# What a case is, its middle and angle, and its objects.
CASES: list[tuple[str, float, float, float, list[Place]]] = [
    ("Four planks abreast", -10, 15, 20, list(grid([["plank"] * 4], 46, 92))),
    ("Six cubes, two by three", 30, -20, 35, list(grid([["cube"] * 3] * 2, 50, 50))),
    ("Four bricks around a cylinder", -20, -25, 10, list(pinwheel())),
    ("Three cubes between two walls", 10, 20, 65, list(between_walls("small_cube", 48))),
    ("Four tiles, two by two", 40, 35, 50, list(grid([["tile"] * 2] * 2, 64, 64))),
    ("Six roofs, two by three", -35, 10, 80, list(grid([["roof"] * 3] * 2, 50, 60))),
    ("A honeycomb of seven hexagons", 25, -30, 12, list(honeycomb())),
    ("Three cylinders boxed in", 0, 0, 125, list(boxed_in())),
    ("Three courses of bricks", -15, 20, 150, list(bond())),
    ("Half cylinders beside a sill", 35, 15, 100, list(halves())),
    ("Cubes, cylinders and a hexagon", 5, -15, 160, list(grid(MIXED, 50, 50))),
]


def mesh_text(corners: FloatArray) -> str:
    """A convex mesh in metres as Wavefront OBJ."""
    body = mesh((Hull(tuple(map(tuple, corners / 1000))),))
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in body.vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in body.triangles + 1]
    return "\n".join(lines) + "\n"


def case_text(case: tuple[str, float, float, float, list[Place]], heights: dict[str, float]) -> str:
    """A case, moved to its middle and turned."""
    title, middle_x, middle_y, degrees, places = case
    angle = np.deg2rad(degrees)
    c, s = np.cos(angle), np.sin(angle)
    lines = []
    for index, (name, x, y, own) in enumerate(places):
        at = np.array([middle_x + c * x - s * y, middle_y + s * x + c * y, heights[name] / 2])
        colour = " ".join(f"{value:.3f}" for value in PALETTE[index % len(PALETTE)])
        position = " ".join(f"{value:.5f}" for value in at / 1000)
        lines.append(f"{name}.obj {colour} {position} 0 0 {angle + np.deg2rad(own):.5f}")
    return HEADER.format(title=title) + "\n".join(lines) + "\n"


def main() -> None:
    """Write all files."""
    corners = meshes()
    (FOLDER / "blocks").mkdir(parents=True, exist_ok=True)
    for name, points in corners.items():
        (FOLDER / "blocks" / f"{name}.obj").write_text(mesh_text(points))
    heights = {name: float(np.ptp(points[:, 2])) for name, points in corners.items()}
    for index, case in enumerate(CASES):
        (FOLDER / f"challenging-{index:02d}.txt").write_text(case_text(case, heights))


if __name__ == "__main__":
    main()
