"""Forward and analytic inverse kinematics of the Universal Robots arms.

Denavit-Hartenberg parameters as published by the maker ("DH parameters for calculations of
kinematics and dynamics"). The controller's own forward kinematics is not used: the client library
packs its request wrongly and returns the pose of a stale tool.
"""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

import numpy as np
from eaik.IK_DH import DhRobot

from vpg_ros.devices.gripper_data import RG2
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import FloatArray, Pose, point_text

# Of all models, from base to tool, as in the manufacturer's description.
JOINT_NAMES = (
    "shoulder_pan_joint",
    "shoulder_lift_joint",
    "elbow_joint",
    "wrist_1_joint",
    "wrist_2_joint",
    "wrist_3_joint",
)

# What the maker allows (URScript manual); a cell's own limits are stricter.
MAX_JOINT_SPEED, MAX_JOINT_ACCELERATION = 3.14, 40.0  # rad/s, rad/s²
MAX_TOOL_SPEED, MAX_TOOL_ACCELERATION = 3.0, 150.0  # m/s, m/s²
MAX_PAYLOAD = 20.0  # kg, of the largest model
_ALPHA = np.array([np.pi / 2, 0.0, 0.0, np.pi / 2, -np.pi / 2, 0.0])
_TURN = 2 * np.pi
# EAIK answers an unreachable pose with a nearest fit; a true solution is exact to rounding.
_EXACT = 1e-6
# How much space a joint's turning sweeps: the shoulder should move less than the wrist.
_SWEEP = np.array([4.0, 3.0, 3.0, 1.5, 2.0, 1.0])
# Below |sin| of this the wrist axes are parallel, or the arm is stretched, and small tool motions
# need fast joints; likewise where the wrist is no further than this (m) from where it touches the
# cylinder around the base's axis that it cannot enter.
_SINGULARITY, _SHOULDER_SINGULARITY = 0.02, 0.05


@dataclass(frozen=True)
class Kinematics:
    """Kinematics of one arm model with a tool fixed to its flange.

    name: arm model. a, d: DH lengths, m. tool: tool centre point in the ``tool0`` frame.
    joint_limit: largest |angle| of each joint, 6, rad.
    """

    name: str
    a: tuple[float, ...]
    d: tuple[float, ...]
    tool: Pose = field(default_factory=lambda: Pose((0.0, 0.0, 0.0)))
    joint_limit: tuple[float, ...] = (_TURN,) * 6

    @cached_property
    def _robot(self) -> DhRobot:
        return DhRobot(_ALPHA, np.array(self.a), np.array(self.d))

    @cached_property
    def _tool_matrix(self) -> FloatArray:
        return self.tool.matrix

    @cached_property
    def _tool_inverse(self) -> FloatArray:
        return np.asarray(np.linalg.inv(self.tool.matrix), dtype=np.float64)

    @cached_property
    def reach(self) -> FloatArray:
        """How far the tool can be from each joint's axis, 6, m: 1 rad moves nothing further."""
        lengths = np.hypot(self.a, self.d)
        lengths[0] = 0.0  # along its own axis
        beyond = np.cumsum(lengths[::-1])[::-1] + np.linalg.norm(self.tool.position)
        return np.asarray(beyond, dtype=np.float64)

    def links(self, joints: FloatArray) -> list[FloatArray]:
        """4×4 frames of the six links and of the tool, base frame, from shoulder to tool."""
        frames, frame = [], np.eye(4)
        for q, alpha, a, d in zip(joints, _ALPHA, self.a, self.d, strict=True):
            frame = frame @ _dh_matrix(float(q), float(alpha), a, d)
            frames.append(frame)
        return [*frames, frame @ self._tool_matrix]

    def frames(self, joints: FloatArray) -> FloatArray:
        """4×4 frames of the six links and of the tool at N configurations (N×6): 7×N×4×4."""
        steps = zip(joints.T, _ALPHA, self.a, self.d, strict=True)
        frames = list(
            accumulate((_dh_matrices(q, float(alpha), a, d) for q, alpha, a, d in steps), np.matmul)
        )
        return np.stack([*frames, frames[-1] @ self._tool_matrix])

    def tools(self, joints: FloatArray) -> FloatArray:
        """4×4 frames of the tool at N configurations (N×6), base frame: N×4×4."""
        return np.asarray(self.frames(joints)[-1], dtype=np.float64)

    def forward(self, joints: FloatArray) -> Pose:
        """Tool pose in the base frame at six joint angles (rad)."""
        return Pose.from_matrix(self.links(np.asarray(joints, dtype=float))[-1])

    def solutions(self, pose: Pose, near: FloatArray) -> list[FloatArray]:
        """All joint angles (rad) that reach ``pose``, the nearest to ``near`` first.

        Those beyond the joints' limits come after all others.
        """
        answer = self._robot.IK(pose.matrix @ self._tool_inverse)
        exact = [q for q, fitted in zip(answer.Q, answer.is_LS, strict=True) if not fitted]
        if not exact:
            return []
        turned = self._turned(np.array(exact, dtype=float), near)
        sweeps = (_SWEEP * np.abs(turned - near)).max(axis=1)
        beyond = (np.abs(turned) > self.joint_limit).any(axis=1)
        return list(turned[np.lexsort((sweeps, beyond))])

    def inverse(self, pose: Pose, near: FloatArray) -> FloatArray:
        """Joint angles (rad) that reach ``pose``: elbow up, off singularities, nearest ``near``.

        Raises POSE_UNREACHABLE, naming the pose, when there are none.
        """
        target = pose.matrix
        for joints in self.solutions(pose, near):
            frames = self.links(joints)
            exact = np.abs(frames[-1] - target).max() < _EXACT
            if exact and self._is_comfortable(joints, frames):
                return joints
        raise VpgError(
            ErrorCode.POSE_UNREACHABLE,
            f"the {self.name} cannot reach {point_text(pose.position)} m with this orientation; "
            f"its reach is {-self.a[1] - self.a[2]:.2f} m from the shoulder",
        )

    def _is_comfortable(self, joints: FloatArray, frames: list[FloatArray]) -> bool:
        """Whether the elbow is above the line from shoulder to wrist, and nothing is singular."""
        shoulder, elbow, wrist = frames[0][2, 3], frames[1][2, 3], frames[2][2, 3]
        elbow_up = elbow > (shoulder + wrist) / 2
        apart = np.hypot(*frames[4][:2, 3]) > np.hypot(self.d[3], _SHOULDER_SINGULARITY)
        return bool(elbow_up and apart and (np.abs(np.sin(joints[[2, 4]])) > _SINGULARITY).all())

    def _turned(self, joints: FloatArray, near: FloatArray) -> FloatArray:
        """The same poses (N×6) turned by whole turns to within limits, close to near."""
        turned = joints + _TURN * np.round((near - joints) / _TURN)
        over = np.abs(turned) > self.joint_limit
        return np.where(over, turned - np.sign(turned) * _TURN, turned)


