"""Putting picked objects back on the table, so that a robot can practise unattended.

Whatever a primitive picks it carries somewhere (:class:`~vpg_ros.motion.Carry`), into the bin as a
rule. Here that somewhere becomes a random place on the table, where the object is lowered and let
go of just above what lies there: the table never empties, and never stays the same.
"""

from dataclasses import replace

import numpy as np

from vpg_ros.geometry import Pose, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Carry, GripperMove, JointMove, LinearMove, Motion, RiseMove, Step

MARGIN = 0.07  # m from the workspace's edges, so that what is let go of stays on the table
NEIGHBOURHOOD = 0.06  # m around the place that object and open fingers may reach
DROP = 0.02  # m that the object may fall
ABOVE = 0.15  # m above the place where the straight way down begins
SPEED = 0.15  # m/s on the way down
CONTACT_FORCE = 30.0  # N at which what is held has met something and is let go of there


def returned(motion: Motion, heightmap: Heightmap, rng: np.random.Generator) -> Motion:
    """``motion``, but what it picks is put down at a random place of ``heightmap``'s table.

    A motion that carries nothing away stays as it is, and draws nothing from ``rng``. What is held
    reaches at most as far below the tip as the tip was above the table when it closed.
    """
    if not any(isinstance(step, Carry) for step in motion.steps):
        return motion
    return put_down(motion, random_place(heightmap, rng), heightmap, DROP)


def put_down(motion: Motion, place: Pose, heightmap: Heightmap, drop: float) -> Motion:
    """``motion`` with its Carry replaced: what is held is let go of ``drop`` m above ``place``."""
    carry = next(step for step in motion.steps if isinstance(step, Carry))
    index = motion.steps.index(carry)
    before, after = motion.steps[:index], motion.steps[index + 1 :]
    hang = _lowest(before) - heightmap.workspace.table_z
    place = place.translated(dz=hang + drop)
    above = place.translated(dz=ABOVE)
    release = next(step for step in motion.retreat if isinstance(step, GripperMove))
    steps = (
        *before,
        JointMove(carry.phase, above, carry.speed, carry.acceleration),
        *after,
        LinearMove("lower", place, SPEED, force_limit=CONTACT_FORCE, guarded=True),
        replace(release, phase="let go"),
        RiseMove("rise", above.position[2]),
    )
    return replace(motion, steps=steps)


def random_place(heightmap: Heightmap, rng: np.random.Generator) -> Pose:
    """Tool pose at a random place and yaw, on the highest point of its NEIGHBOURHOOD."""
    workspace = heightmap.workspace
    row, column = (_inside(count, workspace.resolution, rng) for count in workspace.shape)
    reach = round(NEIGHBOURHOOD / workspace.resolution)
    rows = slice(max(0, row - reach), row + reach + 1)
    columns = slice(max(0, column - reach), column + reach + 1)
    top = float(heightmap.filled[rows, columns].max())
    x, y = workspace.to_metres(row, column)
    yaw = float(rng.uniform(-np.pi / 2, np.pi / 2))
    return tool_down(x, y, workspace.table_z + top, yaw)


def _inside(count: int, resolution: float, rng: np.random.Generator) -> int:
    """A random one of ``count`` pixels, MARGIN or half of them away from either end."""
    margin = min(round(MARGIN / resolution), (count - 1) // 2)
    return int(rng.integers(margin, count - margin))


def _lowest(steps: tuple[Step, ...]) -> float:
    """Height that the tool comes down to in ``steps``, m in the base frame."""
    return min(step.pose.position[2] for step in steps if isinstance(step, JointMove | LinearMove))
