"""Points between the camera's samples, where these lie on one surface.

A pixel of a distant, tilted or steep surface covers more than one cell of the heightmap. Where
neighbouring pixels show one surface, the straight line between their points is sampled as densely
as the cells ask; where the depth jumps (a shadow behind an object) nothing is invented.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpg_ros.heightmap.cloud import Cloud, merge

# Steps (rows, columns) to the neighbours along and across the image; diagonals matter only where
# one of these is wide already.
STRAIGHT_STEPS = ((0, 1), (1, 0))
DIAGONAL_STEPS = ((1, 1), (1, -1))
# Neighbours further apart than this many pixel pitches show a jump, not a surface (76° steep).
MAX_PITCHES = 4.0
# How far, in pixel pitches, a surface's next pixel may lie off the line through the two before it.
MAX_BEND = 1.0
BORDER = 2  # pixels of NaN around the image: the furthest neighbour looked at

FloatImage = NDArray[np.float32]


@dataclass(frozen=True)
class _Image:
    """points, colours: (H+4)×(W+4)×3 with the border; pitch: distance between rays, m."""

    points: FloatImage
    colours: NDArray[np.uint8]
    pitch: FloatImage


def between_samples(
    points: FloatImage, colours: NDArray[np.uint8], pitch: FloatImage, spacing: float
) -> Cloud:
    """Points on the lines between neighbouring pixels, so that none in x and y is over ``spacing``.

    points: H×W×3 m, NaN where unseen; colours: H×W×3; pitch: H×W, distance between neighbouring
    rays at each pixel's depth, m; spacing: m.
    """
    border = ((BORDER, BORDER), (BORDER, BORDER))
    image = _Image(
        np.pad(points, (*border, (0, 0)), constant_values=np.nan),
        np.pad(colours, (*border, (0, 0))),
        np.pad(pitch, border, constant_values=np.nan),
    )
    straight = {step: _wide(image.points, spacing, step) for step in STRAIGHT_STEPS}
    coarse = np.logical_or.reduce(list(straight.values()))
    diagonal = {step: coarse & _wide(image.points, spacing, step) for step in DIAGONAL_STEPS}
    pairs = {step: np.flatnonzero(wide) for step, wide in (straight | diagonal).items()}
    return merge([_along(image, start, spacing, step) for step, start in pairs.items()])


def _wide(points: FloatImage, spacing: float, step: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels' neighbours one ``step`` away are more than ``spacing`` away in x and y."""
    (dr, dc), (rows, columns) = step, points.shape[:2]
    here = points[BORDER : rows - BORDER, BORDER : columns - BORDER, :2]
    there = points[BORDER + dr : rows - BORDER + dr, BORDER + dc : columns - BORDER + dc, :2]
    x, y = there[..., 0] - here[..., 0], there[..., 1] - here[..., 1]
    return np.pad(x * x + y * y > spacing**2, BORDER)


def _along(image: _Image, start: NDArray[np.intp], spacing: float, step: tuple[int, int]) -> Cloud:
    """Points between the pixels at flat index ``start`` and their neighbours one ``step`` away."""
    stride = step[0] * image.points.shape[1] + step[1]
    points, colours = image.points.reshape(-1, 3), image.colours.reshape(-1, 3)
    start = start[_one_surface(points, image.pitch.reshape(-1)[start], start, stride)]
    first, last = points[start], points[start + stride]
    gap = last - first
    counts = np.ceil(np.hypot(gap[:, 0], gap[:, 1]) / spacing).astype(np.intp) - 1
    pair = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    fraction = (rank / (counts[pair] + 1)).astype(np.float32)[:, None]
    nearest = np.where(fraction[:, 0] < 0.5, start[pair], start[pair] + stride)
    return Cloud(first[pair] + fraction * gap[pair], colours[nearest])


def _one_surface(
    points: FloatImage, pitch: FloatImage, start: NDArray[np.intp], stride: int
) -> NDArray[np.bool_]:
    """Whether each pair is close, and in line with the pixel before it and the one behind it."""
    first, last = points[start], points[start + stride]
    bend_before = points[start - stride] - 2 * first + last
    bend_behind = points[start + 2 * stride] - 2 * last + first
    one: NDArray[np.bool_] = _norm(last - first) < MAX_PITCHES * pitch
    one &= (_norm(bend_before) < MAX_BEND * pitch) & (_norm(bend_behind) < MAX_BEND * pitch)
    return one


def _norm(vectors: FloatImage) -> FloatImage:
    """Length of each of N×3 vectors; NaN stays NaN."""
    x, y, z = vectors.T
    return np.sqrt(x * x + y * y + z * z)
