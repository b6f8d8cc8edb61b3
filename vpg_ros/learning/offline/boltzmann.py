"""The Boltzmann policy over all admissible actions of a scene, exactly.

π(a|s) = exp(Q(s, a) / T) / Σ_b exp(Q(s, b) / T), with the sum over every admissible primitive,
rotation and cell (Sutton and Barto 2018, equation 13.2). T is the temperature, in units of value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp

from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.acting import value_maps
from vpg_ros.policy.maps import ValueMaps, pixel_to_cell
from vpg_ros.policy.network import Network
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.policy import Decision
from vpg_ros.policy.selection import select

_ALL_BUT_NEVER = -20.0  # ln π: 100,000 such actions together are taken 2 times in 10,000 at most
TEMPERATURE = 0.05  # values lie in [0, 1]: 20 nats between the best and the worst action


def log_probabilities(maps: ValueMaps, temperature: float) -> dict[str, NDArray[np.float64]]:
    """Logarithm of π for every action, shaped as the maps' values, −∞ where inadmissible.

    Raises NO_ADMISSIBLE_ACTION.
    """
    scaled = {
        name: np.where(maps.admissible[name], values / temperature, -np.inf).astype(np.float64)
        for name, values in maps.values.items()
    }
    total = float(logsumexp([logsumexp(each) for each in scaled.values()]))
    if not np.isfinite(total):
        sentence = f"no primitive of {', '.join(maps.values)} is admissible anywhere"
        raise VpgError(ErrorCode.NO_ADMISSIBLE_ACTION, sentence)
    return {name: each - total for name, each in scaled.items()}


@dataclass(frozen=True)
class LikelyActions:
    """The Boltzmann policy in one scene, without the actions that it all but never takes.

    places: primitive → indices into its flat map. chances: primitive → π there, as many.
    """

    places: dict[str, NDArray[np.intp]]
    chances: dict[str, NDArray[np.float64]]

    @staticmethod
    def of(maps: ValueMaps, temperature: float) -> "LikelyActions":
        """By the values in ``maps``; no actions where none is admissible."""
        try:
            logs = log_probabilities(maps, temperature)
        except VpgError:
            return LikelyActions({}, {})
        places = {name: np.flatnonzero(each > _ALL_BUT_NEVER) for name, each in logs.items()}
        return LikelyActions(
            places, {name: np.exp(logs[name].ravel()[where]) for name, where in places.items()}
        )

    def expected(self, maps: ValueMaps) -> float:
        """Σ_a π(a|s) Q(s, a), Q the values in ``maps``; 0 without actions."""
        return float(
            sum(
                self.chances[name] @ maps.values[name].ravel()[where]
                for name, where in self.places.items()
            )
        )


@dataclass(frozen=True)
class Boltzmann:
    """The Boltzmann policy of a network's values, as off-policy evaluation looks at it."""

    network: Network
    temperature: float = TEMPERATURE

    def maps(self, scene: Heightmap) -> ValueMaps:
        """The values that it chooses by."""
        return value_maps(self.network, torch.device("cpu"), scene)


class BoltzmannPolicy:
    """Draws actions from the Boltzmann policy of a network's values, and says how likely each was.

    The network's maps are those of ``NetworkPolicy``, so its masks and its ``tried`` rule hold.
    """

    name = "boltzmann"

    def __init__(self, policy: NetworkPolicy, seed: int, temperature: float = TEMPERATURE) -> None:
        require(temperature > 0, f"temperature is {temperature}; it must be > 0")
        self.checkpoint = policy.checkpoint
        self._policy, self._temperature = policy, temperature
        self._rng = np.random.default_rng(seed)

    def decide(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> Decision:
        """A draw; raises as ``NetworkPolicy.decide``."""
        maps = self._policy.maps(heightmap, tried)
        chances = log_probabilities(maps, self._temperature)
        # The largest of independent Gumbel variables shifted by ln π is a draw from π.
        noisy = {n: (c + self._rng.gumbel(size=c.shape)) for n, c in chances.items()}
        action = select(replace(maps, values=noisy), heightmap)  # type: ignore[arg-type]
        place = (action.rotation, *pixel_to_cell(action.row, action.column, maps.cell))
        chosen = replace(
            action,
            value=float(maps.values[action.primitive][place]),
            probability=float(np.exp(chances[action.primitive][place])),
            policy=self.name,
            checkpoint=self.checkpoint,
        )
        return Decision(chosen, maps)
