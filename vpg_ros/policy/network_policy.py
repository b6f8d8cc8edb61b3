"""The learned policy."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch

from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.acting import Evaluator
from vpg_ros.policy.maps import ValueMaps, admissible_cells
from vpg_ros.policy.network import Network
from vpg_ros.policy.policy import Decision, require_seen
from vpg_ros.policy.selection import doubted, select, without_tried


class NetworkPolicy:
    """Takes the admissible action that the network values highest.

    checkpoint: digest of the weights. names: the primitives it chooses from, all of the network's
    unless ``restricted_to`` fewer. masked: whether it keeps to what the primitives allow.
    """

    name = "network"

    def __init__(
        self,
        network: Network,
        device: torch.device,
        checkpoint: str = "",
        masked: bool = True,
    ) -> None:
        self.checkpoint = checkpoint
        self._masked = masked
        self.config = network.config
        self.names = network.config.names
        self._evaluator = Evaluator(network, device)

    def restricted_to(self, names: tuple[str, ...]) -> "NetworkPolicy":
        """The same network choosing from ``names`` alone; raises UNKNOWN_PRIMITIVE."""
        unknown = [name for name in names if name not in self.config.names]
        require(
            bool(names) and not unknown,
            f"primitives is {', '.join(names)!r}; this network values "
            f"{', '.join(self.config.names)}",
            ErrorCode.UNKNOWN_PRIMITIVE,
        )
        policy = copy.copy(self)
        policy.names = names
        return policy

    def maps(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> ValueMaps:
        """Value maps with ``tried`` masked out and what is near doubted.

        Raises HEIGHTMAP_INVALID, CHECKPOINT_MISMATCH.
        """
        require_seen(heightmap)
        self.config.check_resolution(heightmap.workspace.resolution)
        cell = self.config.cell
        admissible = admissible_cells(heightmap, self.names, cell, self._masked)
        all_values, all_spread = self._evaluator.evaluate(heightmap)
        own = {name: all_values[name] for name in self.names}
        values = doubted(own, tried, heightmap, cell)
        spread = all_spread and {name: all_spread[name] for name in self.names}
        return ValueMaps(values, without_tried(admissible, tried, heightmap, cell), cell, spread)

    def decide(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> Decision:
        """The best action that is not a repetition of ``tried``."""
        maps = self.maps(heightmap, tried)
        action = select(maps, heightmap)
        return Decision(replace(action, policy=self.name, checkpoint=self.checkpoint), maps)
