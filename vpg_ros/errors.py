"""Error codes and the one exception type that carries them.

Each node owns one range of a hundred codes; every service, action result and ``summary.json``
carries a code from here together with a sentence a person can act on.
"""

import re
from enum import IntEnum


class ErrorCode(IntEnum):
    """What went wrong, unique over the whole system (0 means nothing did)."""

    OK = 0

    # 100-199: camera and heightmap_node
    CAMERA_TIMEOUT = 101
    FRAME_STALE = 102
    DEPTH_EMPTY = 103
    CALIBRATION_MISSING = 104
    INTRINSICS_CHANGED = 105
    CAMERA_MISSING = 106
    CALIBRATION_FAILED = 107

    # 200-299: inference_node and policies
    CHECKPOINT_MISSING = 200
    CHECKPOINT_CORRUPT = 201
    CHECKPOINT_MISMATCH = 202
    HEIGHTMAP_INVALID = 203
    NO_ADMISSIBLE_ACTION = 204
    DEVICE_UNAVAILABLE = 205
    VALUES_INVALID = 206

    # 300-399: motion_node, arm and gripper
    ARM_UNREACHABLE = 300
    ARM_LINK_LOST = 301
    PROTECTIVE_STOP = 302
    EMERGENCY_STOP = 303
    MOTION_TIMEOUT = 304
    MOTION_REJECTED = 305
    POSE_UNREACHABLE = 306
    OUTSIDE_WORKSPACE = 307
    BELOW_TABLE = 308
    JOINT_LIMIT = 309
    CANCELLED = 310
    UNKNOWN_PRIMITIVE = 311
    GRIPPER_NO_ANSWER = 312
    GOAL_REJECTED = 313
    COLLISION = 314
    MOTION_BLOCKED = 315

    # 400-499: task_node
    NODE_NOT_AVAILABLE = 400
    STUCK = 401
    STOPPED = 402
    ACTION_LIMIT = 403
    OBJECTS_LOST = 404

    # 500-599: simulation
    SCENE_UNKNOWN = 500
    SCENE_INVALID = 501
    CONTROLLER_FAILED = 502

    # 600-699: data on disk
    STORE_UNREADABLE = 600
    STORE_MISMATCH = 601
    DISK_FULL = 602

    # 700-799: learner_node
    TRANSITION_INVALID = 700
    LEARNING_DIVERGED = 701

    # 900-999: start-up and parameters
    PARAMETER_INVALID = 900
    INTERFACES_MISSING = 901
    PROCESS_DIED = 902


class VpgError(Exception):
    """An expected failure: a code and one clear sentence.

    The sentence names the parameter or device, the value found and what is allowed.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type["VpgError"], tuple[ErrorCode, str]]:
        """Two arguments, where Exception would pickle one: it comes back from other processes."""
        return VpgError, (self.code, self.message)

    @property
    def sentence(self) -> str:
        """The message followed by its code, as logs and standard error carry it."""
        return f"{self.message} [error {self.code.value}]"

    @staticmethod
    def parse(sentence: str) -> "VpgError | None":
        """The error that :attr:`sentence` was made from; None for any other text."""
        match = _SENTENCE.fullmatch(sentence.strip())
        known = match is not None and int(match[2]) in set(ErrorCode)
        return VpgError(ErrorCode(int(match[2])), match[1]) if match and known else None


_SENTENCE = re.compile(r"(.*) \[error (\d+)\]")


def require(condition: bool, message: str, code: ErrorCode = ErrorCode.PARAMETER_INVALID) -> None:
    """Raise :class:`VpgError` with ``message`` unless ``condition`` holds."""
    if not condition:
        raise VpgError(code, message)


SEEDS = 2**32  # what NumPy's and PyBullet's generators take is below


def require_seed(seed: int) -> None:
    """Raise PARAMETER_INVALID unless every random generator that is used takes the seed."""
    require(0 <= seed < SEEDS, f"seed is {seed}; it must be >= 0 and < 2^32")


def require_setting(settings: object, name: str, fine: bool, allowed: str) -> None:
    """Raise PARAMETER_INVALID with a setting's value and what is allowed unless it is ``fine``."""
    require(fine, f"{name} is {getattr(settings, name)!r}; it must be {allowed}")
