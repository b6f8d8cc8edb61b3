"""Takes a colour lens's distortion out of both images, so that the pinhole model holds."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros.devices.realsense.sdk import rs
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.frame import Intrinsics

Coefficients = tuple[float, ...]
Map = NDArray[np.float32]


def pinhole(intrinsics: Any) -> Intrinsics:
    """Size, focal lengths and principal point of the SDK's intrinsics."""
    camera = intrinsics
    return Intrinsics(camera.width, camera.height, camera.fx, camera.fy, camera.ppx, camera.ppy)


def rectify(
    colour: NDArray[np.uint8], depth: NDArray[np.float32], intrinsics: Any
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Colour and depth as a pinhole camera of the same focal lengths would see them.

    intrinsics: of both images, the SDK's. Depth is not interpolated; what the camera did not see
    is black and NaN. Raises INTRINSICS_CHANGED for a distortion model that is not known here.
    """
    coefficients = tuple(float(value) for value in intrinsics.coeffs)
    if not any(coefficients):
        return colour, depth
    camera = pinhole(intrinsics)
    column, row = _source(str(intrinsics.model), camera, coefficients)
    flat = cv2.remap(colour, column, row, cv2.INTER_LINEAR)
    far = cv2.remap(depth, column, row, cv2.INTER_NEAREST, borderValue=(np.nan,))
    return np.asarray(flat, np.uint8), np.asarray(far, np.float32)


@lru_cache(maxsize=2)
def _source(model: str, camera: Intrinsics, coefficients: Coefficients) -> tuple[Map, Map]:
    """Column and row in the distorted image of every pixel of the pinhole image."""
    if model not in _MODELS:
        sentence = f"camera: distortion model {model} is unknown; known: {', '.join(_MODELS)}"
        raise VpgError(ErrorCode.INTRINSICS_CHANGED, sentence)
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    column, row = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    pixels = np.stack([column, row], axis=-1).reshape(-1, 1, 2).astype(np.float64)
    found = _MODELS[model](pixels, matrix, np.array(coefficients)).reshape(*column.shape, 2)
    return found[..., 0].astype(np.float32), found[..., 1].astype(np.float32)


def _distorted(pixels: Any, matrix: Any, coefficients: Any) -> Any:
    """Brown-Conrady: the polynomial leads from pinhole pixels to distorted ones."""
    rays = cv2.undistortPoints(pixels, matrix, None)
    points = cv2.convertPointsToHomogeneous(rays)
    return cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, coefficients)[0]


def _inverse_distorted(pixels: Any, matrix: Any, coefficients: Any) -> Any:
    """Inverse Brown-Conrady: it leads from distorted pixels to pinhole ones, so undo it."""
    return cv2.undistortPoints(pixels, matrix, coefficients, P=matrix)


_MODELS: dict[str, Callable[[Any, Any, Any], Any]] = {
    str(rs.distortion.brown_conrady): _distorted,
    str(rs.distortion.inverse_brown_conrady): _inverse_distorted,
}
