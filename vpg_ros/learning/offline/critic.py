"""What critics make of the actions of a log, and of the places that they act at."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vpg_ros.geometry import Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.patches import make_batch
from vpg_ros.learning.replay import Experience
from vpg_ros.policy.canvas import Canvas, planes, render
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.layers import LEAK
from vpg_ros.policy.maps import cells_within
from vpg_ros.policy.network import Network

WIDTHS = (16, 32, 32, 64)  # channels after each halving of the map


def action_values(network: Network, experiences: Sequence[Experience], seed: int) -> Tensor:
    """Q(s, a) of the actions done, N, without gradients.

    network: in evaluation mode. seed: of where the patches lie on the grid of its pooling.
    """
    rng = np.random.default_rng(seed)
    values = torch.zeros(len(experiences))
    for part in network.members:
        chosen = [i for i, e in enumerate(experiences) if e.primitive in part.config.names]
        if chosen:
            batch = make_batch([experiences[i] for i in chosen], part.config, rng, augment=False)
            with torch.inference_mode():
                parameters = part(batch.inputs)[batch.samples, :, batch.rows, batch.columns]
                values[chosen] = part.head.mean(parameters)[batch.samples, batch.outputs]
    return values


class PlaceCritic:
    """V(s, x), the value of what lies within reach of a place: a small network of the map there.

    Learns an expectile of the values of the actions done within reach (Kostrikov et al. 2022,
    equation 5, whose V(s) is of all of a scene). reach: m, as far as the map goes at most.
    """

    def __init__(
        self, config: NetworkConfig, workspace: Workspace, reach: float, rate: float, seed: int
    ) -> None:
        torch.manual_seed(seed)
        self._config, self._workspace = config, workspace
        self._reach = min(reach, workspace.resolution * math.hypot(*workspace.shape))
        self._rng = np.random.default_rng((seed, 2))
        self._network = _network(config.input_channels).train()
        self._optimiser = torch.optim.AdamW(self._network.parameters(), lr=rate)

    def value(self, scene: Heightmap, row: int, column: int) -> float:
        """V at a pixel of a scene, in [0, 1]; 0 where nothing stands within reach."""
        near = cells_within(self._reach, row, column, scene, 1)
        if not (near & scene.occupied).any():
            return 0.0
        self._network.eval()
        with torch.inference_mode():
            view = self._view(scene, row, column, 0.0)
            found = float(torch.sigmoid(self._network(torch.from_numpy(view)[None])))
        self._network.train()
        return found

    def update(self, experiences: Sequence[Experience], values: Tensor, expectile: float) -> float:
        """One gradient step of L₂^τ(Q(s, a) − V(s, x)), τ the ``expectile``; returns the loss.

        x: a random place that has the action within reach, seen from a random direction.
        """
        views = np.stack([self._around(each) for each in experiences])
        found = torch.sigmoid(self._network(torch.from_numpy(views)))[:, 0]
        difference = values - found
        weight = torch.where(difference > 0, expectile, 1 - expectile)
        loss = (weight * difference**2).mean()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return float(loss.detach())

    def _around(self, experience: Experience) -> NDArray[np.float32]:
        """The scene that an experience acted on, around a place drawn uniformly from its disc."""
        distance = self._reach * np.sqrt(self._rng.random()) / self._workspace.resolution
        towards, angle = 2 * np.pi * self._rng.random(2)
        row = experience.row + distance * np.sin(towards)
        column = experience.column + distance * np.cos(towards)
        return self._view(experience.before(self._workspace), row, column, angle)

    def _view(
        self, scene: Heightmap, row: float, column: float, angle: float
    ) -> NDArray[np.float32]:
        """What the network sees around a pixel: input channels × cells × cells."""
        cell = self._config.cell
        half = round(self._reach / (scene.workspace.resolution * cell))
        canvas = Canvas(row, column, angle, 2 * half, 2 * half, half, half)
        pixels = planes(scene.height, scene.colour if self._config.colour else None)
        return render(pixels, canvas, cell)

    def state(self) -> dict[str, Any]:
        """For ``torch.save``; see ``restore``."""
        return {
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "rng": self._rng.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``state`` was taken."""
        self._network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._rng.bit_generator.state = state["rng"]


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
