"""What a policy is to the rest of the package: heightmap in, decision out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.maps import ValueMaps


@dataclass(frozen=True)
class Decision:
    """The chosen action, and the maps it was chosen from."""

    action: Action
    maps: ValueMaps


class Policy(Protocol):
    """Chooses actions."""

    @property
    def name(self) -> str:
        """What kind of policy it is."""
        ...

    @property
    def checkpoint(self) -> str:
        """Digest of its weights, "" where it has none."""
        ...

    def decide(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> Decision:
        """The best action that does not repeat ``tried``.

        tried: actions that left the scene unchanged. Raises NO_ADMISSIBLE_ACTION and
        HEIGHTMAP_INVALID.
        """
        ...


def require_seen(heightmap: Heightmap) -> None:
    """Raise HEIGHTMAP_INVALID when no pixel has a height."""
    require(
        bool(np.isfinite(heightmap.height).any()),
        "heightmap has no valid height at any pixel; the camera must see the workspace",
        ErrorCode.HEIGHTMAP_INVALID,
    )
