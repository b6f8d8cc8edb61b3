"""Takes a colour lens's distortion out of both images, so that the pinhole model holds."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros.devices.realsense.sdk import rs
from vpg_ros.errors import ErrorCode, require
from vpg_ros.frame import Intrinsics

Map = NDArray[np.float32]

# The SDK projects by the Brown-Conrady polynomial under each of these names (rsutil.h; how it
# applies the tangential terms differs by thousandths of a pixel), and so does OpenCV.
POLYNOMIALS = (
    rs.distortion.brown_conrady,
    rs.distortion.inverse_brown_conrady,
    rs.distortion.modified_brown_conrady,
)


def pinhole(intrinsics: Any) -> Intrinsics:
    """Size, focal lengths and principal point of the SDK's intrinsics."""
    camera = intrinsics
    return Intrinsics(camera.width, camera.height, camera.fx, camera.fy, camera.ppx, camera.ppy)


def rectify(
    colour: NDArray[np.uint8], depth: NDArray[np.float32], intrinsics: Any
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Colour and depth as a pinhole camera of the same focal lengths would see them.

    intrinsics: of both images, the SDK's. Depth is not interpolated; what the camera did not see
    is black and NaN. Raises INTRINSICS_CHANGED for a lens that is no such polynomial.
    """
    coefficients = tuple(float(value) for value in intrinsics.coeffs)
    if not any(coefficients):
        return colour, depth
    require(
        intrinsics.model in POLYNOMIALS,
        f"camera: the colour lens's distortion model is {intrinsics.model.name}; allowed: "
        f"{', '.join(model.name for model in POLYNOMIALS)}",
        ErrorCode.INTRINSICS_CHANGED,
    )
    column, row = _source(pinhole(intrinsics), coefficients)
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
