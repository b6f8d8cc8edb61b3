"""The table as a Gymnasium environment, for learners that expect one."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from vpg_ros import primitives
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.env import TableEnv
from vpg_ros.primitives.base import FULL_TURN_ROTATIONS

Observation = dict[str, NDArray[Any]]
ActionIndex = NDArray[np.int64]

MAX_HEIGHT = 0.5  # m: nothing on the table is taller


class TableGym(gymnasium.Env[Observation, ActionIndex]):
    """One primitive a step on a simulated table; see :class:`TableEnv`.

    Observation: ``height`` rows×columns float32 m (0 where unseen), ``seen`` rows×columns 0 or 1,
    ``colour`` rows×columns×3 uint8. Action: (primitive, rotation, row, column); a symmetric
    primitive takes its rotation modulo half a turn. Reset options: ``scene`` and ``objects``.
    transition: what the last step returned, in full.
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012  (Gymnasium's own declaration)

    def __init__(
        self,
        scene: str = "random",
        objects: int = 10,
        camera: str = "perspective",
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = render_mode
        self._env = TableEnv(camera)
        self._scene, self._objects = scene, objects
        shape = self._env.workspace.shape
        self.observation_space = spaces.Dict(  # type: ignore[assignment]  # typed too narrowly
            {
                "height": spaces.Box(-MAX_HEIGHT, MAX_HEIGHT, shape, np.float32),
                "seen": spaces.MultiBinary(shape),
                "colour": spaces.Box(0, 255, (*shape, 3), np.uint8),
            }
        )
        self.action_space = spaces.MultiDiscrete(
            [len(primitives.names()), FULL_TURN_ROTATIONS, *shape]
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """A new table; raises SCENE_UNKNOWN and SCENE_INVALID."""
        super().reset(seed=seed)
        chosen = options or {}
        scene, objects = chosen.get("scene", self._scene), chosen.get("objects", self._objects)
        table = int(self.np_random.integers(2**31))
        self._heightmap = self._env.reset(scene, objects, table)
        return _observation(self._heightmap), {}

    def step(self, action: ActionIndex) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out an action; ``info`` says whether it succeeded, and the error if any."""
        index, rotation, row, column = (int(value) for value in action)
        primitive = primitives.get(primitives.names()[index])
        turned = rotation % primitive.rotations
        transition = self._env.step(primitive.action(row, column, turned, self._heightmap))
        self._heightmap = transition.after
        truncated = self._env.over and not transition.done
        observation = _observation(transition.after)
        self.transition = transition
        info = {"success": transition.outcome.success, "error": transition.outcome.error_msg}
        return observation, transition.reward, transition.done, truncated, info

    def render(self) -> NDArray[np.uint8]:
        """The table's colours from straight above."""
        return self._heightmap.colour

    def close(self) -> None:
        """Free the simulation."""
        self._env.world.close()


def _observation(heightmap: Heightmap) -> Observation:
    return {
        "height": np.clip(heightmap.filled, -MAX_HEIGHT, MAX_HEIGHT),
        "seen": np.isfinite(heightmap.height).astype(np.int8),
        "colour": heightmap.colour,
    }
