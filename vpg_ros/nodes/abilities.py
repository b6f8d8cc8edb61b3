"""What a gripper cannot do: where the repertoire and the gripper at the arm meet."""

from collections.abc import Iterable

from vpg_ros import primitives
from vpg_ros.devices import grippers
from vpg_ros.errors import ErrorCode, require


def check_abilities(
    gripper: str,
    names: Iterable[str],
    code: ErrorCode = ErrorCode.PARAMETER_INVALID,
    widest: float | None = None,
) -> None:
    """Raise ``code`` for the first of the primitives that the gripper cannot carry out.

    widest: m that it may open in this cell, if that is less than its stroke.
    """
    data = grippers.get(gripper).data
    opens = data.stroke if widest is None else min(widest, data.stroke)
    for name in names:
        primitive = primitives.get(name)
        hint = f"choose other primitives than {name}, or another gripper"
        require(
            opens >= primitive.opening,
            f"{name} needs a gripper that opens {primitive.opening * 1000:.0f} mm; {gripper} "
            f"opens {opens * 1000:.0f} mm: {hint}",
            code,
        )
        require(
            data.graded or not primitive.graded,
            f"{name} needs a gripper that stays half open; {gripper} is open or closed: {hint}",
            code,
        )
