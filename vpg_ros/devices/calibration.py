"""The calibration file: where the camera is in the base frame, and how well that is known."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vpg_ros.atomic import write_atomically
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import FloatArray, Pose

_SAME = 0.001  # rad; one joint off by it moves what is seen 0.5 m away by less than 1 mm


@dataclass(frozen=True)
class Quality:
    """How a calibration came about.

    mounting: one of ``handeye.MOUNTINGS``. made: when, UTC, ISO 8601. views: of the board.
    residual: RMS distance of its corners, px. position_sigma, angle_sigma: standard deviations of
    the camera's pose, m and rad.
    """

    mounting: str
    made: str
    views: int
    residual: float
    position_sigma: float
    angle_sigma: float

    @property
    def age(self) -> float:
        """Days since it was made."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.made)).total_seconds() / 86400


@dataclass(frozen=True)
class OnTool:
    """A camera on the tool: its pose in the tool's frame.

    home: joint angles, rad, from where pictures are taken; its pose in the base frame holds there.
    """

    pose: Pose
    home: tuple[float, ...]


def save(path: Path, camera: Pose, quality: Quality, on_tool: OnTool | None = None) -> None:
    """Write the file that :func:`load_camera_pose` reads, whole or not at all.

    camera: in the base frame. on_tool: what else is known of a camera that is mounted there.
    """
    content: dict[str, Any] = {"camera_pose": _entry(camera), "quality": asdict(quality)}
    if on_tool is not None:
        content["camera_on_tool"] = _entry(on_tool.pose) | {"home": list(on_tool.home)}
    write_atomically(path, yaml.safe_dump(content, sort_keys=False).encode())


def load_quality(path: Path) -> Quality | None:
    """How well the calibration in ``path`` is known; None where a person wrote it by hand."""
    load_camera_pose(path)
    try:
        return Quality(**yaml.safe_load(path.read_text())["quality"])
    except (KeyError, TypeError):
        return None


def load_home(path: Path) -> FloatArray | None:
    """Joint angles, rad, at which the calibration in ``path`` holds; None where it does not say."""
    load_camera_pose(path)
    try:
        home = yaml.safe_load(path.read_text())["camera_on_tool"]["home"]
        return np.array(home, dtype=float).reshape(6)
    except (KeyError, TypeError, ValueError):
        return None


def require_home(path: Path, made: FloatArray, home: FloatArray) -> None:
    """Raise CALIBRATION_MISSING unless ``home``, motion_node's, is what ``path`` was ``made`` with.

    Both are joint angles, rad.
    """
    require(
        bool((np.abs(made - home) <= _SAME).all()),
        f"calibration file {path} is of a camera on the tool and holds for the home "
        f"{_angles(made)} alone; home of motion_node is {_angles(home)}: calibrate again, or set "
        "it back",
        ErrorCode.CALIBRATION_MISSING,
    )


def _angles(joints: FloatArray) -> str:
    return f"[{', '.join(f'{angle:g}' for angle in joints)}]"


def _entry(pose: Pose) -> dict[str, list[float]]:
    return {"position": list(pose.position), "quaternion": list(pose.quaternion)}


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
