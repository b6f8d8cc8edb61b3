"""One RGB-D picture and where it was taken from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpg_ros.geometry import Pose


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole camera without distortion, in pixels: focal lengths and principal point.

    Pixel (u, v) = (column, row) is the projection of x = (u − cx)·z/fx, y = (v − cy)·z/fy
    in the optical frame, integer pixel coordinates at pixel centres (OpenCV convention).
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float


@dataclass(frozen=True)
class Frame:
    """A colour and a depth image, aligned pixel by pixel.

    colour: H×W×3 uint8 RGB. depth: H×W float32, distance along the optical axis in m, NaN where
    there is no reading (REP-118). camera_pose: optical frame in the base frame. stamp: s.
    """

    colour: NDArray[np.uint8]
    depth: NDArray[np.float32]
    intrinsics: Intrinsics
    camera_pose: Pose
    stamp: float
