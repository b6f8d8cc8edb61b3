"""Values of every action of a whole scene, with gradients: what exact softmaxes are made of.

The same canvases, masks and interpolation as in acting, in tensors. One scene of ten objects is a
pass of 8 canvases of 128 × 128 cells, in bfloat16 where the processor multiplies it natively.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vpg_ros.errors import ErrorCode, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.replay import Experience
from vpg_ros.policy.canvas import Canvas, planes, render
from vpg_ros.policy.config import SMOOTHING, NetworkConfig
from vpg_ros.policy.device import seen_fast
from vpg_ros.policy.maps import admissible_cells, pixel_to_cell
from vpg_ros.policy.network import Network
from vpg_ros.policy.views import canvases


class SceneValues:
    """What a network makes of one scene.

    values: of all A admissible actions, A. at_action: of the action that was done, a scalar.
    """

    def __init__(self, values: Tensor, at_action: Tensor) -> None:
        self.values, self.at_action = values, at_action

    def soft_maximum(self, temperature: float) -> Tensor:
        """T ln Σ_a exp(Q(s, a) / T), over every admissible action."""
        return temperature * torch.logsumexp(self.values / temperature, dim=0)

    def log_probability(self, temperature: float) -> Tensor:
        """Logarithm of π(a|s) of the action that was done under the Boltzmann policy."""
        return (self.at_action - self.soft_maximum(temperature)) / temperature


def scene_values(
    network: Network,
    experience: Experience,
    scene: Heightmap,
    names: tuple[str, ...] | None = None,
) -> SceneValues:
    """The values of the scene that an experience acted on; differentiable.

    names: primitives whose actions there are, among them the experience's; all if None. The action
    that was done counts as admissible. Raises STORE_MISMATCH for a scene with nothing on it.
    """
    config = network.config
    names = config.names if names is None else names
    allowed = admissible_cells(scene, names, config.cell)
    place = (
        experience.rotation,
        *pixel_to_cell(experience.row, experience.column, config.cell),
    )
    allowed[experience.primitive][place] = True
    maps = _maps(network, scene)
    values = torch.cat([maps[n][torch.from_numpy(allowed[n])] for n in names])
    return SceneValues(values, maps[experience.primitive][place])


def _maps(network: Network, scene: Heightmap) -> dict[str, Tensor]:
    """Primitive → rotations × rows/cell × columns/cell."""
    config = network.config
    views = canvases(scene, config.cell)
    require(len(views) > 0, "a scene with nothing on it was acted on", ErrorCode.STORE_MISMATCH)
    pixels = planes(scene.height, scene.colour if config.colour else None)
    inputs = np.stack([render(pixels, view, config.cell) for view in views])
    batch = torch.from_numpy(inputs)
    means = [member.head.mean(seen_fast(member, batch)) for member in network.members]
    turned = torch.cat(means, dim=1)
    return _by_primitive(_restored(turned, views, scene, config), config)


def _restored(
    turned: Tensor, views: list[Canvas], scene: Heightmap, config: NetworkConfig
) -> Tensor:
    """Canvas × output × canvas cells → canvas × output × cells of the heightmap, bilinear."""
    rows, columns = (size // config.cell for size in scene.workspace.shape)
    y, x = np.mgrid[0:rows, 0:columns]
    homogeneous = np.stack([x, y, np.ones_like(x)], axis=-1)
    places = np.stack([homogeneous @ view.cells_from(config.cell).T for view in views])
    height, width = turned.shape[2:]
    scaled = 2 * places / (np.array([width, height]) - 1) - 1
    grid = torch.from_numpy(scaled.astype(np.float32))
    return _smoothed(functional.grid_sample(turned, grid, align_corners=True))


def _smoothed(values: Tensor) -> Tensor:
    """Means over SMOOTHING × SMOOTHING cells, as in acting; mirrored beyond the edge."""
    margin = SMOOTHING // 2
    padded = functional.pad(values, (margin, margin, margin, margin), mode="reflect")
    return functional.avg_pool2d(padded, SMOOTHING, stride=1)


def _by_primitive(restored: Tensor, config: NetworkConfig) -> dict[str, Tensor]:
    """Channel i at input rotation k is rotation k + i · INPUT_ROTATIONS."""
    return {
        name: torch.cat([restored[:, channel] for channel in config.channels(name)])
        for name in config.names
    }
