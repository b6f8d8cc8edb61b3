"""The learner: Q-values of executed actions by gradient descent on replayed patches.

By default an action that picks is worth the chance that it does; any other is worth gamma times
the best value of the scene it leaves (Zeng et al. 2018, without a push reward: the value of a push
is then the discounted time to the next grasp). ``targets`` has the other rules. A distributional
head learns the distribution of that: of the 0s and 1s that picks come to, and of the discounted
returns that it expects of the next scene's greedy action (Bellemare et al. 2017, equation 5).

An action with an accident comes to −``accident_cost``, whatever else it did and whatever follows.
Values are fractions of the way from there to the largest return, so that 0 is the accident.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.descent import Descent
from vpg_ros.learning.hierarchy.meta_level import MetaLevel, levels
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.next_scene import NextScene
from vpg_ros.learning.patches import Batch, make_batch
from vpg_ros.learning.replay import Experience, Replay
from vpg_ros.learning.returns import Returns, stacked
from vpg_ros.learning.target_cache import TargetCache
from vpg_ros.learning.targets import RULES
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.device import seen_fast
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.network import Network, ValueNetwork
from vpg_ros.policy.network_policy import NetworkPolicy

CPU = torch.device("cpu")
_LIGHT = 4  # scenes that a meta-policy values in less than the time that pixels take for one

# The value of a scene that an action at a pixel (row, column) left, as far as so many m from there,
# in [0, 1] as fractions of the largest return.
NextValue = Callable[[Heightmap, int, int, float], float]
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
        self._last: Transition | None = None
        self._penalty = penalty
        self._meta = self._meta_level()
        self.targets = TargetCache(self.replay, config, self._following(next_value))

    def _following(self, next_value: NextValue | None) -> Callable[[Experience], Returns]:
        """What values the scene that an experience led to."""
        config, workspace = self.config, self._workspace
        if next_value is None and RULES[config.targets].by_meta:
            meta = self._meta
            require(meta is not None, f"targets is {config.targets!r}; that takes a meta-policy")
            assert meta is not None
            return meta.next_value
        if next_value is None:
            return NextScene(self._network, self._average, config, workspace, self._device)

        def following(experience: Experience) -> Returns:
            scene, reach = experience.after(workspace), config.reach_of(experience.primitive)
            return Returns.certain(next_value(scene, experience.row, experience.column, reach))

        return following

    def _meta_level(self) -> MetaLevel | None:
        """The upper level, where the strategy has one."""
        learning, average, config = self._network.meta, self._average.meta, self.config
        if learning is None or average is None:
            return None
        require(
            config.accident_cost == 0,
            f"accident_cost is {config.accident_cost}; a meta-policy knows no accidents yet, "
            "so that it must be 0 with a hierarchical strategy",
        )
        shape, place = self._network.config, self._workspace
        return MetaLevel(learning, average, shape, place, config.gamma, config.mask)

    @property
    def network(self) -> Network:
        """The averaged weights, which act."""
        return self._average

    @property
    def updates(self) -> int:
        """Gradient steps done."""
        return self._descent.updates

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        return self._descent.rate

    def policy(self) -> NetworkPolicy:
        """The greedy policy of the weights as they are now."""
        return greedy_policy(self._average, self._device, self.config)

    def add(self, transition: Transition) -> None:
        """Remember a transition; raises PARAMETER_INVALID when its reward is not finite."""
        require(
            math.isfinite(transition.reward),
            f"reward of step {transition.step} is {transition.reward}; it must be finite",
        )
        index = len(self.replay)
        self.remember(Experience.of(transition, self._network.config.colour))
        if self._answers_last(transition):
            self.targets.realise(index - 1)
        self._last = transition
        self.targets.of(index)  # values the scene it led to now

    def _answers_last(self, transition: Transition) -> bool:
        """Whether the policy chose this action because of what the last one left within reach."""
        last = self._last
        if not self.config.realised or last is None:
            return False
        action, before = transition.action, last.action
        distance = math.hypot(action.row - before.row, action.column - before.column)
        return (
            (last.episode, last.step + 1) == (transition.episode, transition.step)
            and action.policy == NetworkPolicy.name
            and self.config.counts(action.primitive)
            and distance * self._workspace.resolution <= self.config.reach_of(before.primitive)
        )

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
        loss = self._loss_of_levels(indices)
        self._descent.step(loss)
        if self.updates % config.refresh_every == 0:
            for _ in range(_LIGHT if RULES[config.targets].by_meta else 1):
                self.targets.refresh()
        return float(loss.detach())

    def _loss_of_levels(self, indices: Sequence[int]) -> torch.Tensor:
        """Of the pixels and, in a hierarchy, of the primitives: of whichever learn now."""
        progress = self.updates / self.config.decay_updates
        pixels, meta = levels(self.config.schedule, progress) if self._meta else (True, False)
        loss = self._loss(indices) if pixels else torch.zeros((), device=self._device)
        if pixels and self._penalty is not None:
            loss = loss + self._penalty(self._network, [self.replay[i] for i in indices])
        if meta and self._meta is not None:
            loss = loss + self._meta.loss(self.replay, self.config.batch, self._rng)
        return loss

    def _loss(self, indices: Sequence[int]) -> torch.Tensor:
        """Mean loss over the samples, one forward pass of each network that values some of them.

        Not one of each primitive: batch norm would take away what those of one have in common, by
        statistics far from the averages over all that the network has when it acts.
        """
        total = torch.zeros((), device=self._device)
        for network in self._network.members:
            chosen = [i for i in indices if self.replay[i].primitive in network.config.names]
            if chosen:
                total = total + self._loss_of(network, chosen) * (len(chosen) / len(indices))
        return total

    def _loss_of(self, network: ValueNetwork, chosen: Sequence[int]) -> torch.Tensor:
        """Mean loss over samples that one network values."""
        items = [self.replay[i] for i in chosen]
        batch = make_batch(items, network.config, self._rng, self.config.augment).to(self._device)
        features = seen_fast(network.features, batch.inputs)
        own = features[batch.samples, :, batch.rows, batch.columns]
        at_actions = network.head(own[:, :, None, None])[:, :, 0, 0]
        targets = stacked([self.targets.of(i) for i in chosen], self._device)
        values = network.head.mean(at_actions.detach())[batch.samples, batch.outputs]
        self.replay.note_errors(chosen, (values - targets.mean).abs().tolist())
        loss = network.head.loss(at_actions, batch.outputs, targets, self._rng)
        if self.config.empty_table == 0:
            return loss
        picks = torch.tensor([primitives.get(item.primitive).picks for item in items])
        if picks.any():
            parameters, some = network.head(features[picks]), batch.only(picks)
            nothing = self.config.acting.nothing
            empty = _empty_loss(network, parameters, some, self._rng, nothing)
            loss = loss + self.config.empty_table * empty * picks.float().mean()
        return loss

    def start_from(self, network: Network) -> None:
        """Take over the weights of a network of the same configuration."""
        self._descent.start_from(network)

    def state(self) -> dict[str, Any]:
        """Everything but the replay's contents, for ``torch.save``; see ``restore``."""
        return {
            **self._descent.state(),
            "rng": self._rng.bit_generator.state,
            **self.targets.state(),
            "experiences": len(self.replay),
            "errors": self.replay.errors,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``state`` was taken; the replay is loaded by the caller.

        Raises STORE_MISMATCH for a state of another network.
        """
        self._descent.restore(state)
        self._rng.bit_generator.state = state["rng"]
        self.targets.restore(state)
        self.replay.note_errors(range(len(self.replay)), state["errors"])


def greedy_policy(network: Network, device: torch.device, config: LearnerConfig) -> NetworkPolicy:
    """The policy of a network that is still learning."""
    return NetworkPolicy(network, device, masked=config.mask, acting=config.acting)


def _empty_loss(
    network: ValueNetwork,
    parameters: torch.Tensor,
    batch: Batch,
    rng: np.random.Generator,
    nothing: float = 0.0,
) -> torch.Tensor:
    """Loss towards ``nothing`` at each sample's best-valued place, of those that are empty table.

    That one place alone: drawing all masked ones to 0 diverges (Hundt et al. 2020).
    """
    values = network.head.mean(parameters.detach())[batch.samples, batch.outputs].flatten(1)
    best = values.argmax(dim=1)
    wrong = batch.empty.flatten(1)[batch.samples, best]
    if not bool(wrong.any()):
        return parameters.new_zeros(())
    at_best = parameters.flatten(2)[batch.samples, :, best][wrong]
    certain = Distribution.certain(at_best.new_full((len(at_best),), nothing))
    loss = network.head.loss(at_best, batch.outputs[wrong], certain, rng)
    return loss * wrong.float().mean()
