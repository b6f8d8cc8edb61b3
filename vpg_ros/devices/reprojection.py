"""A picture of a calibration: where the board's corners were found, and where they should be."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros.devices.board import project
from vpg_ros.devices.calibrate import Record

_COLUMNS = 3
_FOUND, _EXPECTED = (0, 255, 0), (255, 0, 0)  # RGB
_WIDTH = 480  # px of one view


def reprojection(record: Record) -> NDArray[np.uint8]:
    """All views side by side, RGB: corners found (green rings) and expected (red crosses)."""
    tiles = [_view(record, index) for index in range(len(record.views))]
    blank = np.zeros_like(tiles[0])
    tiles += [blank] * (-len(tiles) % _COLUMNS)
    rows = [np.hstack(tiles[start : start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)]
    return np.vstack(rows)


def encoded(picture: NDArray[np.uint8]) -> bytes:
    """``picture`` (RGB or grey) as a PNG file."""
    colours = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    _, data = cv2.imencode(".png", colours)
    return data.tobytes()


def _view(record: Record, index: int) -> NDArray[np.uint8]:
    """One view, marked and shrunk."""
    view, picture = record.views[index], record.pictures[index]
    matrix = record.result.board_in_camera(view.tool).matrix
    expected = project(view.corners.points @ matrix[:3, :3].T + matrix[:3, 3], record.intrinsics)
    scale = _WIDTH / picture.shape[1]
    size = (_WIDTH, round(picture.shape[0] * scale))
    tile = np.ascontiguousarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    for (u, v), (eu, ev) in zip(view.corners.pixels * scale, expected * scale, strict=True):
        cv2.circle(tile, (round(u), round(v)), 5, _FOUND, 1, cv2.LINE_AA)
        cv2.drawMarker(tile, (round(eu), round(ev)), _EXPECTED, cv2.MARKER_CROSS, 7, 1)
    text = f"{index + 1}: {record.result.residuals[index]:.2f} px"
    cv2.putText(tile, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, _EXPECTED, 1, cv2.LINE_AA)
    return np.asarray(tile, dtype=np.uint8)
