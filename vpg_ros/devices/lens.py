"""Takes a lens's distortion out of colour and depth, so that the pinhole model holds."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros.frame import Intrinsics

Map = NDArray[np.float32]


def straighten(
    colour: NDArray[np.uint8],
    depth: NDArray[np.float32],
    camera: Intrinsics,
    coefficients: tuple[float, ...],
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Both images as a pinhole camera of the same focal lengths would see them.

    camera: of both images. coefficients: of the Brown-Conrady or the rational polynomial, in
    OpenCV's order (k1, k2, p1, p2, k3 …). Depth is not interpolated; what the camera did not see is
    black and NaN.
    """
    if not any(coefficients):
        return colour, depth
    column, row = _source(camera, coefficients)
    flat = cv2.remap(colour, column, row, cv2.INTER_LINEAR)
    far = cv2.remap(depth, column, row, cv2.INTER_NEAREST, borderValue=(np.nan,))
    return np.asarray(flat, np.uint8), np.asarray(far, np.float32)


@lru_cache(maxsize=2)
def _source(camera: Intrinsics, coefficients: tuple[float, ...]) -> tuple[Map, Map]:
    """Column and row in the distorted image of every pixel of the pinhole image."""
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])
    size = (camera.width, camera.height)
    lens = np.array(coefficients)
    column, row = cv2.initUndistortRectifyMap(matrix, lens, np.eye(3), matrix, size, cv2.CV_32FC1)
    return np.asarray(column, np.float32), np.asarray(row, np.float32)
