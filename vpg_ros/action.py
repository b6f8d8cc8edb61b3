"""Action and Transition: one decision, and the record of what came of it."""

from dataclasses import dataclass

from vpg_ros.geometry import Pose
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Outcome


@dataclass(frozen=True)
class Action:
    """A primitive at a pixel and a rotation, and its pose in the base frame.

    rotation: index k of the primitive's rotations; angle: rad about base +z. row, column: pixel of
    the heightmap. value: what the policy makes of the return, its mean unless it was told to heed a
    risk. spread: the return's standard deviation (0 where the policy has none).
    policy, checkpoint: who chose it, and the digest of the weights it used ("" where none).
    probability: with which it was chosen among all admissible ones, 0 where that is not known.
    """

    primitive: str
    rotation: int
    row: int
    column: int
    angle: float
    pose: Pose
    value: float = 0.0
    spread: float = 0.0
    policy: str = ""
    checkpoint: str = ""
    probability: float = 0.0


@dataclass(frozen=True)
class Transition:
    """One step of an episode: heightmap before, action, outcome, reward, heightmap after.

    done: whether nothing is left to do: the table is clear, or what its scene asks for is reached
    or out of reach. An episode that is given up ends without.
    """

    episode: str
    step: int
    before: Heightmap
    action: Action
    outcome: Outcome
    reward: float
    after: Heightmap
    done: bool
