"""How far the objects of a case reach into one another and into the table."""

from itertools import combinations

from vpg_ros.geometry import Pose
from vpg_ros.sim.cases.case import Case
from vpg_ros.sim.client import Client
from vpg_ros.sim.objects import ObjectSpec
from vpg_ros.sim.shapes import collision_shape, mesh


def overlap(case: Case) -> float:
    """Sum of the depths, m."""
    client = Client()
    bodies = [
        client.createMultiBody(
            spec.mass, collision_shape(client, spec.shapes), -1, pose.position, pose.quaternion
        )
        for spec, pose in zip(case.specs, case.poses, strict=True)
    ]
    among = sum(_depth(client, a, b) for a, b in combinations(bodies, 2))
    client.disconnect()
    return among + sum(map(_sunk, case.specs, case.poses))


def _depth(client: Client, a: int, b: int) -> float:
    """How deep one body reaches into another, m."""
    return max((-float(point[8]) for point in client.getClosestPoints(a, b, 0.0)), default=0.0)


def _sunk(spec: ObjectSpec, pose: Pose) -> float:
    """How deep an object reaches into the table, m."""
    heights = mesh(spec.shapes).vertices @ pose.matrix[2, :3] + pose.position[2]
    return max(0.0, -float(heights.min()))
