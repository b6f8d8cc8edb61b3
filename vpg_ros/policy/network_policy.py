"""The learned policy."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from vpg_ros.action import Action
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.acting import Evaluator
from vpg_ros.policy.maps import ValueMaps, admissible_cells
from vpg_ros.policy.network import ValueNetwork
from vpg_ros.policy.policy import Decision, require_seen
from vpg_ros.policy.selection import select, without_tried


class NetworkPolicy:
    """Takes the admissible action that the network values highest.

    checkpoint: digest of the weights.
    """

    name = "network"

    def __init__(self, network: ValueNetwork, device: torch.device, checkpoint: str = "") -> None:
        self.checkpoint = checkpoint
        self.config = network.config
        self._evaluator = Evaluator(network, device)

    def maps(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> ValueMaps:
        """Value maps with ``tried`` masked out; raises HEIGHTMAP_INVALID, CHECKPOINT_MISMATCH."""
        require_seen(heightmap)
        self.config.check_resolution(heightmap.workspace.resolution)
        cell = self.config.cell
        admissible = admissible_cells(heightmap, self.config.names, cell)
        values, spread = self._evaluator.evaluate(heightmap)
        return ValueMaps(values, without_tried(admissible, tried, heightmap, cell), cell, spread)

    def decide(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> Decision:
        """The best action that is not a repetition of ``tried``."""
        maps = self.maps(heightmap, tried)
        action = select(maps, heightmap)
        return Decision(replace(action, policy=self.name, checkpoint=self.checkpoint), maps)
