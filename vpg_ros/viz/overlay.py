"""Pictures of a heightmap, of value maps and of the chosen action.

All pictures are RGB uint8, SCALE times the heightmap's size, as seen from straight above: base +x
to the right, base +y up (heightmap rows run upwards).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action
from vpg_ros.geometry import Workspace
from vpg_ros.heightmap import Heightmap

Picture = NDArray[np.uint8]
FloatMap = NDArray[np.float32]
Point = tuple[int, int]

SCALE = 2
TALLEST = 0.1  # m that is drawn in the height picture's brightest colour
GRASP_OPENING = 0.085  # m between the fingers as drawn
FINGER_WIDTH = 0.022  # m
PUSH_LENGTH = 0.10  # m
DIMMING = 0.75  # of the picture under opaque values
TITLE_HEIGHT = 28  # px
MARK = (255, 255, 255)
OUTLINE = (0, 0, 0)
INK, PAPER = (235, 235, 235), (28, 30, 34)
UNSEEN = ((52, 54, 60), (42, 44, 50))  # a checkerboard, so that it is not taken for a dark object


class Maps(Protocol):
    """What is needed of :class:`vpg_ros.policy.maps.ValueMaps`."""

    @property
    def values(self) -> Mapping[str, FloatMap]:
        """Primitive → values."""
        ...

    def best_over_rotations(self, primitive: str) -> FloatMap:
        """Best admissible value at every cell, NaN where none is."""
        ...


def colour_picture(heightmap: Heightmap) -> Picture:
    """The table as the camera coloured it; unseen pixels as a dark checkerboard."""
    return _from_above(
        np.where(np.isnan(heightmap.height)[..., None], _unseen(heightmap), heightmap.colour)
    )


def height_picture(heightmap: Heightmap) -> Picture:
    """Height from 0 (dark) to TALLEST (bright); unseen pixels as a dark checkerboard."""
    levels = (np.clip(heightmap.filled / TALLEST, 0, 1) * 255).astype(np.uint8)
    coloured = _colour_map(levels, cv2.COLORMAP_VIRIDIS)
    return _from_above(
        np.where(np.isnan(heightmap.height)[..., None], _unseen(heightmap), coloured)
    )


def value_picture(heightmap: Heightmap, values: FloatMap, opacity: float = 0.65) -> Picture:
    """Values over the darkened colour picture, from blue (0 or less) to red (the largest).

    opacity: of the values; the more, the darker the picture below.
    values: rows/cell × columns/cell, NaN where nothing is admissible; there the picture shows.
    """
    base = colour_picture(heightmap) * (1 - DIMMING * opacity)
    known = np.nan_to_num(values, nan=0.0)
    levels = (np.clip(known / max(float(known.max()), 1e-6), 0, 1) * 255).astype(np.uint8)
    height, width = base.shape[:2]
    large = (width, height)
    paint = cv2.resize(
        _colour_map(levels, cv2.COLORMAP_JET)[::-1], large, interpolation=cv2.INTER_NEAREST
    )
    shown = np.where(np.isnan(values), 0.0, opacity).astype(np.float32)[::-1]
    alpha = cv2.resize(shown, large, interpolation=cv2.INTER_NEAREST)[..., None]
    return np.asarray((1 - alpha) * base + alpha * paint, np.uint8)


def action_overlay(heightmap: Heightmap, action: Action, maps: Maps | None = None) -> Picture:
    """The chosen action on the table, over its primitive's values if ``maps`` has them."""
    known = maps is not None and action.primitive in maps.values
    if maps is not None and known:
        picture = value_picture(heightmap, maps.best_over_rotations(action.primitive), 0.35)
    else:
        picture = colour_picture(heightmap)
    return draw_action(picture, action, heightmap.workspace)


def draw_action(picture: Picture, action: Action, workspace: Workspace) -> Picture:
    """A copy of ``picture`` with the action's mark: fingers, an arrow, or a cross-hair."""
    result = np.ascontiguousarray(picture).copy()
    mark = _MARKS.get(action.primitive, _cross_hair)
    for colour, extra in ((OUTLINE, 4), (MARK, 0)):
        mark(result, action, workspace, colour, extra)
    return result


def numbered(picture: Picture, actions: Mapping[int, Action], workspace: Workspace) -> Picture:
    """A copy of ``picture`` with the marks of actions, each beside its number."""
    result = np.ascontiguousarray(picture).copy()
    for number, action in actions.items():
        result = draw_action(result, action, workspace)
        x, y = _point(action, workspace, 0, 0)
        at = (min(x + 12, result.shape[1] - 16), max(y - 12, 18))
        for colour, width in ((OUTLINE, 5), (MARK, 2)):
            text = (str(number), at, cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, width, cv2.LINE_AA)
            cv2.putText(result, *text)
    return result


def value_panel(heightmap: Heightmap, maps: Maps) -> Picture:
    """The value maps of all primitives side by side, each under its name and largest value."""
    best = {name: maps.best_over_rotations(name) for name in maps.values}
    pictures = [value_picture(heightmap, values) for values in best.values()]
    return side_by_side(pictures, [value_title(name, values) for name, values in best.items()])


