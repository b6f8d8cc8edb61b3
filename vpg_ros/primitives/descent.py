"""The way down onto the table, which all fingers come in one way."""

from vpg_ros.geometry import Pose
from vpg_ros.motion import LinearMove

DESCENT_SPEED = 0.15  # m/s: what is met is pressed for the few millimetres of braking only
# m above its goal where the straight way down begins: joint moves, which nothing guards, go there
# and home from there, over what stands on the table.
APPROACH_HEIGHT = 0.12
CONTACT_FORCE = 30.0  # N at which a descent has met something
LIFT_OFF = 0.004  # m that fingers rise off that: it gives under the force, and would hold them


def descent_to(goal: Pose, back_off: float = LIFT_OFF) -> LinearMove:
    """What lies there ends it early; the fingers then rise ``back_off`` m off that."""
    return LinearMove(
        "descend", goal, DESCENT_SPEED, force_limit=CONTACT_FORCE, guarded=True, back_off=back_off
    )
