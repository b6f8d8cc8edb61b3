"""Running the networks over a heightmap: one forward pass of each that is needed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vpg_ros.errors import require
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.canvas import Canvas, planes, render, restore
from vpg_ros.policy.config import INPUT_ROTATIONS, SMOOTHING
from vpg_ros.policy.device import fastest_dtype
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.heads import DistributionalHead
from vpg_ros.policy.landing import Landings, smoothed
from vpg_ros.policy.maps import BoolMaps, FloatMaps, ValueMaps, admissible_cells, only_near
from vpg_ros.policy.meta import READY_AFTER, MetaNetwork, overview
from vpg_ros.policy.network import (
    Network,
    ValueNetwork,
    channels_last,
    fold_batch_norm,
    folded_weights,
)
from vpg_ros.policy.reading import (
    Wanted,
    averages_probabilities,
    cells_behind,
    check_measure,
    read,
)
from vpg_ros.policy.risk import MEAN, RiskMeasure
from vpg_ros.policy.views import canvases
from vpg_ros.policy.window import Window

# Canvases at a time on a processor: what lies between a network's layers stays nearer to its cache,
# and the working memory is a quarter, which leaves smaller holes when it is freed.
_AT_ONCE = 2


@dataclass(frozen=True)
class Scene:
    """A heightmap as the network sees it.

    views: one canvas for each input rotation, none if nothing stands on the table. inputs: all of
    them as the network reads them, canvas × C × rows × columns. features: what members of the
    network have made of them so far, by the member's index, canvas × F × rows × columns.
    """

    heightmap: Heightmap
    views: tuple[Canvas, ...]
    inputs: Tensor
    features: dict[int, Tensor] = field(default_factory=dict)


class Evaluator:
    """A network prepared for speed: batch norm folded, channels last, its own number format.

    smoothing: cells a side over which values are averaged, an odd number.
    """

    def __init__(self, network: Network, device: torch.device, smoothing: int = SMOOTHING) -> None:
        self.config = network.config
        self._smoothing = smoothing
        self._device = device
        self._dtype = fastest_dtype(device)
        self._network = channels_last(fold_batch_norm(network).to(device))
        for member in self._network.members:
            for layer in member.children():
                # Sums over many outcomes need all their digits, and the meta-policy has time.
                if not isinstance(layer, DistributionalHead | MetaNetwork):
                    layer.to(self._dtype)

    def follow(self, network: Network) -> None:
        """Take over the weights of the network as they are now: making another one is slower."""
        self._network.load_state_dict(folded_weights(network))

    @property
    def meta_is_ready(self) -> bool:
        """Whether there is a meta-policy that has learned enough to have a say."""
        meta = self._network.meta
        return meta is not None and bool(meta.updates >= READY_AFTER)

    @property
    def weight_bytes(self) -> int:
        """Of all weights that it acts with."""
        state = self._network.state_dict().values()
        return sum(tensor.numel() * tensor.element_size() for tensor in state)

    def look(self, heightmap: Heightmap, near: NDArray[np.bool_] | None = None) -> Scene:
        """A heightmap turned to all the input rotations.

        near: as of ``canvases``; values are known there alone.
        """
        views = tuple(canvases(heightmap, self.config.cell, near))
        if not views:
            return Scene(heightmap, (), torch.empty(0))
        pixels = planes(heightmap.height, heightmap.colour if self.config.colour else None)
        inputs = np.stack([render(pixels, view, self.config.cell) for view in views])
        batch = torch.from_numpy(inputs).to(self._device, self._dtype)
        return Scene(heightmap, views, batch.contiguous(memory_format=torch.channels_last))

    def of_primitives(
        self, heightmap: Heightmap, measure: RiskMeasure = MEAN
    ) -> dict[str, tuple[float, float]]:
        """What the meta-policy makes of every primitive on this table: the measure, and the mean.

        Raises PARAMETER_INVALID where there is no meta-policy, or its head does not know the
        measure.
        """
        meta = self._network.meta
        require(meta is not None, "these weights have no meta-policy")
        assert meta is not None
        check_measure(meta.head, measure)
        colours = heightmap.colour[None] if self.config.colour else None
        with torch.inference_mode():
            features = meta.features(overview(heightmap.height[None], colours).to(self._device))
            outcomes = meta.outcomes(features)
            values, means = measure.of(outcomes)[0].tolist(), outcomes.mean[0].tolist()
        return dict(zip(self.config.names, zip(values, means, strict=True), strict=True))

    def evaluate(
        self,
        scene: Scene,
        measure: RiskMeasure = MEAN,
        admissible: BoolMaps | None = None,
        names: Sequence[str] | None = None,
        bounds: bool = False,
    ) -> FloatMaps:
        """A risk measure of the value of every primitive, or of ``names`` alone, at every cell.

        A value is the mean over the cells around its own, ``smoothing`` a side, as of an action
        that is carried out with that much error. Arrays are rotations × rows/cell × columns/cell;
        farther than MARGIN from anything that stands on the table, where the network does not look,
        the least that there can be. admissible: where the values are needed, everywhere
        if None; elsewhere they may be wrong. bounds: whether something no less, which is faster,
        does instead (``bounded``). Raises PARAMETER_INVALID where the head does not know the
        measure.
        """
        chosen = self.config.names if names is None else tuple(names)
        if not scene.views:
            check_measure(self._network.members[0].head, measure)
            return {name: self._nothing(name, scene) for name in chosen}
        found: FloatMaps = {}
        for index, member in enumerate(self._network.members):
            own = [name for name in chosen if name in member.config.names]
            if own:
                if averages_probabilities(member.head, measure) and not bounds:
                    found |= {name: self._mixed(scene, name, measure) for name in own}
                    continue
                features = self._features(scene, index)
                with torch.inference_mode():
                    wanted = self._wanted(member, scene, admissible)
                    values = read(member.head, features, measure, wanted)
                found |= self._maps(values.cpu().numpy(), member, scene, own, measure.least)
        return {name: found[name] for name in chosen}

    def _mixed(self, scene: Scene, name: str, measure: RiskMeasure) -> NDArray[np.float32]:
        """The measure of distributions that are averaged around every cell, of a categorical head.

        Where an action lands is part of what may come of it: a tail is that of all places
        together, which the tails of each of them do not tell.
        """
        rotations = len(self.config.channels(name)) * INPUT_ROTATIONS
        everywhere = Window(0, 0, *self._shape(scene))
        return np.stack(
            [self.measured(scene, name, k, everywhere, measure) for k in range(rotations)]
        )

    def _features(self, scene: Scene, index: int) -> Tensor:
        """What a member makes of a scene: nearly all the work, done once."""
        if index not in scene.features:
            with torch.inference_mode():
                scene.features[index] = self._seen(self._network.members[index], scene.inputs)
        return scene.features[index]

    def _seen(self, member: ValueNetwork, inputs: Tensor) -> Tensor:
        """Features of all canvases."""
        if self._device.type != "cpu":
            return member.features(inputs)
        return torch.cat([member.features(some) for some in torch.split(inputs, _AT_ONCE)])

    def _nothing(self, name: str, scene: Scene) -> NDArray[np.float32]:
        channels = len(self.config.channels(name))
        return np.zeros((channels * INPUT_ROTATIONS, *self._shape(scene)), np.float32)

    def _maps(
        self,
        values: NDArray[np.float32],
        member: ValueNetwork,
        scene: Scene,
        names: Iterable[str],
        beyond: float,
    ) -> FloatMaps:
        """Of a member's outputs (canvas × output × …) those of ``names``, means around each cell.

        beyond: as of ``restore``.
        """
        result: FloatMaps = {}
        shape, cell = self._shape(scene), self.config.cell
        for name in names:
            own = zip(values[:, list(member.config.channels(name))], scene.views, strict=True)
            restored = [restore(each, view, cell, shape, beyond) for each, view in own]
            smooth = smoothed(np.stack(restored), self._smoothing)
            # Channel i at input rotation k is rotation k + i · INPUT_ROTATIONS.
            result[name] = np.concatenate(list(smooth.swapaxes(0, 1)))
        return result

    def bounded(self, measure: RiskMeasure) -> bool:
        """Whether ``evaluate`` has bounds, which are faster than values."""
        heads = (member.head for member in self._network.members)
        return any(averages_probabilities(head, measure) for head in heads) and measure.is_convex

    def distribution(
        self, scene: Scene, primitive: str, rotation: int, row: int, column: int
    ) -> Distribution | None:
        """The returns expected of an action at a cell, K outcomes; as ``returns``."""
        found = self.returns(scene, primitive, rotation, Window(row, column, row + 1, column + 1))
        return None if found is None else found.only(0, 0)

    def returns(
        self, scene: Scene, primitive: str, rotation: int, window: Window
    ) -> Distribution | None:
        """The returns expected of actions at cells: rows × columns × K outcomes, on the processor.

        Each is the average over the cells that its value is the mean of. None of a scalar head or
        an empty table.
        """
        landings = self._landings(scene, primitive, rotation)
        return None if landings is None else landings.of(window)[0]

    def measured(
        self, scene: Scene, primitive: str, rotation: int, window: Window, measure: RiskMeasure
    ) -> NDArray[np.float32]:
        """The measure of ``returns``, rows × columns, where there are any.

        The least there can be where an action may land beyond what is looked at.
        """
        landings = self._landings(scene, primitive, rotation)
        assert landings is not None
        returns, seen = landings.of(window)
        values = np.where(seen, measure.of(returns).numpy(), np.float32(measure.least))
        return values.astype(np.float32)

    def _landings(self, scene: Scene, primitive: str, rotation: int) -> Landings | None:
        """Of the actions of one map; None of a scalar head or an empty table."""
        member = self._network.part(primitive)
        if not scene.views or not isinstance(member.head, DistributionalHead):
            return None
        turns, view = divmod(rotation, INPUT_ROTATIONS)
        output = member.config.channels(primitive)[turns]
        features = self._features(scene, self._network.members.index(member))[view]
        canvas, cell, shape = scene.views[view], self.config.cell, self._shape(scene)
        return Landings(member.head, output, features, canvas, cell, shape, self._smoothing)

    def _shape(self, scene: Scene) -> tuple[int, int]:
        rows, columns = scene.heightmap.workspace.shape
        return rows // self.config.cell, columns // self.config.cell

    def _wanted(
        self, member: ValueNetwork, scene: Scene, admissible: BoolMaps | None
    ) -> Wanted | None:
        """The cells of the canvases that values of admissible actions are made of."""
        if admissible is None:
            return None
        config, cell, views = member.config, self.config.cell, scene.views

        def mask() -> NDArray[np.bool_]:
            size = (views[0].rows, views[0].columns)
            result = np.zeros((INPUT_ROTATIONS, config.outputs, *size), np.bool_)
            for name in admissible.keys() & set(config.names):
                for turns, channel in enumerate(config.channels(name)):
                    for k, view in enumerate(views):
                        actions = admissible[name][k + turns * INPUT_ROTATIONS]
                        result[k, channel] = cells_behind(view, cell, actions, self._smoothing)
            return result

        return mask


def value_maps(
    network: Network,
    device: torch.device,
    heightmap: Heightmap,
    near: NDArray[np.bool_] | None = None,
    names: Sequence[str] | None = None,
) -> ValueMaps:
    """What a network makes of a scene, for once: an Evaluator is made and thrown away.

    near: pixels outside which no action counts as admissible, rows×columns; none if None. names:
    the primitives of interest, all of the network's if None.
    """
    config = network.config
    chosen = config.names if names is None else tuple(names)
    allowed = admissible_cells(heightmap, chosen, config.cell)
    if near is not None:
        allowed = only_near(allowed, near, config.cell)
    evaluator = Evaluator(network, device)
    values = evaluator.evaluate(evaluator.look(heightmap, near), names=chosen)
    return ValueMaps(values, allowed, config.cell)
