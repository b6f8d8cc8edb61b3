"""The upper level of a hierarchy: what each primitive is worth on a whole table.

Hierarchical DQN (Kulkarni et al. 2016): one transition teaches both levels, each its own target.
The pixels of a primitive learn by the rule that ``targets`` names. The meta-policy learns the
task's: a pick is worth whether it is rewarded, anything else r + γ · max over o' of Q(s', o') where
it changed the table. (The return of whole episodes would set a pick that fails only 1 − γ below one
that works.) A primitive ends after one action, so that every transition is one decision of the
upper level as well.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vpg_ros.choices import SCHEDULES
from vpg_ros.errors import require
from vpg_ros.geometry import Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.replay import Experience, Replay
from vpg_ros.learning.targets import RULES
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.device import seen_fast
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.maps import admissible_cells
from vpg_ros.policy.meta import MetaNetwork, overview

RULE = RULES["discounted"]
# Of a staged training: the pixels alone up to the first share of the updates over which the rate
# falls, the meta-policy alone up to the second, then both.
STAGES = (0.4, 0.6)


def levels(schedule: str, progress: float) -> tuple[bool, bool]:
    """Whether pixels and meta-policy learn after a share ``progress`` of these updates."""
    if schedule == "joint":
        return True, True
    return progress < STAGES[0] or progress >= STAGES[1], progress >= STAGES[0]


def check_schedule(schedule: str) -> None:
    """Raise PARAMETER_INVALID for an unknown one."""
    allowed = ", ".join(SCHEDULES)
    require(schedule in SCHEDULES, f"schedule is {schedule!r}; it must be one of {allowed}")


class MetaLevel:
    """Losses of a meta-policy's network on replayed experiences.

    network: the one that learns. average: its moving average, which values the next table. masked:
    whether primitives that are admissible nowhere are left out of that, and drawn towards 0 where
    they are: the meta-policy then seldom names one in vain.
    """

    def __init__(
        self,
        network: MetaNetwork,
        average: MetaNetwork,
        config: NetworkConfig,
        workspace: Workspace,
        gamma: float,
        masked: bool,
    ) -> None:
        self._network, self._average = network, average
        self._config, self._workspace = config, workspace
        self._gamma, self._masked = gamma, masked
        self._bound = RULE.bound(0.0, gamma)
        self._usable: dict[tuple[int, bool], NDArray[np.bool_]] = {}

    def loss(self, replay: Replay, count: int, rng: np.random.Generator) -> Tensor:
        """Mean loss over ``count`` experiences; counts as an update.

        They are drawn uniformly: errors that replay knows are those of the pixels' values.
        """
        indices = replay.sample(count, rng)
        items = [replay[i] for i in indices]
        device = self._network.updates.device
        views = _views(items, False, self._config, rng).to(device)
        seen = seen_fast(self._network.features, views)
        parameters = self._network.parameters_of(seen)
        outputs = torch.tensor([self._config.names.index(item.primitive) for item in items])
        targets = self._targets(items, self._masks(replay, indices, True), rng)
        loss = self._network.head.loss(parameters, outputs.to(device), targets, rng)
        self._network.updates += 1
        if not self._masked:
            return loss
        return loss + self._useless(parameters, ~self._masks(replay, indices, False), rng)

    def _targets(
        self, items: Sequence[Experience], usable: NDArray[np.bool_], rng: np.random.Generator
    ) -> Distribution:
        """Returns of the items' actions, as fractions of the largest: N×K."""
        device = self._network.updates.device
        with torch.no_grad():
            views = _views(items, True, self._config, rng).to(device)
            seen = seen_fast(self._average.features, views)
            following = self._average.outcomes(seen)
        allowed = torch.from_numpy(usable).to(device)
        best = following.mean.masked_fill(~allowed, -torch.inf).argmax(dim=1)
        goes_on = np.array([RULE.bootstraps(item) for item in items]) & usable.any(axis=1)
        earned = torch.tensor([RULE.earned(item, 0.0) / self._bound for item in items])
        factor = self._gamma * torch.from_numpy(goes_on.astype(np.float32))
        chosen = _of_best(following, best)
        atoms = earned.to(device)[:, None] + factor.to(device)[:, None] * chosen.atoms
        return Distribution(atoms, chosen.probabilities)

    def _useless(
        self, parameters: Tensor, useless: NDArray[np.bool_], rng: np.random.Generator
    ) -> Tensor:
        """Loss towards 0 at one primitive, where any is admissible nowhere, of each table."""
        rows = np.flatnonzero(useless.any(axis=1))
        if not rows.size:
            return parameters.new_zeros(())
        draws = rng.random(useless.shape) * useless
        outputs = torch.from_numpy(draws.argmax(axis=1)[rows]).to(parameters.device)
        nothing = Distribution.certain(parameters.new_zeros(len(rows)))
        at = torch.from_numpy(rows).to(parameters.device)
        loss = self._network.head.loss(parameters[at], outputs, nothing, rng)
        return loss * (len(rows) / len(useless))

    def _masks(self, replay: Replay, indices: Sequence[int], after: bool) -> NDArray[np.bool_]:
        """Which primitives are admissible anywhere before or after experiences: N×primitives."""
        return np.stack([self._usable_of(replay, index, after) for index in indices])

    def _usable_of(self, replay: Replay, index: int, after: bool) -> NDArray[np.bool_]:
        """Found once for each table; what one action leaves is mostly what the next one finds."""
        if not self._masked:
            return np.ones(len(self._config.names), np.bool_)
        key = (index, after)
        if key not in self._usable:
            item, other = replay[index], (index + 1 if after else index - 1, not after)
            scene = item.after(self._workspace) if after else item.before(self._workspace)
            if other in self._usable and _same(replay, other, scene):
                self._usable[key] = self._usable[other]
            else:
                self._usable[key] = usable(scene, self._config)
        return self._usable[key]


def usable(scene: Heightmap, config: NetworkConfig) -> NDArray[np.bool_]:
    """Which of the network's primitives are admissible anywhere."""
    allowed = admissible_cells(scene, config.names, config.cell)
    return np.array([mask.any() for mask in allowed.values()])


def _same(replay: Replay, other: tuple[int, bool], scene: Heightmap) -> bool:
    index, after = other
    height = replay[index].next_height if after else replay[index].height
    return np.array_equal(height.astype(np.float32), scene.height, equal_nan=True)


def _of_best(outcomes: Distribution, best: Tensor) -> Distribution:
    """Of N×O distributions with K outcomes, of their own or all the same, those at ``best`` (N)."""
    parts = (outcomes.atoms, outcomes.probabilities)
    rows = torch.arange(len(best), device=best.device)
    count = max(part.shape[-1] for part in parts)
    atoms, probabilities = (
        part[rows, best] if part.dim() > 1 else part.expand(len(best), count) for part in parts
    )
    return Distribution(atoms, probabilities)


def _views(
    items: Sequence[Experience], after: bool, config: NetworkConfig, rng: np.random.Generator
) -> Tensor:
    """Tables before or after experiences, N×C×H×W, each turned and mirrored at random."""
    views = []
    for item in items:
        height, colour = (
            (item.next_height, item.next_colour) if after else (item.height, item.colour)
        )
        turns = int(rng.integers(4)) if height.shape[0] == height.shape[1] else 0
        mirror = slice(None, None, -1 if rng.integers(2) else 1)
        seen = np.rot90(colour, turns)[mirror] if config.colour else None
        views.append(overview(np.rot90(height, turns)[mirror], seen))
    return torch.from_numpy(np.stack(views))
