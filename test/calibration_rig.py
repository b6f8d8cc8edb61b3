"""An arm that carries a board or a camera, and the pictures that such a camera would take."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from vpg_ros.devices.board import Board, camera_matrix
from vpg_ros.devices.handeye import EYE_TO_HAND
from vpg_ros.devices.interfaces import ArmState, MoveEnd, MoveResult
from vpg_ros.devices.kinematics import UR5, Kinematics
from vpg_ros.frame import Frame, Intrinsics
from vpg_ros.geometry import Pose

CAMERA = Intrinsics(640, 480, 618.62, 618.62, 319.5, 239.5)
_FINER = 2  # pictures are made this much larger and shrunk, as a sensor's pixels have an area
_PIXELS = 100  # of the board's print, per square


@dataclass
class Rig:
    """mounting, camera, board: the truth that a calibration should find (see ``HandEye``).

    pixel_noise: grey levels. pose_noise: m and rad by which the arm's reports are off (a UR5 comes
    back to within 0.1 mm). lengths: of this very arm, where they differ from the maker's.
    """

    mounting: str
    camera: Pose
    board: Pose
    joints: np.ndarray
    rng: np.random.Generator
    pattern: Board = field(default_factory=Board)
    kinematics: Kinematics = UR5
    pixel_noise: float = 4.0
    pose_noise: tuple[float, float] = (0.00005, np.radians(0.01))
    lengths: Kinematics | None = None
    moves: int = 0
    lit: bool = True

    @property
    def tool(self) -> Pose:
        """Where it really is."""
        return (self.lengths or self.kinematics).forward(self.joints)

    def state(self) -> ArmState:
        metres, radians = self.pose_noise
        noise = np.concatenate([self.rng.normal(0, metres, 3), self.rng.normal(0, radians, 3)])
        tool = self.tool @ Pose.from_rotvec(noise)
        return ArmState(self.joints, np.zeros(6), tool, 0.0, float(self.moves))

    def move_to(self, pose: Pose, speed: float, acceleration: float) -> MoveResult:
        self.joints = self.kinematics.inverse(pose, self.joints)
        self.moves += 1
        return MoveResult(MoveEnd.REACHED, pose, 0.0)

    def move_joints(self, joints: np.ndarray, speed: float, acceleration: float) -> MoveResult:
        self.joints = joints
        self.moves += 1
        return MoveResult(MoveEnd.REACHED, self.tool, 0.0)

    def read(self) -> Frame:
        tool = self.tool
        known = tool if self.mounting == EYE_TO_HAND else tool.inverse()
        seen = self.camera.inverse() @ known @ self.board
        grey = picture(self.pattern, seen) if self.lit else np.zeros((480, 640))
        noisy = np.clip(grey + self.rng.normal(0, self.pixel_noise, grey.shape), 0, 255)
        colour = np.repeat(noisy.astype(np.uint8)[..., None], 3, axis=2)
        depth = np.full(grey.shape, np.nan, np.float32)
        return Frame(colour, depth, CAMERA, Pose((0.0, 0.0, 0.0)), float(self.moves))


def picture(board: Board, pose: Pose) -> np.ndarray:
    """What the camera sees of a board at ``pose`` of its optical frame: grey, blurred by a lens."""
    print_ = board.picture(_PIXELS)
    metres = board.square / _PIXELS
    to_metres = np.array([[metres, 0, metres / 2], [0, metres, metres / 2], [0, 0, 1.0]])
    matrix = pose.matrix
    plane = np.column_stack([matrix[:3, 0], matrix[:3, 1], matrix[:3, 3]])
    edge = (_FINER - 1) / 2
    finer = np.array([[_FINER, 0, edge], [0, _FINER, edge], [0, 0, 1.0]])
    homography = finer @ camera_matrix(CAMERA) @ plane @ to_metres
    size = (CAMERA.width * _FINER, CAMERA.height * _FINER)
    large = cv2.warpPerspective(print_, homography, size, borderValue=110)
    small = cv2.resize(large, (CAMERA.width, CAMERA.height), interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(small, (0, 0), 0.8).astype(float)