def contact_sheet(pictures: Sequence[Picture], columns: int) -> Picture:
    """Pictures of one size in rows of ``columns``; what is left of the last row is white."""
    blank = np.full_like(pictures[0], 255)
    filled = [*pictures, *[blank] * (-len(pictures) % columns)]
    rows = [np.hstack(filled[i : i + columns]) for i in range(0, len(filled), columns)]
    return np.vstack(rows)


def side_by_side(pictures: Sequence[Picture], titles: Sequence[str]) -> Picture:
    """Pictures of one height in a row, each under its title."""
    return np.hstack([titled(*each) for each in zip(pictures, titles, strict=True)])


def titled(picture: Picture, title: str) -> Picture:
    """The picture under a strip that holds the title."""
    strip = np.full((TITLE_HEIGHT, picture.shape[1], 3), PAPER, np.uint8)
    cv2.putText(strip, title, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.52, INK, 1, cv2.LINE_AA)
    return np.vstack([strip, picture])


def value_title(name: str, values: FloatMap) -> str:
    """A value map's title: its largest value, or that there is none."""
    return f"{name}: nothing" if np.isnan(values).all() else f"{name}: best {np.nanmax(values):.2f}"


def _from_above(image: NDArray[Any]) -> Picture:
    """Heightmap rows upwards, SCALE times as large."""
    size = (image.shape[1] * SCALE, image.shape[0] * SCALE)
    flipped = np.ascontiguousarray(image[::-1], np.uint8)
    return np.asarray(cv2.resize(flipped, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _unseen(heightmap: Heightmap) -> NDArray[np.uint8]:
    """The checkerboard."""
    rows, columns = np.indices(heightmap.workspace.shape)
    return np.array(UNSEEN, np.uint8)[(rows // 4 + columns // 4) % 2]


def _colour_map(levels: NDArray[np.uint8], kind: int) -> NDArray[np.uint8]:
    """OpenCV's colours, as RGB."""
    return np.asarray(cv2.applyColorMap(levels, kind)[..., ::-1], np.uint8)


def _point(action: Action, workspace: Workspace, along: float, across: float) -> Point:
    """Picture pixel (x, y) that lies ``along`` the action's angle and ``across`` it (left), m."""
    cos, sin = np.cos(action.angle), np.sin(action.angle)
    column = action.column + 0.5 + (along * cos - across * sin) / workspace.resolution
    row = action.row + 0.5 + (along * sin + across * cos) / workspace.resolution
    return round(column * SCALE), round((workspace.rows - row) * SCALE)


def _fingers(
    picture: Picture, action: Action, workspace: Workspace, colour: Sequence[int], extra: int
) -> None:
    """Two bars, open, and the line along which they close."""
    half = GRASP_OPENING / 2
    ends = [_point(action, workspace, side * half, 0) for side in (-1, 1)]
    cv2.line(picture, ends[0], ends[1], colour, 1 + extra, cv2.LINE_AA)
    for side in (-1, 1):
        bar = [_point(action, workspace, side * half, FINGER_WIDTH / 2 * end) for end in (-1, 1)]
        cv2.line(picture, bar[0], bar[1], colour, 6 + extra, cv2.LINE_AA)
    cv2.circle(picture, _point(action, workspace, 0, 0), 3 + extra // 2, colour, -1, cv2.LINE_AA)


def _arrow(
    picture: Picture, action: Action, workspace: Workspace, colour: Sequence[int], extra: int
) -> None:
    """From where the push starts to where it ends, within the picture."""
    height, width = picture.shape[:2]
    reach = [_point(action, workspace, length, 0) for length in np.linspace(PUSH_LENGTH, 0, 41)]
    inside = [point for point in reach if 0 <= point[0] < width and 0 <= point[1] < height]
    start = _point(action, workspace, 0, 0)
    cv2.circle(picture, start, 6 + extra // 2, colour, -1, cv2.LINE_AA)
    if inside:
        tip = 14 / max(1.0, float(np.hypot(inside[0][0] - start[0], inside[0][1] - start[1])))
        cv2.arrowedLine(picture, start, inside[0], colour, 3 + extra, cv2.LINE_AA, 0, tip)


def _cross_hair(
    picture: Picture, action: Action, workspace: Workspace, colour: Sequence[int], extra: int
) -> None:
    """The pixel and the direction of a primitive that has no mark of its own."""
    start, end = _point(action, workspace, 0, 0), _point(action, workspace, 0.05, 0)
    cv2.drawMarker(picture, start, colour, cv2.MARKER_CROSS, 24, 3 + extra, cv2.LINE_AA)
    cv2.line(picture, start, end, colour, 2 + extra, cv2.LINE_AA)


_Mark = Callable[[Picture, Action, Workspace, Sequence[int], int], None]
_MARKS: dict[str, _Mark] = {"grasp": _fingers, "push": _arrow}
