"""Gradient descent on a network, and the moving average of its weights, which acts."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vpg_ros.errors import ErrorCode, VpgError, require_setting
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import Network, channels_last, make_network


@dataclass(frozen=True)
class DescentConfig:
    """How to descend.

    rate, final_rate: AdamW's learning rate, falling along a cosine over decay_updates. clip:
    largest gradient norm. averaging: decay of the weights' moving average. Raises PARAMETER_INVALID
    for a value out of range.
    """

    rate: float = 4e-3
    final_rate: float = 3e-4
    decay_updates: int = 1500
    clip: float = 5.0
    averaging: float = 0.99
    weight_decay: float = 1e-2

    def __post_init__(self) -> None:
        require_setting(self, "rate", 0 < self.rate < math.inf, "> 0 and finite")
        for name in ("final_rate", "weight_decay"):
            require_setting(self, name, 0 <= getattr(self, name) < math.inf, ">= 0 and finite")
        require_setting(self, "decay_updates", self.decay_updates >= 1, ">= 1")
        require_setting(self, "clip", self.clip > 0, "> 0")
        require_setting(self, "averaging", 0 <= self.averaging <= 1, "in [0, 1]")


class Descent:
    """A network under AdamW.

    network: the one that learns. average: its moving average, in evaluation mode. updates: done.
    """

    def __init__(
        self, network_config: NetworkConfig, config: DescentConfig, device: torch.device
    ) -> None:
        self.config = config
        self.updates = 0
        self.network: Network = channels_last(make_network(network_config).to(device).train())
        self.average: Network = make_network(network_config).to(device).eval()
        self.average.load_state_dict(self.network.state_dict())
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=config.rate, weight_decay=config.weight_decay
        )

    def step(self, loss: Tensor) -> None:
        """One gradient step on ``loss``; the average follows."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.rate
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self._optimiser.step()
        self.updates += 1
        self._follow()

    @property
    def rate(self) -> float:
        """Of the next step."""
        config = self.config
        progress = min(1.0, self.updates / config.decay_updates)
        share = 0.5 * (1 + math.cos(math.pi * progress))
        return config.final_rate + (config.rate - config.final_rate) * share

    def _follow(self) -> None:
        """Move the averaged weights and batch-norm statistics towards the learning ones."""
        decay = min(self.config.averaging, (1 + self.updates) / (10 + self.updates))
        with torch.no_grad():
            own = self.network.state_dict()
            for name, value in self.average.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(own[name], 1 - decay)
                else:
                    value.copy_(own[name])

    def start_from(self, network: Network) -> None:
        """Take over the weights of a network of the same configuration."""
        for own in (self.network, self.average):
            own.load_state_dict(network.state_dict())

    def state(self) -> dict[str, Any]:
        """Weights and counters, for ``torch.save``; see ``restore``."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "updates": self.updates,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``state`` was taken; STORE_MISMATCH of another network's."""
        try:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise VpgError(
                ErrorCode.STORE_MISMATCH,
                "the training that is to go on is of another network, as one of another version of "
                f"vpg_ros ({reason}); choose another folder",
            ) from error
        self._optimiser.load_state_dict(state["optimiser"])
        self.updates = state["updates"]
