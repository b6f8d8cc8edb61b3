"""Heightmaps, actions and outcomes as Gymnasium has them: its spaces, and what lies in them."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Outcome
from vpg_ros.primitives import DEFAULT_REPERTOIRE
from vpg_ros.primitives.base import FULL_TURN_ROTATIONS

Observation = dict[str, NDArray[Any]]
ActionIndex = NDArray[np.int64]

MAX_HEIGHT = 0.5  # m: nothing on the table is taller


def observation_space(workspace: Workspace) -> spaces.Dict:
    """``height`` rows×columns float32 m, ``seen`` rows×columns 0 or 1, ``colour`` ×3 uint8."""
    shape = workspace.shape
    return spaces.Dict(
        {
            "height": spaces.Box(-MAX_HEIGHT, MAX_HEIGHT, shape, np.float32),
            "seen": spaces.MultiBinary(shape),
            "colour": spaces.Box(0, 255, (*shape, 3), np.uint8),
        }
    )


def action_space(
    workspace: Workspace, names: tuple[str, ...] = DEFAULT_REPERTOIRE
) -> spaces.MultiDiscrete:
    """(primitive, rotation, row, column), the primitive by its place in the repertoire."""
    return spaces.MultiDiscrete([len(names), FULL_TURN_ROTATIONS, *workspace.shape])


def observation(heightmap: Heightmap) -> Observation:
    """A heightmap in ``observation_space``; height is 0 where nothing was seen."""
    return {
        "height": np.clip(heightmap.filled, -MAX_HEIGHT, MAX_HEIGHT),
        "seen": np.isfinite(heightmap.height).astype(np.int8),
        "colour": heightmap.colour,
    }


def action_index(
    action: Action, workspace: Workspace, names: tuple[str, ...] = DEFAULT_REPERTOIRE
) -> ActionIndex:
    """An action in ``action_space``; raises STORE_MISMATCH for one that has no place there."""
    place = names.index(action.primitive) if action.primitive in names else -1
    index = np.array([place, action.rotation, action.row, action.column], np.int64)
    if not action_space(workspace, names).contains(index):
        sentence = (
            f"action is {action.primitive!r} at rotation {action.rotation}, row {action.row}, "
            f"column {action.column}; it must be one of {', '.join(names)} on {workspace}"
        )
        raise VpgError(ErrorCode.STORE_MISMATCH, sentence)
    return index


def info(outcome: Outcome) -> dict[str, Any]:
    """Whether the action succeeded, the error if any, and what was lost meanwhile."""
    return {
        "success": outcome.success,
        "error": outcome.error_msg,
        "accidents": outcome.accidents,
    }
