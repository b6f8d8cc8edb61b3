"""The package's nouns as messages and back: the one place that knows both."""

import array
from collections.abc import Sequence
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PoseStamped, Quaternion
from geometry_msgs.msg import Pose as PoseMsg
from nav_msgs.msg import Path
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header
from vpg_msgs.msg import Heightmap as HeightmapMsg
from vpg_msgs.msg import Outcome as OutcomeMsg
from vpg_msgs.msg import PrimitiveAction
from vpg_msgs.msg import Transition as TransitionMsg
from vpg_msgs.msg import Workspace as WorkspaceMsg

from vpg_ros.action import Action, Transition
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.frame import Intrinsics
from vpg_ros.geometry import Pose, Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Outcome

BASE_FRAME = "base"

# Image encodings read here: dtype, channels, and metres per unit for depth.
_ENCODINGS: dict[str, tuple[Any, int]] = {
    "rgb8": (np.uint8, 3),
    "bgr8": (np.uint8, 3),
    "32FC1": (np.float32, 1),
    "16UC1": (np.uint16, 1),
}

# Distortion models read here, and how many coefficients they have (sensor_msgs).
_LENSES = {"plumb_bob": 5, "rational_polynomial": 8}


def stamp_to_msg(stamp: float) -> Time:
    """Seconds as a Time."""
    seconds = int(stamp // 1)
    return Time(sec=seconds, nanosec=min(round((stamp - seconds) * 1e9), 999_999_999))


def stamp_from_msg(stamp: Time) -> float:
    """A Time in seconds."""
    return float(stamp.sec) + stamp.nanosec * 1e-9


def header(stamp: float, frame: str = BASE_FRAME) -> Header:
    """A header of ``stamp`` seconds in ``frame``."""
    return Header(stamp=stamp_to_msg(stamp), frame_id=frame)


def pose_to_msg(pose: Pose) -> PoseMsg:
    """A Pose as a message."""
    x, y, z = (float(value) for value in pose.position)
    qx, qy, qz, qw = (float(value) for value in pose.quaternion)
    return PoseMsg(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))


def pose_from_msg(message: PoseMsg) -> Pose:
    """A message as a Pose; a quaternion that is not of unit length is refused."""
    position, turn = message.position, message.orientation
    quaternion = (turn.x, turn.y, turn.z, turn.w)
    if abs(float(np.linalg.norm(quaternion)) - 1.0) > 1e-3:
        sentence = f"pose has the quaternion {quaternion}; it must be of unit length"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence)
    return Pose((position.x, position.y, position.z), quaternion)


def pose_stamped(pose: Pose, stamp: float) -> PoseStamped:
    """A Pose in the base frame as a stamped message."""
    return PoseStamped(header=header(stamp), pose=pose_to_msg(pose))


def path_to_msg(poses: Sequence[Pose], stamp: float) -> Path:
    """Poses in the base frame as one path."""
    return Path(header=header(stamp), poses=[pose_stamped(pose, stamp) for pose in poses])


def image_to_msg(image: NDArray[Any], stamp: float, frame: str = BASE_FRAME) -> Image:
    """H×W×3 uint8 as rgb8, H×W float32 as 32FC1."""
    colour = image.ndim == 3
    dtype = np.uint8 if colour else np.float32
    pixels = np.ascontiguousarray(image, dtype=dtype)
    message = Image(header=header(stamp, frame), height=pixels.shape[0], width=pixels.shape[1])
    message.encoding = "rgb8" if colour else "32FC1"
    message.step = pixels.shape[1] * (3 if colour else 4)
    message.data = array.array("B", pixels.tobytes())
    return message


def image_from_msg(message: Image) -> NDArray[Any]:
    """rgb8 and bgr8 as H×W×3 RGB uint8; 32FC1 (m) and 16UC1 (mm) as H×W float32 in m.

    16UC1's 0, no reading, becomes NaN (REP-118). Rows may be padded. Raises
    PARAMETER_INVALID for another encoding or too little data.
    """
    if message.encoding not in _ENCODINGS:
        known = ", ".join(_ENCODINGS)
        sentence = f"image encoding is {message.encoding!r}; it must be one of {known}"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence)
    dtype, channels = _ENCODINGS[message.encoding]
    rows = _rows(message, np.dtype(dtype).itemsize * channels)
    typed = np.dtype(dtype).newbyteorder(">" if message.is_bigendian else "<")
    image = np.ascontiguousarray(rows).view(typed).astype(dtype)
    if channels == 3:
        image = image.reshape(message.height, message.width, 3)
        return image[:, :, ::-1].copy() if message.encoding == "bgr8" else image
    if dtype is np.uint16:
        return np.where(image == 0, np.nan, image * 1e-3).astype(np.float32)
    return image


def _rows(message: Image, pixel_bytes: int) -> NDArray[np.uint8]:
    """The image's bytes, height × (width·pixel_bytes), without padding."""
    width = message.width * pixel_bytes
    step = message.step or width
    if step < width or len(message.data) < step * message.height:
        sentence = (
            f"image of {message.width}×{message.height} {message.encoding} pixels has "
            f"{len(message.data)} bytes in rows of {step}; it needs {width * message.height}"
        )
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence)
    data = np.frombuffer(message.data, np.uint8, step * message.height)
    return data.reshape(message.height, step)[:, :width]


