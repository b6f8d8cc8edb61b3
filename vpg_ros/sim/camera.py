"""The simulated RGB-D camera on its mast, and a view straight down for fast training."""

from functools import lru_cache

import numpy as np

from vpg_ros.frame import Frame, Intrinsics
from vpg_ros.geometry import Pose, Workspace, look_at
from vpg_ros.heightmap import Heightmap
from vpg_ros.sim.cell import static_drawables
from vpg_ros.sim.noise import DepthNoise
from vpg_ros.sim.render import Renderer, orthographic, perspective
from vpg_ros.sim.world import World

# The original's simulated camera (Zeng et al. 2018): 640×480 px, f = 618.62 px.
INTRINSICS = Intrinsics(640, 480, 618.62, 618.62, 319.5, 239.5)
# On the mast, nearly overhead: nothing outside the tray ever hides the workspace.
CAMERA_POSE = look_at(
    np.array([-0.72, 0.0, 0.80]), np.array([-0.50, 0.0, 0.0]), np.array([1.0, 0.0, 0.0])
)
D415 = DepthNoise()
_TOP = 1.0  # m above the table from which the orthographic view looks down


@lru_cache(maxsize=4)
def _perspective_renderer(intrinsics: Intrinsics, pose: Pose, workspace: Workspace) -> Renderer:
    return Renderer(perspective(intrinsics, pose), static_drawables(workspace))


@lru_cache(maxsize=4)
def _orthographic_renderer(workspace: Workspace) -> Renderer:
    return Renderer(orthographic(workspace, _TOP), static_drawables(workspace))


class SimCamera:
    """A calibrated RGB-D camera in a world (:class:`vpg_ros.devices.interfaces.Camera`).

    noise: None for exact depth. The noise depends on the world's seed and step count alone, so a
    run that is repeated sees the same pictures.
    """

    def __init__(
        self,
        world: World,
        intrinsics: Intrinsics = INTRINSICS,
        pose: Pose = CAMERA_POSE,
        noise: DepthNoise | None = D415,
    ) -> None:
        self.intrinsics, self.pose, self.noise = intrinsics, pose, noise
        self._world = world
        self._renderer = _perspective_renderer(intrinsics, pose, world.workspace)

    def read(self) -> Frame:
        """The frame of this instant."""
        world = self._world
        picture = self._renderer.render(world.moving_drawables())
        depth = np.where(np.isfinite(picture.depth), picture.depth, np.nan).astype(np.float32)
        if self.noise is not None:
            rng = np.random.default_rng([world.seed, world.steps])
            depth = self.noise.apply(depth, picture.cosine, rng)
        return Frame(picture.colour, depth, self.intrinsics, self.pose, world.time)


class OrthoCamera:
    """Exact heightmaps straight from above: no noise, no hidden pixels, an eighth of the time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._renderer = _orthographic_renderer(world.workspace)

    def read(self) -> Heightmap:
        """The heightmap of this instant."""
        picture = self._renderer.render(self._world.moving_drawables())
        height = (_TOP - picture.depth).astype(np.float32)
        return Heightmap(picture.colour, height, self._world.workspace, self._world.time)
