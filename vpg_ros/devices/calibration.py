"""The calibration file: where the camera is in the base frame."""

from pathlib import Path

import numpy as np
import yaml

from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import FloatArray, Pose


def load_camera_pose(path: Path) -> Pose:
    """Pose of the camera's optical frame in the base frame, from a YAML file.

    The file holds ``camera_pose: {position: [x, y, z], quaternion: [x, y, z, w]}`` in m. Raises
    CALIBRATION_MISSING, naming the file, for one that is absent or does not say that.
    """
    try:
        entry = yaml.safe_load(path.read_text())["camera_pose"]
        position = np.array(entry["position"], dtype=float)
        quaternion = np.array(entry["quaternion"], dtype=float)
    except OSError as error:
        sentence = f"calibration file {path} cannot be read: {error.strerror}"
        raise VpgError(ErrorCode.CALIBRATION_MISSING, sentence) from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        sentence = (
            f"calibration file {path} does not hold camera_pose with position [x, y, z] in m "
            "and quaternion [x, y, z, w]"
        )
        raise VpgError(ErrorCode.CALIBRATION_MISSING, sentence) from None
    return _checked(path, position, quaternion)


def _checked(path: Path, position: FloatArray, quaternion: FloatArray) -> Pose:
    """The pose, if its numbers can be one."""
    finite = bool(np.isfinite(position).all() and np.isfinite(quaternion).all())
    good = position.shape == (3,) and quaternion.shape == (4,) and finite
    require(
        good and abs(float(np.linalg.norm(quaternion)) - 1.0) < 1e-3,
        f"calibration file {path} has position {position.tolist()} and quaternion "
        f"{quaternion.tolist()}; allowed: 3 and 4 finite numbers, the quaternion of unit length",
        ErrorCode.CALIBRATION_MISSING,
    )
    x, y, z = (float(value) for value in position)
    qx, qy, qz, qw = (float(value) for value in quaternion / np.linalg.norm(quaternion))
    return Pose((x, y, z), (qx, qy, qz, qw))
