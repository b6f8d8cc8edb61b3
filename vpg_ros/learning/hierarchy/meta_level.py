"""The upper level of a hierarchy: what each primitive is worth on a whole table.

Hierarchical DQN (Kulkarni et al. 2016): one transition teaches both levels, each its own target.
The pixels of a primitive learn by the rule that ``targets`` names. The meta-policy learns the
task's: a pick is worth whether it is rewarded, anything else r + γ · max over o' of Q(s', o') where
it changed the table. (The return of whole episodes would set a pick that fails only 1 − γ below one
that works.) A primitive ends after one action, so that every transition is one decision of the
upper level as well.

What a primitive is worth is what it is worth where its network would do it. Experiences of random
places say little of that, and teach what those places are worth alone as soon as there are others.
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
from vpg_ros.learning.hierarchy.pools import Pools
from vpg_ros.learning.hierarchy.views import views
from vpg_ros.learning.replay import Experience, Replay
from vpg_ros.learning.returns import Returns
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
_OTHERS = 0.5  # experiences of random places, to one where values chose, in a batch


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
        self._pools = Pools(config.names)

    def loss(self, replay: Replay, count: int, rng: np.random.Generator) -> Tensor:
        """Of whole tables, by ``count`` experiences, and of places, by some more; is an update.

        They are drawn uniformly: errors that replay knows are those of the pixels' values.
        """
        network, device = self._network, self._network.updates.device
        indices = self._drawn(replay, count, rng)
        tables, places = views([replay[i] for i in indices], False, self._config, rng)
        tables = tables.to(device)
        surroundings = seen_fast(network.surroundings, tables)
        values = network.places(surroundings)
        names = [self._config.names.index(replay[i].primitive) for i in indices]
        outputs, targets = torch.tensor(names, device=device), self._targets(replay, indices, rng)
        at_places = values[range(len(indices)), :, places[:, 0], places[:, 1]]
        known = Distribution.certain(targets.mean.clamp(0.0, 1.0))  # quantiles may lie beyond
        loss = network.places.loss(at_places, outputs, known, rng)
        whole = network.summary(surroundings[:count], values[:count], tables[:count])
        parameters = network.parameters_of(whole)
        first = Distribution(targets.atoms[:count], targets.probabilities[:count])
        loss = loss + network.head.loss(parameters, outputs[:count], first, rng)
        network.updates += 1
        return loss + self._useless(parameters, replay, indices[:count], rng)

    def next_value(self, experience: Experience) -> Returns:
        """What the best primitive is worth that an experience left admissible, 0 without one."""
        allowed = self._usable_in(experience, after=True)
        if not allowed.any():
            return Returns.certain(0.0)
        colours = experience.next_colour[None] if self._config.colour else None
        table = overview(experience.next_height[None], colours)
        return Returns.of(self._best(table, allowed[None]).only(0))

    def _drawn(self, replay: Replay, count: int, rng: np.random.Generator) -> list[int]:
        """Indices of ``count`` experiences of which whole tables are learned, then of others."""
        telling, others = self._pools.of(replay)
        more = rng.choice(others, round(count * _OTHERS)) if len(others) else others
        return [*rng.choice(telling, count).tolist(), *more.tolist()]

    def _targets(
        self, replay: Replay, indices: Sequence[int], rng: np.random.Generator
    ) -> Distribution:
        """Returns of experiences' actions, as fractions of the largest: N×K."""
        device, items = self._network.updates.device, [replay[i] for i in indices]
        shares = [RULE.earned(item, 0.0) / self._bound for item in items]
        earned = torch.tensor(shares, device=device)
        goes_on = [row for row, item in enumerate(items) if RULE.bootstraps(item)]
        if not goes_on:
            return Distribution.certain(earned)
        following = self._following(replay, [indices[row] for row in goes_on], rng)
        count = following.atoms.shape[-1]
        atoms = earned[:, None].repeat(1, count)
        atoms[goes_on] += self._gamma * following.atoms
        probabilities = torch.full_like(atoms, 1 / count)
        probabilities[goes_on] = following.probabilities
        return Distribution(atoms, probabilities)

    def _following(
        self, replay: Replay, indices: Sequence[int], rng: np.random.Generator
    ) -> Distribution:
        """What the best primitive is worth that experiences left admissible, 0 without one: N×K."""
        tables, _ = views([replay[i] for i in indices], True, self._config, rng)
        return self._best(tables, self._masks(replay, indices, True))

    def _best(self, tables: Tensor, usable: NDArray[np.bool_]) -> Distribution:
        """What the best usable primitive is worth on each table, 0 without one: N×K."""
        device = self._network.updates.device
        with torch.no_grad():
            outcomes = self._average.outcomes(_features(self._average, tables.to(device)))
        allowed = torch.from_numpy(usable).to(device)
        best = outcomes.mean.masked_fill(~allowed, -torch.inf).argmax(dim=1)
        chosen = _of_best(outcomes, best)
        return Distribution(chosen.atoms * allowed.any(dim=1)[:, None], chosen.probabilities)

    def _useless(
        self, parameters: Tensor, replay: Replay, indices: Sequence[int], rng: np.random.Generator
    ) -> Tensor:
        """Loss towards 0 at one primitive, where any is admissible nowhere, of each table."""
        useless = ~self._masks(replay, indices, False)
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
        item, other = replay[index], index + 1 if after else index - 1
        if (id(item), after) not in self._usable and 0 <= other < len(replay):
            known = self._usable.get((id(replay[other]), not after))
            if known is not None and _same(replay[other], item, after):
                self._usable[id(item), after] = known
        return self._usable_in(item, after)

    def _usable_in(self, item: Experience, after: bool) -> NDArray[np.bool_]:
        """Of an experience, which the replay holds as long as this is there."""
        if not self._masked:
            return np.ones(len(self._config.names), np.bool_)
        key = (id(item), after)
        if key not in self._usable:
            scene = item.after(self._workspace) if after else item.before(self._workspace)
            self._usable[key] = usable(scene, self._config)
        return self._usable[key]


def usable(scene: Heightmap, config: NetworkConfig) -> NDArray[np.bool_]:
    """Which of the network's primitives are admissible anywhere."""
    allowed = admissible_cells(scene, config.names, config.cell)
    return np.array([mask.any() for mask in allowed.values()])


def _same(other: Experience, item: Experience, after: bool) -> bool:
    """Whether the table before the one is that after the other, or the other way round."""
    first, second = (item, other) if after else (other, item)
    return np.array_equal(first.next_height, second.height, equal_nan=True)


def _of_best(outcomes: Distribution, best: Tensor) -> Distribution:
    """Of N×O distributions with K outcomes, of their own or all the same, those at ``best`` (N)."""
    parts = (outcomes.atoms, outcomes.probabilities)
    rows = torch.arange(len(best), device=best.device)
    count = max(part.shape[-1] for part in parts)
    atoms, probabilities = (
        part[rows, best] if part.dim() > 1 else part.expand(len(best), count) for part in parts
    )
    return Distribution(atoms, probabilities)


def _features(network: MetaNetwork, tables: Tensor) -> Tensor:
    """What the network's head reads, its convolutions over the whole table as ``seen_fast``."""
    surroundings = seen_fast(network.surroundings, tables)
    return network.summary(surroundings, network.places(surroundings), tables)
