"""Unit quaternions (x, y, z, w), rotation matrices and rotation vectors.

SciPy's ``Rotation`` does the same at some 0.2 ms a call, most of it argument handling; a single
motion needs hundreds of conversions. The tests hold these functions against it.
"""

import math

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Quaternion = tuple[float, float, float, float]


def to_matrix(quaternion: Quaternion) -> FloatArray:
    """3×3 rotation matrix of a quaternion of any length but 0."""
    x, y, z, w = quaternion
    s = 2.0 / (x * x + y * y + z * z + w * w)
    return np.array(
        [
            [1 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)],
            [s * (x * y + z * w), 1 - s * (x * x + z * z), s * (y * z - x * w)],
            [s * (x * z - y * w), s * (y * z + x * w), 1 - s * (x * x + y * y)],
        ]
    )


def from_matrix(matrix: FloatArray) -> Quaternion:
    """Unit quaternion of a 3×3 rotation matrix.

    Of the four equivalent formulas, the one that divides by the largest component is used
    (Shepperd 1978).
    """
    (a, b, c), (d, e, f), (g, h, i) = matrix[:3, :3].tolist()
    candidates = (
        (1 + a - e - i, b + d, c + g, h - f),
        (b + d, 1 - a + e - i, f + h, c - g),
        (c + g, f + h, 1 - a - e + i, d - b),
        (h - f, c - g, d - b, 1 + a + e + i),
    )
    x, y, z, w = max(enumerate(candidates), key=lambda entry: entry[1][entry[0]])[1]
    length = math.sqrt(x * x + y * y + z * z + w * w)
    return x / length, y / length, z / length, w / length


def to_rotvec(quaternion: Quaternion) -> FloatArray:
    """Rotation vector, 3, rad: axis times angle, the angle at most π."""
    x, y, z, w = quaternion
    sine = math.sqrt(x * x + y * y + z * z)
    if sine == 0.0:
        return np.zeros(3)
    angle = 2.0 * math.atan2(sine, abs(w))
    return np.array([x, y, z]) * math.copysign(angle / sine, w)


def from_rotvec(vector: FloatArray) -> Quaternion:
    """Unit quaternion of a rotation vector (axis times angle, rad)."""
    x, y, z = (float(value) for value in vector)
    angle = math.sqrt(x * x + y * y + z * z)
    factor = math.sin(angle / 2) / angle if angle > 0.0 else 0.0
    return factor * x, factor * y, factor * z, math.cos(angle / 2)
