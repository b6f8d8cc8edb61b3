"""What critics make of the actions and scenes of a log."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vpg_ros.geometry import Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.patches import make_batch
from vpg_ros.learning.replay import Experience
from vpg_ros.policy.canvas import Canvas, planes, render
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.layers import LEAK
from vpg_ros.policy.network import Network

WIDTHS = (16, 32, 32, 64)  # channels after each halving of the map


def action_values(network: Network, experiences: Sequence[Experience], seed: int) -> Tensor:
    """Q(s, a) of the actions done, N, without gradients.

    network: in evaluation mode. seed: of where the patches lie on the grid of its pooling.
    """
    rng = np.random.default_rng(seed)
    values = torch.zeros(len(experiences))
    for name in network.config.names:
        chosen = [i for i, each in enumerate(experiences) if each.primitive == name]
        if chosen:
            part = network.part(name)
            batch = make_batch([experiences[i] for i in chosen], part.config, rng, augment=False)
            with torch.inference_mode():
                parameters = part(batch.inputs)[batch.samples, :, batch.rows, batch.columns]
                values[chosen] = part.head.mean(parameters)[batch.samples, batch.outputs]
    return values


class SceneCritic:
    """V(s), the value of a whole scene: a small convolutional network of the map, seen upright.

    Learns an expectile of the values of the actions done there (Kostrikov et al. 2022, equation 5).
    """

    def __init__(self, config: NetworkConfig, workspace: Workspace, rate: float, seed: int) -> None:
        torch.manual_seed(seed)
        self._config, self._workspace = config, workspace
        self._network = _network(config.input_channels).train()
        self._optimiser = torch.optim.AdamW(self._network.parameters(), lr=rate)

    def value(self, scene: Heightmap) -> float:
        """V of a scene, in [0, 1]."""
        self._network.eval()
        with torch.inference_mode():
            found = float(torch.sigmoid(self._network(self._inputs([scene])))[0, 0])
        self._network.train()
        return found

    def update(self, experiences: Sequence[Experience], values: Tensor, expectile: float) -> float:
        """One gradient step of L₂^τ(Q(s, a) − V(s)), τ the ``expectile``; returns the loss."""
        scenes = [each.before(self._workspace) for each in experiences]
        found = torch.sigmoid(self._network(self._inputs(scenes)))[:, 0]
        difference = values - found
        weight = torch.where(difference > 0, expectile, 1 - expectile)
        loss = (weight * difference**2).mean()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return float(loss.detach())

    def _inputs(self, scenes: Sequence[Heightmap]) -> Tensor:
        cell = self._config.cell
        rows, columns = (size // cell for size in self._workspace.shape)
        centre = (self._workspace.rows / 2, self._workspace.columns / 2)
        view = Canvas(*centre, 0.0, rows, columns, rows // 2, columns // 2)
        colours = (scene.colour if self._config.colour else None for scene in scenes)
        pixels = [planes(s.height, c) for s, c in zip(scenes, colours, strict=True)]
        return torch.from_numpy(np.stack([render(each, view, cell) for each in pixels]))

    def state(self) -> dict[str, Any]:
        """For ``torch.save``; see ``restore``."""
        return {
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``state`` was taken."""
        self._network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])


def _network(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((channels, *WIDTHS), WIDTHS, strict=False):
        layers += [
            nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(LEAK),
        ]
    pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], 1)]
    return nn.Sequential(*layers, *pooled)
