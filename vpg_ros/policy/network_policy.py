"""The learned policy."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.choices import FLAT, HIERARCHICAL
from vpg_ros.errors import ErrorCode, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.acting import Evaluator, Scene
from vpg_ros.policy.config import ActingConfig
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.maps import BoolMaps, ValueMaps, admissible_cells, pixel_to_cell
from vpg_ros.policy.network import Network
from vpg_ros.policy.policy import Decision, require_seen
from vpg_ros.policy.reading import check_measure
from vpg_ros.policy.refining import refine
from vpg_ros.policy.risk import MEAN, Mean, RiskMeasure
from vpg_ros.policy.selection import (
    Doubt,
    best_cells,
    nothing_admissible,
    select,
    without_tried,
)
from vpg_ros.policy.strategy import Groups, check_strategy, flat, hierarchical
from vpg_ros.policy.window import Window


class NetworkPolicy:
    """Takes the admissible action that the network values highest under a risk measure.

    checkpoint: digest of the weights. names: the primitives it chooses from, all of the network's
    unless ``restricted_to`` fewer. masked: whether it keeps to what the primitives allow.
    acting: how its values are meant. risk: the mean unless ``with_risk`` of another. strategy: the
    network's unless ``with_strategy`` of another; flat as long as its meta-policy has no say.
    """

    name = "network"

    def __init__(
        self,
        network: Network,
        device: torch.device,
        checkpoint: str = "",
        masked: bool = True,
        acting: ActingConfig = ActingConfig(),  # noqa: B008
    ) -> None:
        self.checkpoint = checkpoint
        self.risk = MEAN
        self._masked = masked
        self.config = network.config
        self.names = network.config.names
        self._heads = tuple(member.head for member in network.members)
        self._acting = acting
        self._evaluator = Evaluator(network, device, acting.smoothing)
        self.strategy = HIERARCHICAL if self._evaluator.meta_is_ready else FLAT

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

    def with_risk(self, risk: RiskMeasure) -> "NetworkPolicy":
        """The same network under ``risk``; raises PARAMETER_INVALID where its head has no such."""
        check_measure(self._heads[0], risk)
        policy = copy.copy(self)
        policy.risk = risk
        return policy

    def with_strategy(self, strategy: str) -> "NetworkPolicy":
        """The same network under another strategy, its own for "".

        Raises PARAMETER_INVALID for one that is unknown or that the network is not made for.
        """
        check_strategy(strategy or self.strategy, self.config.strategy == HIERARCHICAL)
        policy = copy.copy(self)
        policy.strategy = strategy or self.strategy
        return policy

    @property
    def weight_bytes(self) -> int:
        """Memory of the weights that it acts with."""
        return self._evaluator.weight_bytes

    def maps(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> ValueMaps:
        """Value maps of all primitives with ``tried`` masked out and what is near doubted.

        Only where an action is admissible need the values be right. Raises HEIGHTMAP_INVALID,
        CHECKPOINT_MISMATCH.
        """
        scene, admissible = self._look(heightmap), self._admissible(heightmap, self.names, tried)
        return self._value(scene, admissible, self.risk, tried)

    def full_maps(
        self, heightmap: Heightmap, measures: Mapping[str, RiskMeasure]
    ) -> dict[str, ValueMaps]:
        """Maps of any measures, right everywhere: to look at. Raises as ``maps``."""
        scene, admissible = self._look(heightmap), self._admissible(heightmap, self.names)
        return {
            name: self._value(scene, admissible, measure, full=True)
            for name, measure in measures.items()
        }

    def distributions(
        self, heightmap: Heightmap, actions: Sequence[Action]
    ) -> list[Distribution | None]:
        """The returns expected of actions; None where the head is scalar."""
        scene = self._look(heightmap)
        return [self._distribution(scene, action) for action in actions]

    def decide(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> Decision:
        """The best action that is not a repetition of ``tried``.

        Among equally good ones, of which a careful policy sees many where all may fail, the one of
        the highest mean. The maps are those of the primitives that the strategy looked at last; of
        averaged probabilities (``refine``) their best value is exact and others may be too high.
        """
        return self.decide_among(self._groups(heightmap, tried), heightmap, tried)

    def decide_among(
        self, groups: Groups, heightmap: Heightmap, tried: Sequence[Action] = ()
    ) -> Decision:
        """The best action of the first group of primitives that has an admissible one."""
        scene = self._look(heightmap)
        for names in groups:
            admissible = self._admissible(scene.heightmap, names, tried)
            if any(mask.any() for mask in admissible.values()):
                maps = self._value(scene, admissible, self.risk, tried)
                return Decision(self._signed(scene, self._best(scene, maps, tried)), maps)
        raise nothing_admissible(self.names)

    def _groups(self, heightmap: Heightmap, tried: Sequence[Action]) -> Groups:
        """The primitives in the strategy's order; nothing is looked at before the first is due."""
        if self.strategy == FLAT:
            yield from flat(self.names)
        else:
            worth = self._evaluator.of_primitives(heightmap, self.risk)
            yield from hierarchical({name: worth[name] for name in self.names}, tried)

    def _signed(self, scene: Scene, action: Action) -> Action:
        """With who chose it, and how far its returns spread."""
        expected = self._distribution(scene, action)
        spread = 0.0 if expected is None else float(expected.std)
        return replace(action, spread=spread, policy=self.name, checkpoint=self.checkpoint)

    def _best(self, scene: Scene, maps: ValueMaps, tried: Sequence[Action]) -> Action:
        """The action of the highest value and, among equals, of the highest mean."""
        if isinstance(self.risk, Mean):
            return select(maps, scene.heightmap)
        equals = best_cells(maps)
        if sum(int(mask.sum()) for mask in equals.values()) <= 1:
            return select(maps, scene.heightmap)
        action = select(self._value(scene, equals, MEAN, tried), scene.heightmap)
        row, column = pixel_to_cell(action.row, action.column, maps.cell)
        value = maps.values[action.primitive][action.rotation, row, column]
        return replace(action, value=float(value))

    def _look(self, heightmap: Heightmap) -> Scene:
        require_seen(heightmap)
        self.config.check_resolution(heightmap.workspace.resolution)
        return self._evaluator.look(heightmap)

    def _admissible(
        self, heightmap: Heightmap, names: tuple[str, ...], tried: Sequence[Action] = ()
    ) -> BoolMaps:
        cell = self.config.cell
        allowed = admissible_cells(heightmap, names, cell, self._masked)
        return without_tried(allowed, tried, heightmap, cell)

    def _value(
        self,
        scene: Scene,
        admissible: BoolMaps,
        measure: RiskMeasure,
        tried: Sequence[Action] = (),
        full: bool = False,
    ) -> ValueMaps:
        wanted = None if full else admissible
        bounds = not full and bool(scene.views) and self._evaluator.bounded(measure)
        values = self._evaluator.evaluate(scene, measure, wanted, tuple(admissible), bounds)
        doubt = Doubt(tried, scene.heightmap, self.config.cell, self._acting.nothing)

        def exact(name: str, rotation: int, window: Window) -> NDArray[np.float32]:
            values = self._evaluator.measured(scene, name, rotation, window, measure)
            return doubt.within(name, values, window.slices)

        chosen = doubt.of(values)
        if bounds:
            refine(chosen, admissible, exact)
        return ValueMaps(chosen, admissible, self.config.cell)

    def _distribution(self, scene: Scene, action: Action) -> Distribution | None:
        row, column = pixel_to_cell(action.row, action.column, self.config.cell)
        return self._evaluator.distribution(scene, action.primitive, action.rotation, row, column)