def intrinsics_to_msg(intrinsics: Intrinsics, stamp: float, frame: str) -> CameraInfo:
    """Pinhole intrinsics as a CameraInfo without distortion."""
    camera = intrinsics
    message = CameraInfo(header=header(stamp, frame), width=camera.width, height=camera.height)
    message.distortion_model = "plumb_bob"
    message.d = [0.0] * 5
    message.k = [camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    k = message.k
    message.p = [k[0], 0.0, k[2], 0.0, 0.0, k[4], k[5], 0.0, 0.0, 0.0, 1.0, 0.0]
    return message


def intrinsics_from_msg(message: CameraInfo) -> Intrinsics:
    """A CameraInfo as pinhole intrinsics, to which :func:`lens_from_msg` adds the distortion."""
    k = [float(value) for value in message.k]
    return Intrinsics(message.width, message.height, k[0], k[4], k[2], k[5])


def lens_from_msg(message: CameraInfo) -> tuple[float, ...]:
    """A CameraInfo's distortion coefficients, in OpenCV's order; all 0 or none: no distortion.

    Raises INTRINSICS_CHANGED for a model of another kind.
    """
    coefficients = tuple(float(value) for value in message.d)
    require(
        not any(coefficients) or _LENSES.get(message.distortion_model) == len(coefficients),
        f"camera: the lens's distortion model is {message.distortion_model!r} with "
        f"{len(coefficients)} coefficients; allowed: "
        f"{', '.join(f'{model} with {count}' for model, count in _LENSES.items())}, or all 0",
        ErrorCode.INTRINSICS_CHANGED,
    )
    return coefficients


def joint_state(
    names: tuple[str, ...],
    joints: NDArray[np.float64],
    velocities: NDArray[np.float64],
    stamp: float,
) -> JointState:
    """Joint angles (rad) and velocities (rad/s)."""
    message = JointState(header=header(stamp, ""), name=list(names))
    message.position = [float(value) for value in joints]
    message.velocity = [float(value) for value in velocities]
    return message


def workspace_to_msg(workspace: Workspace) -> WorkspaceMsg:
    """A Workspace as a message."""
    return WorkspaceMsg(
        origin_x=workspace.origin_x,
        origin_y=workspace.origin_y,
        table_z=workspace.table_z,
        resolution=workspace.resolution,
        rows=workspace.rows,
        columns=workspace.columns,
    )


def workspace_from_msg(message: WorkspaceMsg) -> Workspace:
    """A message as a Workspace; raises PARAMETER_INVALID for an empty one."""
    return Workspace(
        message.origin_x,
        message.origin_y,
        message.table_z,
        message.resolution,
        message.rows,
        message.columns,
    )


def heightmap_to_msg(heightmap: Heightmap) -> HeightmapMsg:
    """A Heightmap as a message in the base frame."""
    return HeightmapMsg(
        header=header(heightmap.stamp),
        workspace=workspace_to_msg(heightmap.workspace),
        color=image_to_msg(heightmap.colour, heightmap.stamp),
        height=image_to_msg(heightmap.height, heightmap.stamp),
    )


def heightmap_from_msg(message: HeightmapMsg) -> Heightmap:
    """A message as a Heightmap; raises HEIGHTMAP_INVALID for one that does not fit together."""
    try:
        return Heightmap(
            image_from_msg(message.color),
            image_from_msg(message.height),
            workspace_from_msg(message.workspace),
            stamp_from_msg(message.header.stamp),
        )
    except VpgError as error:
        raise VpgError(ErrorCode.HEIGHTMAP_INVALID, f"heightmap: {error.message}") from error


def action_to_msg(action: Action, stamp: float) -> PrimitiveAction:
    """An Action as a message; ``stamp``: of the heightmap it was chosen on, s."""
    return PrimitiveAction(
        header=header(stamp),
        primitive=action.primitive,
        rotation=action.rotation,
        row=action.row,
        column=action.column,
        angle=float(action.angle),
        pose=pose_to_msg(action.pose),
        value=float(action.value),
        spread=float(action.spread),
        probability=float(action.probability),
        policy=action.policy,
        checkpoint=action.checkpoint,
    )


def action_from_msg(message: PrimitiveAction) -> Action:
    """A message as an Action."""
    return Action(
        message.primitive,
        message.rotation,
        message.row,
        message.column,
        message.angle,
        pose_from_msg(message.pose),
        message.value,
        message.spread,
        message.policy,
        message.checkpoint,
        message.probability,
    )


def outcome_to_msg(outcome: Outcome) -> OutcomeMsg:
    """An Outcome as a message."""
    return OutcomeMsg(
        success=bool(outcome.success),
        gripper_width=float(outcome.gripper_width),
        peak_force=float(outcome.peak_force),
        duration=float(outcome.duration),
        error_code=int(outcome.error_code),
        error_msg=outcome.error_msg,
        accidents=outcome.accidents,
    )


def outcome_from_msg(message: OutcomeMsg) -> Outcome:
    """A message as an Outcome."""
    return Outcome(
        message.success,
        message.gripper_width,
        message.peak_force,
        message.duration,
        ErrorCode(message.error_code),
        message.error_msg,
        message.accidents,
    )


def transition_to_msg(transition: Transition) -> TransitionMsg:
    """A Transition as a message, stamped with the heightmap after."""
    before, after = transition.before, transition.after
    return TransitionMsg(
        header=header(after.stamp),
        episode=transition.episode,
        step=transition.step,
        before=heightmap_to_msg(before),
        action=action_to_msg(transition.action, before.stamp),
        outcome=outcome_to_msg(transition.outcome),
        reward=float(transition.reward),
        after=heightmap_to_msg(after),
        done=transition.done,
    )


def transition_from_msg(message: TransitionMsg) -> Transition:
    """A message as a Transition."""
    return Transition(
        message.episode,
        message.step,
        heightmap_from_msg(message.before),
        action_from_msg(message.action),
        outcome_from_msg(message.outcome),
        message.reward,
        heightmap_from_msg(message.after),
        message.done,
    )
