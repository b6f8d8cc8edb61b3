"""Action, Outcome and Transition: one decision, what came of it, and the record of both."""

from dataclasses import dataclass

from vpg_ros.errors import ErrorCode
from vpg_ros.geometry import Pose
from vpg_ros.heightmap import Heightmap


@dataclass(frozen=True)
class Action:
    """A primitive at a pixel and a rotation, and its pose in the base frame.

    rotation: index k of the primitive's rotations; angle: rad about base +z. row, column: pixel of
    the heightmap. value, spread: the policy's mean and standard deviation (0 where it has none).
    policy, checkpoint: who chose it, and the digest of the weights it used ("" where none).
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


@dataclass(frozen=True)
class Outcome:
    """What happened when a Motion ran.

    success: the primitive's own criterion. gripper_width: m after closing. peak_force: N at the
    tool. duration: s. error_code, error_msg: OK and "" unless the Motion could not be completed.
    """

    success: bool
    gripper_width: float = 0.0
    peak_force: float = 0.0
    duration: float = 0.0
    error_code: ErrorCode = ErrorCode.OK
    error_msg: str = ""


@dataclass(frozen=True)
class Transition:
    """One step of an episode: heightmap before, action, outcome, reward, heightmap after."""

    episode: str
    step: int
    before: Heightmap
    action: Action
    outcome: Outcome
    reward: float
    after: Heightmap
    done: bool
