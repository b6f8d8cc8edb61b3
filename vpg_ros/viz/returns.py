"""Pictures of value distributions: maps of mean, spread and lower tail, and returns as bars."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.heightmap import Heightmap
from vpg_ros.viz.overlay import (
    INK,
    PAPER,
    FloatMap,
    Picture,
    height_picture,
    numbered,
    side_by_side,
    value_picture,
)

BINS = 25  # of returns from 0 to 1
_CHART = (440, 220)  # px, width and height
_MARGIN = 34  # px around the bars
_BAR, _MEAN = (96, 165, 250), (251, 146, 60)


def risk_panel(
    heightmap: Heightmap,
    maps: Mapping[str, FloatMap],
    actions: Mapping[int, Action] = MappingProxyType({}),
) -> Picture:
    """The heightmap and, beside it, maps of the same scene, each under its name and values.

    maps: such as mean, spread and lower tail; rows/cell × columns/cell, NaN where nothing is
    admissible. actions: marked on the heightmap, each with its number.
    """
    height = numbered(height_picture(heightmap), actions, heightmap.workspace)
    pictures = [height, *(value_picture(heightmap, m) for m in maps.values())]
    titles = ["height", *(_title(name, values) for name, values in maps.items())]
    return side_by_side(pictures, titles)


def _title(name: str, values: FloatMap) -> str:
    if np.isnan(values).all():
        return f"{name}: nothing"
    return f"{name}: {np.nanmin(values):.2f} to {np.nanmax(values):.2f}"


def returns_chart(atoms: Sequence[float], probabilities: Sequence[float]) -> Picture:
    """The distribution of returns, of K outcomes, as bars over 0 to 1; a line at its mean.

    What lies beyond counts in the outermost bars.
    """
    width, height = _CHART
    shares = histogram(atoms, probabilities)
    picture = np.full((height, width, 3), PAPER, np.uint8)
    left, right = _MARGIN, width - _MARGIN
    floor, tallest = height - _MARGIN, height - 2 * _MARGIN
    edges = np.linspace(left, right, BINS + 1).round().astype(int)
    for share, start, end in zip(shares, edges, edges[1:], strict=False):
        top = floor - round(tallest * float(share))
        cv2.rectangle(picture, (int(start) + 1, top), (int(end) - 1, floor), _BAR, -1)
    mean = float(np.clip(np.dot(atoms, probabilities), 0, 1))
    x = round(left + mean * (right - left))
    cv2.line(picture, (x, floor), (x, _MARGIN), _MEAN, 2, cv2.LINE_AA)
    for text, at in (("0", left), ("1", right - 8), (f"{mean:.2f}", min(x + 4, right - 30))):
        y = _MARGIN - 8 if "." in text else height - 12
        cv2.putText(picture, text, (at, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
    return picture


def histogram(atoms: Sequence[float], probabilities: Sequence[float]) -> NDArray[np.float64]:
    """Probability of each of BINS equal parts of 0 to 1."""
    inside = np.clip(np.asarray(atoms, dtype=np.float64), 0, 1)
    return np.histogram(inside, BINS, (0, 1), weights=np.asarray(probabilities))[0]


def rivals_panel(returns: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Picture:
    """Charts of several actions' returns beside each other, such as the chosen and the runner-up.

    returns: title → (atoms, probabilities).
    """
    return side_by_side([returns_chart(*each) for each in returns.values()], list(returns))
