"""Draw a strip of pictures of each primitive: docs/images/primitives/NAME.png.

Run from the repository root, as ``python -m tools.draw_primitives``, after changing a primitive.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from benchmarks.scripted import SCRIPTS
from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.devices.execute import execute
from vpg_ros.devices.kinematics import HOME_JOINTS
from vpg_ros.frame import Intrinsics
from vpg_ros.geometry import Pose, look_at
from vpg_ros.motion import Outcome
from vpg_ros.sim import scenes
from vpg_ros.sim.arm import SimArm
from vpg_ros.sim.camera import OrthoCamera, SimCamera
from vpg_ros.sim.gripper import SimGripper
from vpg_ros.sim.settle import settle
from vpg_ros.sim.world import World
from vpg_ros.viz.overlay import Picture, side_by_side

FOLDER = Path("docs/images/primitives")
# Scene family, objects, seed; and the phases at whose beginning a picture is taken.
STRIPS = {
    "topple": ("tall", 1, 0, ("topple", "rise")),
    "roll": ("cornered", 1, 3, ("draw", "rise")),
    "squeeze": ("tiles", 6, 0, ("squeeze", "let go")),
    "lever": ("cards", 2, 0, ("pry", "back")),
    "stack": ("tower", 3, 0, ("carry", "let go")),
}
FOLLOWED_BY = ("grasp", ("carry",))  # what comes next, where the scene asks for it
WIDTH, HEIGHT, FOCAL = 260, 220, 280.0  # px
ASIDE, ABOVE = 0.50, 0.30  # m from the action to the eye
LOOK_HEIGHT = 0.05  # m above the table that the eye looks at
TRIES = 4  # at the primitive until it works


class Strip:
    """Takes pictures of one world from beside an action."""

    def __init__(self, world: World, action: Action) -> None:
        intrinsics = Intrinsics(WIDTH, HEIGHT, FOCAL, FOCAL, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
        self._camera = SimCamera(world, intrinsics, _beside(action), noise=None)
        self.pictures: list[Picture] = []
        self.titles: list[str] = []

    def take(self, title: str) -> None:
        """One more picture."""
        self.pictures.append(self._camera.read().colour)
        self.titles.append(title)

    def at(self, name: str, phases: tuple[str, ...]) -> Callable[[str], None]:
        """A listener that takes a picture when each of ``phases`` first begins."""
        left = list(phases)

        def on_phase(phase: str) -> None:
            if phase in left:
                left.remove(phase)
                self.take(f"{name}: {phase}")

        return on_phase


def _beside(action: Action) -> Pose:
    """The eye's pose: across the action, on the side away from the robot."""
    x, y, _ = action.pose.position
    across = np.array([-np.sin(action.angle), np.cos(action.angle)])
    across *= -1 if across[0] > 0 else 1
    target = np.array([x, y, LOOK_HEIGHT])
    eye = target + np.array([*(ASIDE * across), ABOVE])
    return look_at(eye, target, np.array([0.0, 0.0, 1.0]))


def draw(name: str) -> Picture:
    """The strip of a primitive: before, on the way, after, and the grasp that follows."""
    family, objects, seed, phases = STRIPS[name]
    world = World(seed)
    scenes.build(world, family, objects)
    for _ in range(TRIES):
        heightmap = OrthoCamera(world).read()
        action = SCRIPTS[family](world, heightmap)
        strip = Strip(world, action)
        strip.take("before")
        outcome = _do(world, action, strip.at(name, phases))
        strip.take("after")
        after = OrthoCamera(world).read()
        if primitives.get(name).worked(action, outcome, heightmap, after):
            break
    if name != "stack":
        _do(world, SCRIPTS[family](world, OrthoCamera(world).read()), strip.at(*FOLLOWED_BY))
    world.close()
    return side_by_side(strip.pictures, strip.titles)


def _do(world: World, action: Action, on_phase: Callable[[str], None]) -> Outcome:
    motion = primitives.get(action.primitive).motion(action, OrthoCamera(world).read())
    outcome = execute(motion, SimArm(world), SimGripper(world), HOME_JOINTS, on_phase)
    settle(world)
    return outcome


def main() -> None:
    """Write all strips."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in STRIPS:
        picture = np.ascontiguousarray(draw(name)[..., ::-1])
        cv2.imwrite(str(FOLDER / f"{name}.png"), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
