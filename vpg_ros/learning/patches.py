"""Training inputs: the scene turned to the executed action and cut out around its pixel.

Only symmetries that hold exactly are used: mirroring across the action's direction, half a turn
where the primitive or the output channels allow it, and whole cells of shift. Jittering an
action's own pixel or angle would attach its result to another action.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vpg_ros import primitives
from vpg_ros.heightmap.heightmap import OBJECT_HEIGHT
from vpg_ros.learning.replay import Experience
from vpg_ros.policy.canvas import HEIGHT_SCALE, Canvas, planes, render
from vpg_ros.policy.config import INPUT_ROTATIONS, NetworkConfig
from vpg_ros.policy.network import DOWNSAMPLING, SEEN


@dataclass(frozen=True)
class Batch:
    """Samples of what one network values.

    inputs: N×input_channels×size×size. rows, columns: the cell of each action, N. outputs: its
    output channel, N. empty: whether nothing stands at a cell, N×size×size.
    """

    inputs: Tensor
    rows: Tensor
    columns: Tensor
    outputs: Tensor
    empty: Tensor

    @property
    def samples(self) -> Tensor:
        """Index of each sample, N."""
        return torch.arange(len(self.inputs), device=self.inputs.device)

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        return Batch(*(part.to(device) for part in self._parts))

    def only(self, rows: Tensor) -> "Batch":
        """Some of the samples: N, True for those."""
        return Batch(*(part[rows] for part in self._parts))

    @property
    def _parts(self) -> tuple[Tensor, ...]:
        return (self.inputs, self.rows, self.columns, self.outputs, self.empty)


def make_batch(
    experiences: Sequence[Experience],
    config: NetworkConfig,
    rng: np.random.Generator,
    augment: bool = True,
) -> Batch:
    """Patches as large as any of them needs, mirrored and turned unless told not to."""
    inputs, rows, columns, outputs = [], [], [], []
    size = max(patch_size(experience.primitive, config) for experience in experiences)
    for experience in experiences:
        canvas, output = _view(experience, size, config, rng, augment)
        inputs.append(_cut(experience, canvas, config, augment and bool(rng.integers(2))))
        rows.append(canvas.anchor_row)
        columns.append(canvas.anchor_column)
        outputs.append(output)
    stacked = np.stack(inputs)
    own = (config.cell // 2) * (config.cell + 1)  # channel of the pixel that a cell acts at
    return Batch(
        torch.from_numpy(stacked),
        torch.tensor(rows),
        torch.tensor(columns),
        torch.tensor(outputs),
        torch.from_numpy(stacked[:, own] <= OBJECT_HEIGHT / HEIGHT_SCALE),
    )


def patch_size(primitive: str, config: NetworkConfig) -> int:
    """Side of the primitive's patches in cells: what matters of what the network sees."""
    matters = primitives.get(primitive).context / (config.resolution * config.cell)
    reach = min(matters, SEEN)
    return int(-(-2 * reach // DOWNSAMPLING)) * DOWNSAMPLING


def _view(
    experience: Experience,
    size: int,
    config: NetworkConfig,
    rng: np.random.Generator,
    augment: bool,
) -> tuple[Canvas, int]:
    """Where to look, and the output channel that values the action there."""
    channels = config.channels(experience.primitive)
    # Without a random half turn, the view that the action is chosen from.
    turned = int(rng.integers(2)) if augment else experience.rotation // INPUT_ROTATIONS
    angle = primitives.get(experience.primitive).angle(experience.rotation) - turned * np.pi
    # Every phase of the pooling grid, or the network would be trained at one of them only.
    row, column = (size // 2 + rng.integers(DOWNSAMPLING, size=2) - DOWNSAMPLING // 2).tolist()
    canvas = Canvas(experience.row, experience.column, angle, size, size, row, column)
    return canvas, channels[turned % len(channels)]


def _cut(
    experience: Experience, canvas: Canvas, config: NetworkConfig, flip: bool
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The network's input, made from just the part of the map that the canvas can reach."""
    reach = int((canvas.rows / 2 + DOWNSAMPLING) * config.cell * np.sqrt(2)) + 2
    top, left = max(0, experience.row - reach), max(0, experience.column - reach)
    window = (slice(top, experience.row + reach), slice(left, experience.column + reach))
    colour = experience.colour[window] if config.colour else None
    pixels = planes(experience.height[window], colour)
    shifted = replace(canvas, row=canvas.row - top, column=canvas.column - left)
    return render(pixels, shifted, config.cell, flip)
