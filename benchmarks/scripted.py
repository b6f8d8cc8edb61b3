"""Scripted uses of the primitives: an oracle that knows where the objects are.

Each script returns the action to take next on a table of its family. They show what the primitives
can do, not what a policy has learned.
"""

from collections.abc import Callable

import numpy as np

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.geometry import FloatArray
from vpg_ros.heightmap import Heightmap
from vpg_ros.sim.world import World

Script = Callable[[World, Heightmap], Action]


def at(name: str, x: float, y: float, angle: float, heightmap: Heightmap) -> Action:
    """The action of primitive ``name`` at (x, y) m, at its rotation nearest to ``angle`` rad."""
    primitive = primitives.get(name)
    row, column = heightmap.workspace.to_pixel(x, y)
    rows, columns = heightmap.workspace.shape
    row, column = min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)
    rotation = round(angle / primitive.angle(1)) % primitive.rotations
    return primitive.action(row, column, rotation, heightmap)


def horizontal(world: World, body: int, axis: int) -> tuple[FloatArray, float]:
    """Direction of a body's own axis in the table's plane, 2, and how steep it is: |z| of 1."""
    direction = world.pose(body).matrix[:3, axis]
    return direction[:2], float(abs(direction[2]))


def topple_and_grasp(world: World, heightmap: Heightmap) -> Action:
    """Topple what stands, at one of its faces; grasp what lies across its waist."""
    body = world.objects[0]
    x, y, _ = world.pose(body).position
    post, steep = horizontal(world, body, 2)
    if steep < 0.7:
        across = np.arctan2(post[1], post[0]) + np.pi / 2
        return at("grasp", x, y, across, heightmap)
    centre_x, centre_y = world.workspace.centre
    face = np.arctan2(*world.pose(body).matrix[:2, 0][::-1])
    towards = np.arctan2(centre_y - y, centre_x - x)
    angle = face + round((towards - face) / (np.pi / 2)) * np.pi / 2
    step = primitives.get("topple").angle(1)
    angle = round(angle / step) * step
    start = world.spec(body).extent[0] / 2 + 0.030
    return at("topple", x - start * np.cos(angle), y - start * np.sin(angle), angle, heightmap)


def roll_and_grasp(world: World, heightmap: Heightmap) -> Action:
    """Roll a ball out of its corner towards the middle; grasp it there."""
    x, y, _ = world.pose(world.objects[0]).position
    centre_x, centre_y = world.workspace.centre
    cornered = min(abs(x - centre_x), abs(y - centre_y)) > 0.20
    if not cornered:
        return at("grasp", x, y, 0.0, heightmap)
    return at("roll", x, y, np.arctan2(centre_y - y, centre_x - x), heightmap)


def squeeze_and_grasp(world: World, heightmap: Heightmap) -> Action:
    """Squeeze a row that is too wide for a grasp; grasp all of it at once."""
    places = np.array([world.pose(body).position[:2] for body in world.objects])
    x, y = places.mean(axis=0)
    normal, _ = horizontal(world, world.objects[0], 0)
    along = np.arctan2(normal[1], normal[0])
    length = np.ptp(places @ normal)
    return at("squeeze" if length > 0.060 else "grasp", x, y, along, heightmap)


def pry_and_grasp(world: World, heightmap: Heightmap) -> Action:
    """Pry the card up against the sill; grasp it at its upper edge."""
    body, sill = world.objects
    x, y, _ = world.pose(body).position
    normal, flat = horizontal(world, body, 2)
    if flat < 0.5:
        return at("grasp", x, y, np.arctan2(normal[1], normal[0]), heightmap)
    sx, sy, _ = world.pose(sill).position
    angle = np.arctan2(sy - y, sx - x)
    start = world.spec(body).extent[0] / 2 + 0.022
    return at("lever", x - start * np.cos(angle), y - start * np.sin(angle), angle, heightmap)


def stack_up(world: World, heightmap: Heightmap) -> Action:
    """Stack the lowest free block on the tallest one."""
    tallest = max(world.objects, key=lambda body: world.pose(body).position[2])
    tx, ty, _ = world.pose(tallest).position
    free = [
        body
        for body in world.objects
        if np.hypot(world.pose(body).position[0] - tx, world.pose(body).position[1] - ty) > 0.03
    ]
    body = free[0]
    x, y, _ = world.pose(body).position
    face, _ = horizontal(world, body, 0)
    return at("stack", x, y, np.arctan2(face[1], face[0]), heightmap)


SCRIPTS: dict[str, Script] = {
    "tall": topple_and_grasp,
    "cornered": roll_and_grasp,
    "tiles": squeeze_and_grasp,
    "cards": pry_and_grasp,
    "tower": stack_up,
}
