"""The table as a Gymnasium environment, for learners that expect one."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from vpg_ros import primitives
from vpg_ros.learning import gym_spaces
from vpg_ros.learning.env import TableEnv
from vpg_ros.learning.gym_spaces import ActionIndex, Observation

NAME = "vpg_ros/Table-v0"  # gymnasium.make(f"{__name__}:{NAME}"), with TableGym's arguments


class TableGym(gymnasium.Env[Observation, ActionIndex]):
    """One primitive a step on a simulated table; see :class:`TableEnv`.

    Observation: ``height`` rows×columns float32 m (0 where unseen), ``seen`` rows×columns 0 or 1,
    ``colour`` rows×columns×3 uint8. Action: (primitive, rotation, row, column); a symmetric
    primitive takes its rotation modulo half a turn. Reset options: ``scene`` and ``objects``.
    names: the repertoire, whose places actions give. task: what is rewarded.
    transition: what the last step returned, in full.
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012  (Gymnasium's own declaration)

    def __init__(
        self,
        scene: str = "random",
        objects: int = 10,
        camera: str = "perspective",
        render_mode: str | None = None,
        names: tuple[str, ...] = primitives.DEFAULT_REPERTOIRE,
        task: str = "clear",
    ) -> None:
        self.names = primitives.repertoire(names)
        self.render_mode = render_mode
        self._env = TableEnv(camera, task=task)
        self._scene, self._objects = scene, objects
        workspace = self._env.workspace
        self.observation_space = gym_spaces.observation_space(workspace)  # type: ignore[assignment]
        self.action_space = gym_spaces.action_space(workspace, self.names)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """A new table; raises SCENE_UNKNOWN and SCENE_INVALID."""
        super().reset(seed=seed)
        chosen = options or {}
        scene, objects = chosen.get("scene", self._scene), chosen.get("objects", self._objects)
        table = int(self.np_random.integers(2**31))
        self._heightmap = self._env.reset(scene, objects, table)
        return gym_spaces.observation(self._heightmap), {}

    def step(self, action: ActionIndex) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out an action; ``info`` is as of ``gym_spaces.info``."""
        index, rotation, row, column = (int(value) for value in action)
        primitive = primitives.get(self.names[index])
        turned = rotation % primitive.rotations
        transition = self._env.step(primitive.action(row, column, turned, self._heightmap))
        self._heightmap = transition.after
        truncated = self._env.over and not transition.done
        observation = gym_spaces.observation(transition.after)
        self.transition = transition
        info = gym_spaces.info(transition.outcome)
        return observation, transition.reward, transition.done, truncated, info

    def render(self) -> NDArray[np.uint8]:
        """The table's colours from straight above."""
        return self._heightmap.colour

    def close(self) -> None:
        """Free the simulation."""
        self._env.world.close()


gymnasium.register(NAME, f"{__name__}:{TableGym.__name__}")
