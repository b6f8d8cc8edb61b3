"""The learner: Q-values of executed actions by gradient descent on replayed patches.

By default an action that picks is worth the chance that it does; any other is worth gamma times
the best value of the scene it leaves (Zeng et al. 2018, without a push reward: the value of a push
is then the discounted time to the next grasp). ``targets`` has the other rules.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.descent import Descent, DescentConfig
from vpg_ros.learning.patches import Batch, make_batch
from vpg_ros.learning.replay import Experience, Replay
from vpg_ros.learning.targets import RULES
from vpg_ros.policy.acting import value_maps
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.maps import ValueMaps, cells_within
from vpg_ros.policy.network import Network, ValueNetwork
from vpg_ros.policy.network_policy import NetworkPolicy

CPU = torch.device("cpu")


@dataclass(frozen=True)
class LearnerConfig(DescentConfig):
    """How to learn.

    batch: samples an update, of which newest_share come from the ``newest`` experiences. gamma:
    discount. refresh_every: updates between two re-evaluations of the oldest bootstrapped target.
    reach: m around an action within which the scene it leaves counts for its value: what waits
    elsewhere waited there before, and would hide whether the action did any good.

    targets: name of the rule in ``targets.RULES``. push_reward: for an action other than a pick
    that changed the scene. target_network: whether the averaged weights value the next scene,
    rather than the learning ones. double: whether the learning weights choose which action of the
    next scene is valued (Double DQN, van Hasselt et al. 2016, equation 4). augment: whether samples
    are mirrored and turned where that changes nothing. mask: whether inadmissible actions are left
    out of the next scene's value and of what the policy chooses. empty_table: weight of drawing the
    best-valued place towards 0 where it is empty table (Hundt et al. 2020, SPOT-Q). priority:
    exponent of rank-based prioritised replay (Schaul et al. 2016), 0 for uniform.
    """

    batch: int = 32
    newest: int = 64
    newest_share: float = 0.25
    gamma: float = 0.8
    refresh_every: int = 2
    reach: float = 0.15
    targets: str = "discounted"
    push_reward: float = 0.0
    target_network: bool = True
    double: bool = False
    augment: bool = True
    mask: bool = True
    empty_table: float = 0.0
    priority: float = 0.6

    def __post_init__(self) -> None:
        require(0 <= self.gamma < 1, f"gamma is {self.gamma}; it must be in [0, 1)")
        require(self.batch > 0, f"batch is {self.batch}; it must be > 0")
        require(
            self.targets in RULES,
            f"targets is {self.targets!r}; it must be one of {', '.join(RULES)}",
        )
        require(self.reach > 0, f"reach is {self.reach} m; it must be > 0")
        for name in ("push_reward", "empty_table", "priority"):
            value = getattr(self, name)
            require(0 <= value < math.inf, f"{name} is {value}; it must be >= 0")


# The value of a scene that an action left, in [0, 1] as fractions of the largest return.
NextValue = Callable[[Heightmap], float]
# What is added to the loss of a batch, given the network that learns and the batch.
Penalty = Callable[[Network, Sequence[Experience]], Tensor]


class Learner:
    """Learns from transitions, one ``update`` at a time; deterministic for a seed on one thread.

    device: where networks and batches live. next_value: values the scenes that actions leave,
    instead of the best value nearby. penalty: added to the loss.
    """

    def __init__(
        self,
        network_config: NetworkConfig,
        config: LearnerConfig,
        workspace: Workspace,
        seed: int,
        device: torch.device = CPU,
        next_value: NextValue | None = None,
        penalty: Penalty | None = None,
    ) -> None:
        torch.manual_seed(seed)
        self._device = device
        self.config = config
        self.replay = Replay()
        self._workspace = workspace
        self._rng = np.random.default_rng(seed)
        self._descent = Descent(network_config, config, device)
        self._network, self._average = self._descent.network, self._descent.average
        self._next_values: dict[int, float] = {}  # oldest evaluation first
        self._next_value, self._penalty = next_value, penalty
        self._rule = RULES[config.targets]
        self._bound = self._rule.bound(config.push_reward, config.gamma)

    @property
    def network(self) -> Network:
        """The averaged weights, which act."""
        return self._average

    @property
    def updates(self) -> int:
        """Gradient steps done."""
        return self._descent.updates

    def policy(self) -> NetworkPolicy:
        """The greedy policy of the weights as they are now."""
        return NetworkPolicy(self._average, self._device, masked=self.config.mask)

    def add(self, transition: Transition) -> None:
        """Remember a transition; raises PARAMETER_INVALID when its reward is not finite."""
        require(
            math.isfinite(transition.reward),
            f"reward of step {transition.step} is {transition.reward}; it must be finite",
        )
        self.remember(Experience.of(transition, self._network.config.colour))
        self.target(len(self.replay) - 1)  # values the scene it led to now

    def remember(self, experience: Experience) -> None:
        """Keep an experience; the scene it led to is valued when it is first learned from."""
        self.replay.add(experience)

    def update(self) -> float:
        """One gradient step; returns the loss. Raises STORE_UNREADABLE when nothing is stored."""
        if len(self.replay) == 0:
            raise VpgError(ErrorCode.STORE_UNREADABLE, "the replay is empty; nothing to learn from")
        config = self.config
        indices = self.replay.sample(
            config.batch, self._rng, config.newest, config.newest_share, config.priority
        )
        loss = self._loss(indices)
        if self._penalty is not None:
            loss = loss + self._penalty(self._network, [self.replay[i] for i in indices])
        self._descent.step(loss)
        if self.updates % config.refresh_every == 0:
            self._refresh()
        return float(loss.detach())

    def _loss(self, indices: Sequence[int]) -> torch.Tensor:
        """Mean loss over the samples, one forward pass for each primitive among them."""
        total = torch.zeros((), device=self._device)
        for name in self._network.config.names:
            chosen = [i for i in indices if self.replay[i].primitive == name]
            if chosen:
                total = total + self._group_loss(name, chosen) * (len(chosen) / len(indices))
        return total

    def _group_loss(self, name: str, chosen: Sequence[int]) -> torch.Tensor:
        items = [self.replay[i] for i in chosen]
        network = self._network.part(name)
        batch = make_batch(items, network.config, self._rng, self.config.augment).to(self._device)
        parameters = network(batch.inputs.contiguous(memory_format=torch.channels_last))
        at_actions = parameters[batch.samples, :, batch.rows, batch.columns]
        targets = torch.tensor([self.target(i) for i in chosen], device=self._device)
        values = network.head.mean(at_actions.detach())[batch.samples, batch.outputs]
        self.replay.note_errors(chosen, (values - targets).abs().tolist())
        loss = network.head.loss(at_actions, batch.outputs, targets)
        if self.config.empty_table > 0 and primitives.get(name).picks:
            loss = loss + self.config.empty_table * _empty_loss(network, parameters, batch)
        return loss

    def target(self, index: int) -> float:
        """What the value of a stored experience's action is drawn towards."""
        experience = self.replay[index]
        earned = self._rule.earned(experience, self.config.push_reward) / self._bound
        if not self._rule.bootstraps(experience):
            return earned
        if index not in self._next_values:
            self._next_values[index] = self._value(experience)
        return earned + self.config.gamma * self._next_values[index]

    def _value(self, experience: Experience) -> float:
        """The value of the scene an experience led to."""
        if self._next_value is not None:
            return self._next_value(experience.after(self._workspace))
        return self._best_value(experience)

    def _best_value(self, experience: Experience) -> float:
        """That of the best admissible action within ``reach``."""
        network = self._average if self.config.target_network else self._network
        maps = self._nearby(network, experience)
        chooser = self._nearby(self._network, experience) if self.config.double else maps
        return maps.value_at_best_of(chooser)

    def _nearby(self, network: Network, experience: Experience) -> ValueMaps:
        """The values of the next scene, admissible within ``reach`` alone."""
        scene, config = experience.after(self._workspace), self.config
        maps = value_maps(network, self._device, scene, config.mask)
        near = cells_within(config.reach, experience.row, experience.column, scene, maps.cell)
        return replace(maps, admissible={n: m & near for n, m in maps.admissible.items()})

    def _refresh(self) -> None:
        """Evaluate anew the bootstrapped target that has not been for longest."""
        index = next(iter(self._next_values), None)
        if index is not None:
            del self._next_values[index]
            self._next_values[index] = self._value(self.replay[index])

    def start_from(self, network: Network) -> None:
        """Take over the weights of a network of the same configuration."""
        self._descent.start_from(network)

    def state(self) -> dict[str, Any]:
        """Everything but the replay's contents, for ``torch.save``; see ``restore``."""
        return {
            **self._descent.state(),
            "rng": self._rng.bit_generator.state,
            "next_values": list(self._next_values.items()),
            "experiences": len(self.replay),
            "errors": self.replay.errors,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``state`` was taken; the replay is loaded by the caller."""
        self._descent.restore(state)
        self._rng.bit_generator.state = state["rng"]
        self._next_values = dict(state["next_values"])
        self.replay.note_errors(range(len(self.replay)), state["errors"])


def _empty_loss(network: ValueNetwork, parameters: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Loss towards 0 at each sample's best-valued place, of those that are empty table.

    That one place alone: drawing all masked ones to 0 diverges (Hundt et al. 2020).
    """
    values = network.head.mean(parameters.detach())[batch.samples, batch.outputs].flatten(1)
    best = values.argmax(dim=1)
    wrong = batch.empty.flatten(1)[batch.samples, best]
    if not bool(wrong.any()):
        return parameters.new_zeros(())
    at_best = parameters.flatten(2)[batch.samples, :, best][wrong]
    loss = network.head.loss(at_best, batch.outputs[wrong], at_best.new_zeros(len(at_best)))
    return loss * wrong.float().mean()
