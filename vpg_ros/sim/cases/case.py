"""A case: which objects stand where, and how it is put into a world."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import FloatArray, Pose
from vpg_ros.sim.objects import ObjectSpec
from vpg_ros.sim.settle import settle
from vpg_ros.sim.world import World

# The arrangement as one, and then each object by itself: together at most 5 mm and 5°.
GROUP_SHIFT, GROUP_TURN = 0.003, np.deg2rad(3.0)
OWN_SHIFT, OWN_TURN = 0.002, np.deg2rad(2.0)
_HALVINGS = 4
_TOUCH = 1e-5  # m that objects may overlap beyond what they do in the file
_NEAR = 0.01  # m beyond which an object is no neighbour


@dataclass(frozen=True)
class Case:
    """An arrangement of objects.

    specs: what they are. poses: of their centres of mass, from the middle of the workspace on the
    table's surface.
    """

    name: str
    specs: tuple[ObjectSpec, ...]
    poses: tuple[Pose, ...]

    def build(self, world: World, jitter: bool = True) -> None:
        """Place the objects and let them come to rest; raises SCENE_INVALID when any is lost."""
        self.place(world, jitter)
        settle(world)
        if len(world.objects) < len(self.specs):
            raise VpgError(
                ErrorCode.SCENE_INVALID,
                f"case {self.name!r} kept {len(world.objects)} of {len(self.specs)} objects on "
                "the tray; they overlap, or stand where they fall off",
            )
        world.count_anew()

    def place(self, world: World, jitter: bool = True) -> None:
        """Put the objects into an empty world.

        With ``jitter``, ``world.rng`` moves and turns the arrangement as a whole by up to 3 mm
        (uniform over the disc) and 3° (uniform, about the vertical through its middle), and then
        every object in turn by up to 2 mm and 2° more, halved until it overlaps nothing that it
        did not overlap before. What stands in touch thus stays so close that no finger fits.
        """
        placed = zip(self.specs, self._placed(world), strict=True)
        bodies = [world.add(spec, pose) for spec, pose in placed]
        if jitter:
            _jitter_group(world, bodies)
            for body in bodies:
                _jitter_one(world, body)

    def _placed(self, world: World) -> list[Pose]:
        x, y = world.workspace.centre
        return [pose.translated(x, y, world.workspace.table_z) for pose in self.poses]


def _jitter_group(world: World, bodies: list[int]) -> None:
    """Move all objects as one."""
    poses = [world.pose(body) for body in bodies]
    centre = np.mean([pose.position for pose in poses], axis=0)
    shift, turn = _draw(world.rng, GROUP_SHIFT, GROUP_TURN)
    for body, pose in zip(bodies, poses, strict=True):
        world.place(body, _moved(pose, centre, shift, turn))


def _jitter_one(world: World, body: int) -> None:
    """Move one object about its own centre, as far as there is room."""
    pose = world.pose(body)
    shift, turn = _draw(world.rng, OWN_SHIFT, OWN_TURN)
    room = min(0.0, _gap(world, body)) - _TOUCH
    for scale in 0.5 ** np.arange(_HALVINGS):
        moved = _moved(pose, np.array(pose.position), scale * shift, scale * turn)
        world.place(body, moved)
        if _gap(world, body) >= room:
            return
    world.place(body, pose)


def _draw(rng: np.random.Generator, shift: float, turn: float) -> tuple[FloatArray, float]:
    """A vector uniform over the disc of radius ``shift`` m, and an angle of up to ``turn`` rad."""
    radius, angle = shift * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
    return radius * np.array([np.cos(angle), np.sin(angle), 0.0]), float(rng.uniform(-turn, turn))


def _moved(pose: Pose, centre: FloatArray, shift: FloatArray, turn: float) -> Pose:
    """The pose, turned about the vertical through ``centre`` and shifted."""
    around = np.eye(4)
    around[:3, :3] = Rotation.from_rotvec([0.0, 0.0, turn]).as_matrix()
    around[:3, 3] = centre + shift - around[:3, :3] @ centre
    return Pose.from_matrix(around @ pose.matrix)


def _gap(world: World, body: int) -> float:
    """Distance to the nearest other object, m; negative where they overlap."""
    others = (other for other in world.objects if other != body)
    return min(
        (
            float(point[8])
            for other in others
            for point in world.client.getClosestPoints(body, other, _NEAR)
        ),
        default=_NEAR,
    )