def _dh_matrix(q: float, alpha: float, a: float, d: float) -> FloatArray:
    """Standard DH transform: Rz(q) · Tz(d) · Tx(a) · Rx(alpha)."""
    cq, sq, ca, sa = np.cos(q), np.sin(q), np.cos(alpha), np.sin(alpha)
    return np.array(
        [
            [cq, -sq * ca, sq * sa, a * cq],
            [sq, cq * ca, -cq * sa, a * sq],
            [0.0, sa, ca, d],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )


def _dh_matrices(q: FloatArray, alpha: float, a: float, d: float) -> FloatArray:
    """The same for N angles at once, N×4×4."""
    zero, one = np.zeros(len(q)), np.ones(len(q))
    cq, sq, ca, sa = np.cos(q), np.sin(q), np.cos(alpha), np.sin(alpha)
    entries = [
        *(cq, -sq * ca, sq * sa, a * cq),
        *(sq, cq * ca, -cq * sa, a * sq),
        *(zero, sa * one, ca * one, d * one),
        *(zero, zero, zero, one),
    ]
    return np.stack(entries, axis=1).reshape(-1, 4, 4)


_MODELS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "ur3": ((0, -0.24365, -0.21325, 0, 0, 0), (0.1519, 0, 0, 0.11235, 0.08535, 0.0819)),
    "ur5": ((0, -0.425, -0.39225, 0, 0, 0), (0.089159, 0, 0, 0.10915, 0.09465, 0.0823)),
    "ur10": ((0, -0.612, -0.5723, 0, 0, 0), (0.1273, 0, 0, 0.163941, 0.1157, 0.0922)),
    "ur3e": ((0, -0.24355, -0.2132, 0, 0, 0), (0.15185, 0, 0, 0.13105, 0.08535, 0.0921)),
    "ur5e": ((0, -0.425, -0.3922, 0, 0, 0), (0.1625, 0, 0, 0.1333, 0.0997, 0.0996)),
    "ur10e": ((0, -0.6127, -0.57155, 0, 0, 0), (0.1807, 0, 0, 0.17415, 0.11985, 0.11655)),
}
MODELS = tuple(_MODELS)


def kinematics(model: str, tool: Pose = RG2.tool) -> Kinematics:
    """Kinematics of the arm called ``model`` carrying ``tool``."""
    if model not in _MODELS:
        raise VpgError(
            ErrorCode.PARAMETER_INVALID,
            f"robot_model is {model!r}; allowed: {', '.join(MODELS)}",
        )
    a, d = _MODELS[model]
    return Kinematics(model, a, d, tool)


UR5 = kinematics("ur5")

# Tool above the bin beside the workspace, elbow up: nothing of the arm between camera and table.
HOME_JOINTS = np.radians([-63.2, -79.1, 68.0, -78.9, -90.0, 26.8])
