"""Write the challenging cases: meshes and arrangements under scenes/challenging/.

Run from the repository root, after changing an arrangement here. Lengths in mm and angles in
degrees; the files are in metres and radians. What stands in touch is of one height: a taller block
could be pinched by its top. Outer blocks are 60 mm wide and more: a corner of a smaller one fits
between the fingers askew.
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
    roof = np.array([[-31.0, 0.0], [31.0, 0.0], [0.0, 42.0]])
    bow = np.linspace(0, np.pi, 17)
    half = 31 * np.column_stack([np.cos(bow), np.sin(bow)])
    return {
        "cube": prism_corners(rectangle(62, 62), 44),
        "low_cube": prism_corners(rectangle(62, 62), 36),
        "plank": prism_corners(rectangle(60, 92), 36),
        "brick": prism_corners(rectangle(106, 60), 38),
        "course": prism_corners(rectangle(92, 60), 36),
        "half_course": prism_corners(rectangle(45.9, 60), 36),
        "wall": prism_corners(rectangle(93, 60), 36),
        "long_wall": prism_corners(rectangle(176.6, 60), 30),
        "short_wall": prism_corners(rectangle(118, 60), 30),
        "sill": prism_corners(rectangle(124.2, 44), 31),
        "tile": prism_corners(rectangle(64, 64), 26),
        "cylinder": prism_corners(polygon(32, 29), 30),
        "high_cylinder": prism_corners(polygon(32, 31), 44),
        "small_cylinder": prism_corners(polygon(32, 22.8), 38),
        "hexagon": prism_corners(polygon(6, 62 / 3**0.5), 36),
        "high_hexagon": prism_corners(polygon(6, 31, np.pi / 2), 44),
        "roof": lying(roof, 62),
        "half_cylinder": lying(half, 62),
    }


def grid(rows: list[list[str]], x: float, y: float) -> Iterator[Place]:
    """Meshes in rows, ``x`` from one to the next and ``y`` from row to row."""
    for row, names in enumerate(rows):
        for column, name in enumerate(names):
            middle = (len(names) - 1) / 2
            yield name, (column - middle) * (x + GAP), (row - (len(rows) - 1) / 2) * (y + GAP), 0.0


def pinwheel(along: str, across: str, x: float, y: float) -> Iterator[Place]:
    """Four walls of 60 mm around a hole of x × y, each past the end of the next."""
    width = 60 + GAP
    for sign in (-1, 1):
        yield along, sign * width / 2, sign * (y + width) / 2, 0.0
        yield across, sign * (x + width) / 2, -sign * width / 2, 90.0


def around_a_cylinder() -> Iterator[Place]:
    """Four bricks around a small cylinder."""
    yield from pinwheel("brick", "brick", 46 + GAP, 46 + GAP)
    yield "small_cylinder", 0.0, 0.0, 0.0


def boxed_in() -> Iterator[Place]:
    """Two cylinders between four walls."""
    yield from pinwheel("long_wall", "short_wall", 116 + 3 * GAP, 58 + GAP)
    yield from grid([["cylinder"] * 2], 58, 58)


def between_walls() -> Iterator[Place]:
    """Three cubes in a row between two walls of two bricks."""
    yield from grid([["low_cube"] * 3], 62, 62)
    for y in (-61 - GAP, 61 + GAP):
        for x in (-46.5 - GAP / 2, 46.5 + GAP / 2):
            yield "wall", x, y, 0.0


def honeycomb() -> Iterator[Place]:
    """One hexagon among six."""
    yield "hexagon", 0.0, 0.0, 0.0
    for x, y in polygon(6, 62 + GAP, np.pi / 6):
        yield "hexagon", float(x), float(y), 0.0


def bond() -> Iterator[Place]:
    """Three courses of a brick wall, the joints offset."""
    for sign in (-1, 1):
        yield "course", -46 - GAP / 2, sign * (60 + GAP), 0.0
        yield "course", 46 + GAP / 2, sign * (60 + GAP), 0.0
        yield "half_course", sign * (46 + 23 + GAP), 0.0, 0.0
    yield "course", 0.0, 0.0, 0.0


def halves() -> Iterator[Place]:
    """Half cylinders, two and two, on both sides of a sill."""
    for sign in (-1, 1):
        for x in (-31 - GAP / 2, 31 + GAP / 2):
            yield "half_cylinder", x, sign * (31 + 22 + GAP), 0.0
    yield "sill", 0.0, 0.0, 0.0


MIXED = [
    ["cube", "high_cylinder", "high_hexagon", "cube"],
    ["cube", "cube", "high_cylinder", "cube"],
]

# What a case is, its middle and angle, and its objects.
CASES: list[tuple[str, float, float, float, list[Place]]] = [
    ("Four planks abreast", -10, 15, 20, list(grid([["plank"] * 4], 60, 92))),
    ("Six cubes, two by three", 30, -20, 35, list(grid([["cube"] * 3] * 2, 62, 62))),
    ("Four bricks around a cylinder", -20, -25, 10, list(around_a_cylinder())),
    ("Three cubes between two walls", 10, 20, 65, list(between_walls())),
    ("Four tiles, two by two", 40, 35, 50, list(grid([["tile"] * 2] * 2, 64, 64))),
    ("Six roofs, two by three", -35, 10, 80, list(grid([["roof"] * 3] * 2, 62, 62))),
    ("A honeycomb of seven hexagons", 25, -30, 12, list(honeycomb())),
    ("Two cylinders boxed in", 0, 0, 100, list(boxed_in())),
    ("Three courses of bricks", -10, 10, 150, list(bond())),
    ("Half cylinders beside a sill", 35, 15, 100, list(halves())),
    ("Cubes, cylinders and a hexagon", 5, -15, 160, list(grid(MIXED, 62, 62))),
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
