"""Primitives: where they are admissible, and the motions they make."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vpg_ros import primitives
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import (
    GripperMove,
    JointMove,
    LinearMove,
    Motion,
    Outcome,
    RiseMove,
    VerifyGrasp,
)
from vpg_ros.primitives.push import PUSH_LENGTH, TIP_HEIGHT

Block = tuple[int, int, int, int, float]  # top row, left column, rows, columns, height in m


def table(*blocks: Block) -> Heightmap:
    """A table with blocks on it."""
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    for row, column, rows, columns, top in blocks:
        height[row : row + rows, column : column + columns] = top
    return Heightmap(np.zeros((*height.shape, 3), np.uint8), height, DEFAULT_WORKSPACE)


BLOCK = table((100, 100, 20, 20, 0.04))


def linear(motion: Motion, phase: str) -> LinearMove:
    """The straight move called ``phase``."""
    (step,) = (s for s in motion.steps if isinstance(s, LinearMove) and s.phase == phase)
    return step


def test_names_and_rotations() -> None:
    assert primitives.DEFAULT_REPERTOIRE == ("grasp", "push")
    assert primitives.get("grasp").rotations == 8
    assert primitives.get("push").rotations == 16
    with pytest.raises(VpgError, match=r"grasp, .*push") as error:
        primitives.get("throw")
    assert error.value.code is ErrorCode.UNKNOWN_PRIMITIVE


def test_masks_have_the_heightmaps_shape() -> None:
    for name in primitives.names():
        primitive = primitives.get(name)
        mask = primitive.admissible(BLOCK)
        assert mask.shape == (primitive.rotations, 224, 224)
        assert mask.dtype == np.bool_
        assert not primitive.admissible(table()).any()


def test_grasps_are_admissible_exactly_on_objects() -> None:
    mask = primitives.get("grasp").admissible(BLOCK)
    assert (mask == BLOCK.occupied).all()


def test_pushes_start_where_an_object_lies_ahead() -> None:
    mask = primitives.get("push").admissible(BLOCK)
    left, above = (110, 80), (80, 110)  # 4 cm beside and 4 cm before the block's middle
    assert mask[(0, *left)]
    assert not mask[(8, *left)]
    assert not mask[(4, *left)]
    assert mask[(4, *above)]
    assert not mask[(12, *above)]
    assert not mask[:, 110, 40].any()  # 12 cm away: out of reach
    assert not mask[:, 110, 110].any()  # on top of the block itself: nothing taller is ahead


def test_a_push_needs_room_for_the_closed_fingers() -> None:
    beside = primitives.get("push").admissible(BLOCK)[0, 110]
    assert not beside[96:100].any()  # less than the footprint from the block's face
    assert beside[93]


@settings(max_examples=30, deadline=None)
@given(rotation=st.integers(0, 15), row=st.integers(20, 200), column=st.integers(20, 200))
def test_a_push_sweeps_along_its_angle_inside_the_workspace(
    rotation: int, row: int, column: int
) -> None:
    push = primitives.get("push")
    action = push.action(row, column, rotation, BLOCK)
    motion = push.motion(action, BLOCK)
    start, end = linear(motion, "descend").pose, linear(motion, "push").pose
    way = np.subtract(end.position, start.position)
    assert way[2] == pytest.approx(0)
    assert np.hypot(*way[:2]) <= PUSH_LENGTH + 1e-9
    assert DEFAULT_WORKSPACE.contains(*end.position[:2])
    if np.hypot(*way[:2]) > 1e-6:
        assert (
            np.arctan2(way[1], way[0]) % (2 * np.pi)
            == pytest.approx(rotation * np.pi / 8, abs=1e-6)
            or rotation == 0
        )
    far = 60 <= row <= 160 and 60 <= column <= 160
    assert not far or np.hypot(*way[:2]) == pytest.approx(PUSH_LENGTH)


@settings(max_examples=30, deadline=None)
@given(rotation=st.integers(0, 7), row=st.integers(0, 223), column=st.integers(0, 223))
def test_a_grasp_closes_along_its_angle_pointing_down(rotation: int, row: int, column: int) -> None:
    action = primitives.get("grasp").action(row, column, rotation, BLOCK)
    matrix = Rotation.from_quat(action.pose.quaternion).as_matrix()
    assert matrix[:, 2] == pytest.approx([0, 0, -1], abs=1e-9)
    closing = np.arctan2(matrix[1, 0], matrix[0, 0])
    assert np.cos(2 * (closing - rotation * np.pi / 8)) == pytest.approx(1)
    assert action.pose.position[:2] == pytest.approx(DEFAULT_WORKSPACE.to_metres(row, column))


@pytest.mark.parametrize("height", [0.012, 0.02, 0.04, 0.10])
def test_fingers_go_below_the_top_but_never_into_the_table(height: float) -> None:
    heightmap = table((100, 100, 20, 20, height))
    z = primitives.get("grasp").action(110, 110, 0, heightmap).pose.position[2]
    assert 0.002 <= z < height
    assert z == pytest.approx(max(height - 0.03, 0.004), abs=2e-3)


def test_a_push_starts_above_what_lies_under_it() -> None:
    heightmap = table((100, 100, 20, 20, 0.03), (100, 120, 20, 20, 0.06))
    on_top = primitives.get("push").action(110, 106, 0, heightmap)
    assert on_top.pose.position[2] == pytest.approx(0.03 + TIP_HEIGHT)


def test_a_grasp_opens_verifies_and_always_comes_home() -> None:
    grasp = primitives.get("grasp")
    motion = grasp.motion(grasp.action(110, 110, 2, BLOCK), BLOCK)
    kinds = [type(step) for step in motion.steps]
    assert kinds[0] is GripperMove
    assert kinds.count(VerifyGrasp) == 2
    assert linear(motion, "descend").guarded
    assert isinstance(motion.steps[4], RiseMove)  # which meets something without an end
    assert not linear(motion, "lift").guarded
    assert isinstance(motion.steps[1], JointMove)
    assert [step.phase for step in motion.retreat] == ["release", "rise", "home"]
    above, at = motion.steps[1].pose.position, linear(motion, "descend").pose.position
    assert above[:2] == at[:2]
    assert above[2] > at[2]


ADMITTING = {  # a table for every primitive that BLOCK does not admit
    "roll": table((100, 100, 12, 12, 0.024)),
    "lever": table((90, 110, 50, 50, 0.014), (85, 161, 60, 28, 0.05)),
    "topple": table((90, 110, 50, 50, 0.14)),
    "stack": table((100, 100, 20, 20, 0.04), (100, 160, 20, 20, 0.05)),
}


@pytest.mark.parametrize("name", primitives.names())
def test_joint_moves_stay_above_what_stands_on_a_table(name: str) -> None:
    """Nothing guards them, and what stands beside the goal may be as tall as a tall box."""
    primitive, heightmap = primitives.get(name), ADMITTING.get(name, BLOCK)
    rotation, row, column = (int(each) for each in np.argwhere(primitive.admissible(heightmap))[0])
    motion = primitive.motion(primitive.action(row, column, rotation, heightmap), heightmap)
    (approach,) = (step for step in motion.steps if step.phase == "approach")
    assert isinstance(approach, JointMove)
    (rise,) = (step for step in motion.retreat if step.phase == "rise")
    assert isinstance(rise, RiseMove)
    assert min(approach.pose.position[2], rise.height) >= 0.12


def says_it_worked(name: str, place: tuple[int, int], *tables: Heightmap) -> bool:
    """Whether a primitive at rotation 0, admissible before, takes the tables for its success."""
    primitive, (before, after) = primitives.get(name), tables
    assert primitive.admissible(before)[(0, *place)]
    action = primitive.action(*place, 0, before)
    return primitive.worked(action, Outcome(True), before, after)


TALL, LYING, BESIDE = (90, 110, 50, 50, 0.14), (90, 160, 50, 70, 0.10), (65, 200, 16, 16, 0.14)
LOW = (100, 200, 20, 20, 0.04)


@pytest.mark.parametrize(
    ("before", "after", "worked"),
    [
        ((TALL,), (LYING,), True),
        ((TALL, LOW), (LOW,), False),  # it has left the table
        ((TALL, BESIDE), (LYING, BESIDE), True),
        ((TALL, BESIDE), (BESIDE,), False),
        ((TALL,), ((90, 130, 50, 50, 0.14),), False),  # it slid
    ],
)
def test_what_was_toppled_lies_there(
    before: tuple[Block, ...], after: tuple[Block, ...], worked: bool
) -> None:
    assert says_it_worked("topple", (115, 100), table(*before), table(*after)) is worked


def test_a_row_that_lost_its_outer_tile_was_not_squeezed() -> None:
    row = [(90, 90 + 8 * i, 45, 5, 0.09) for i in range(6)]
    together = [(90, 95 + 6 * i, 45, 5, 0.09) for i in range(6)]
    assert says_it_worked("squeeze", (112, 112), table(*row), table(*together))
    assert not says_it_worked("squeeze", (112, 112), table(*row), table(*row[:-1]))


BALL, BOX = (10, 10, 12, 12, 0.024), (70, 40, 30, 30, 0.05)


@pytest.mark.parametrize(
    ("place", "worked"),
    [
        ((40, 40), True),
        ((14, 48), True),  # room between the wall and the fingers
        ((10, 48), False),  # along the wall
        ((48, 10), False),
        ((56, 48), False),  # to the box
        ((58, 48), False),  # against it
        ((10, 10), False),
    ],
)
def test_what_was_rolled_lies_where_a_gripper_has_room(
    place: tuple[int, int], worked: bool
) -> None:
    rotation = round(np.arctan2(place[0] - 10, place[1] - 10) / (np.pi / 8))
    before, after = table(BALL, BOX), table((*place, *BALL[2:]), BOX)
    roll = primitives.get("roll")
    action = roll.action(16, 16, rotation, before)
    assert roll.worked(action, Outcome(True), before, after) is worked


@pytest.mark.parametrize("beyond", [0.0, 0.16])
def test_a_card_stands_up_against_what_is_lower_than_it(beyond: float) -> None:
    """Fingers then grasp its upper edge; what stands beyond does not count."""
    wall = (85, 203, 60, 10, beyond)
    lying = table((90, 110, 50, 50, 0.014), (85, 161, 60, 20, 0.05), wall)
    standing = table((90, 153, 50, 7, 0.10), (85, 161, 60, 20, 0.05), wall)
    assert says_it_worked("lever", (115, 100), lying, standing)
    assert not says_it_worked("lever", (115, 100), lying, lying)
    as_tall = table((90, 110, 50, 50, 0.014), (85, 161, 60, 20, 0.08))
    assert not primitives.get("lever").admissible(as_tall)[0].any()


def test_unseen_ground_is_neither_grasped_nor_pushed_at() -> None:
    height = BLOCK.height.copy()
    height[:, 90:] = np.nan
    blind = Heightmap(BLOCK.colour, height, DEFAULT_WORKSPACE)
    for name in primitives.names():
        assert not primitives.get(name).admissible(blind).any()
