"""motion_node with a gripper that a parameter names: what it cannot do, and when it goes silent."""

import time

import pytest
from action_msgs.msg import GoalStatus
from fixtures_controller import emulator
from test_nodes_motion import graph, grasp, scene

from vpg_ros.errors import ErrorCode
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


def test_the_tool_is_the_grippers_unless_its_length_is_given() -> None:
    required = dict.fromkeys(("robot_ip", "home", "keep_out")) | {"joint_limit": (6.28,) * 6}
    names = Parameters.__dataclass_fields__
    rest = {name: None for name, each in names.items() if each.default is each.default_factory}
    long = Parameters(**rest | required, gripper=GRIPPER, tool_length=0.18)
    own = Parameters(**rest | required, gripper=GRIPPER)
    assert own.kinematics.tool.position == (0.0, 0.0, 0.156)
    assert long.kinematics.tool.position == (0.0, 0.0, 0.18)
