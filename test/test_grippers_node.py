"""motion_node with a gripper that a parameter names: what it cannot do, and when it goes silent."""

import time

import pytest
from action_msgs.msg import GoalStatus
from fixtures_controller import emulator, free_host
from test_nodes_motion import graph, grasp, scene

from vpg_ros import primitives
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.nodes.abilities import check_abilities
from vpg_ros.nodes.convert import outcome_from_msg
from vpg_ros.nodes.motion_parameters import Parameters

GRIPPER = "robotiq_hande"


def test_a_gripper_with_less_stroke_opens_as_far_as_it_can_and_comes_back_after_a_silence() -> None:
    options = ("--gripper", GRIPPER, "--time-scale", "4", "--object-width", "0.04")
    with (
        emulator(*options) as robot,
        graph(robot.host, gripper=GRIPPER, link_timeout=2.0) as client,
    ):
        answer = client.run(grasp(scene()))
        assert answer.status == GoalStatus.STATUS_SUCCEEDED
        outcome = outcome_from_msg(answer.result.outcome)
        assert outcome.success and outcome.gripper_width == pytest.approx(0.04, abs=1e-3)
        assert "open: gripper width 0.05 m instead of 0.085" in answer.result.error_msg

        robot.fault("gripper-mute")
        answer = client.run(grasp(scene()))
        assert answer.status == GoalStatus.STATUS_ABORTED
        assert answer.result.error_code == ErrorCode.GRIPPER_NO_ANSWER
        assert f"{robot.host}:63352" in answer.result.error_msg

        robot.fault("gripper-answer")
        back = time.monotonic()
        assert client.run(grasp(scene())).result.outcome.success
        assert time.monotonic() - back < 60.0


@pytest.mark.parametrize(
    ("gripper", "name", "needs"),
    [
        ("robotiq_2f85", "squeeze", "opens 110 mm; robotiq_2f85 opens 85 mm"),
        ("digital_output", "roll", "stays half open; digital_output is open or closed"),
    ],
)
def test_a_goal_that_the_gripper_cannot_carry_out_is_refused(
    gripper: str, name: str, needs: str
) -> None:
    action = primitives.get(name).action(112, 112, 0, scene())
    with graph(free_host(), dry_run=True, gripper=gripper) as client:
        answer = client.run(action)
        assert answer.result.error_code == ErrorCode.MOTION_REJECTED
        assert f"{name} needs a gripper that {needs}" in answer.result.error_msg
        assert "dry run" in client.run(grasp(scene())).result.error_msg


def test_what_the_cell_lets_the_gripper_open_counts_too() -> None:
    check_abilities("rg2", primitives.names())
    check_abilities("robotiq_hande", ("grasp", "push", "roll", "lever", "topple", "stack"))
    with pytest.raises(VpgError, match=r"squeeze needs .* 110 mm; rg2 opens 90 mm") as error:
        check_abilities("rg2", ("grasp", "squeeze"), widest=0.09)
    assert error.value.code is ErrorCode.PARAMETER_INVALID


def test_the_tool_is_the_grippers_unless_its_length_is_given() -> None:
    required = dict.fromkeys(("robot_ip", "home", "keep_out")) | {"joint_limit": (6.28,) * 6}
    names = Parameters.__dataclass_fields__
    rest = {name: None for name, each in names.items() if each.default is each.default_factory}
    long = Parameters(**rest | required, gripper=GRIPPER, tool_length=0.18)
    own = Parameters(**rest | required, gripper=GRIPPER)
    assert own.kinematics.tool.position == (0.0, 0.0, 0.156)
    assert long.kinematics.tool.position == (0.0, 0.0, 0.18)
