"""The SDK's account of a colour lens: its pinhole camera, and images without its distortion."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpg_ros.devices.lens import straighten
from vpg_ros.devices.realsense.sdk import rs
from vpg_ros.errors import ErrorCode, require
from vpg_ros.frame import Intrinsics

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
    """Colour and depth without distortion, as :func:`straighten` makes them.

    intrinsics: of both images, the SDK's. Raises INTRINSICS_CHANGED for a lens that is no such
    polynomial.
    """
    coefficients = tuple(float(value) for value in intrinsics.coeffs)
    require(
        not any(coefficients) or intrinsics.model in POLYNOMIALS,
        f"camera: the colour lens's distortion model is {intrinsics.model.name}; allowed: "
        f"{', '.join(model.name for model in POLYNOMIALS)}",
        ErrorCode.INTRINSICS_CHANGED,
    )
    return straighten(colour, depth, pinhole(intrinsics), coefficients)
