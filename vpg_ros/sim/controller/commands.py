"""The commands of ur_rtde's control script, by number: what each does to the robot.

Arguments come in the input registers that the client's recipe names; results go into the output
registers before the command counts as done.
"""

from collections.abc import Callable

import numpy as np

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import FloatArray, Pose
from vpg_ros.sim.controller.link import CYCLE
from vpg_ros.sim.controller.motion_control import Plan
from vpg_ros.sim.controller.program import Program, Wait
from vpg_ros.sim.controller.script import Waypoint
from vpg_ros.sim.controller.trajectory import (
    JointSpeed,
    JointTrajectory,
    LinearTrajectory,
    Servo,
    ToolSpeed,
)

_STEADY = 0.005  # rad/s


# -- moves: double registers 0-5 goal, 6 speed, 7 acceleration; integer register 1 asynchronous ----


def _move(program: Program, plan: Callable[[FloatArray, float, float], Plan]) -> Wait:
    values = program.doubles(8)
    chosen = plan(values[:6], float(values[6]), float(values[7]))
    return _start(program, [chosen])


def _start(program: Program, plans: list[Plan]) -> Wait:
    motion = program.robot.motion
    if program.integer(1) == 1:
        return program.in_background(lambda: motion.start(plans))
    motion.start(plans)
    return program.until_still()


def _joint_plan(goal: FloatArray, speed: float, acceleration: float) -> Plan:
    return lambda start: JointTrajectory(start, goal, speed, acceleration)


def _line_plan(program: Program, goal: Pose, speed: float, acceleration: float) -> Plan:
    kinematics = program.robot.kinematics
    return lambda start: LinearTrajectory(kinematics, start, goal, speed, acceleration)


def _move_joints(program: Program) -> Wait:
    return _move(program, _joint_plan)


def _move_joints_to_pose(program: Program) -> Wait:
    return _move(
        program, lambda pose, v, a: _joint_plan(_inverse(program, pose, _joints(program)), v, a)
    )


def _move_line(program: Program) -> Wait:
    return _move(program, lambda pose, v, a: _line_plan(program, Pose.from_rotvec(pose), v, a))


def _move_line_to_joints(program: Program) -> Wait:
    forward = program.robot.kinematics.forward
    return _move(program, lambda joints, v, a: _line_plan(program, forward(joints), v, a))


def _move_path(program: Program) -> Wait:
    path = program.script.path if program.script else ()
    return _start(program, [_waypoint_plan(program, point) for point in path])


def _waypoint_plan(program: Program, point: Waypoint) -> Plan:
    goal = np.array(point.values)
    if not point.linear:
        joints = _inverse(program, goal, _joints(program)) if point.pose else goal
        return _joint_plan(joints, point.speed, point.acceleration)
    pose = Pose.from_rotvec(goal) if point.pose else program.robot.kinematics.forward(goal)
    return _line_plan(program, pose, point.speed, point.acceleration)


# -- stops: double register 0 deceleration; integer register 1 asynchronous ------------------------


def _stop_tool(program: Program) -> Wait:
    robot, deceleration = program.robot, float(program.doubles(1)[0])
    return _stop(program, lambda: robot.motion.stop_tool(deceleration, robot.kinematics, CYCLE))


def _stop_joints(program: Program) -> Wait:
    deceleration = float(program.doubles(1)[0])
    return _stop(program, lambda: program.robot.motion.stop_joints(deceleration))


def _stop(program: Program, stop: Callable[[], None]) -> Wait:
    if program.integer(1) == 1:
        return program.in_background(stop)
    stop()
    return program.until_still()


def _end_of_speeding(program: Program) -> Wait:
    program.robot.motion.stop_joints(float(program.doubles(1)[0]))
    return program.until_still()


# -- real-time commands, run every cycle -----------------------------------------------------------


def _speed_joints(program: Program) -> Wait:
    motion = program.robot.motion
    speed = motion.current
    if not isinstance(speed, JointSpeed):
        speed = JointSpeed(motion.joints)
        motion.follow(speed)
    speed.target, speed.acceleration = program.doubles(6), float(program.doubles(1, 6)[0])
    return None


def _speed_tool(program: Program) -> Wait:
    motion = program.robot.motion
    speed = motion.current
    if not isinstance(speed, ToolSpeed):
        speed = ToolSpeed(program.robot.kinematics, motion.joints)
        motion.follow(speed)
    speed.target, speed.acceleration = program.doubles(6), float(program.doubles(1, 6)[0])
    return None


def _servo_joints(program: Program) -> Wait:
    return _servo(program, program.doubles(6))


def _servo_tool(program: Program) -> Wait:
    return _servo(program, _inverse(program, program.doubles(6), _joints(program)))


def _servo(program: Program, target: FloatArray) -> Wait:
    motion = program.robot.motion
    servo = motion.current
    if not isinstance(servo, Servo):
        servo = Servo(motion.joints)
        motion.follow(servo)
    servo.target, servo.lookahead = target, float(program.doubles(1, 9)[0])
    return None


def _step_time(program: Program) -> Wait:
    program.answer([CYCLE])
    return None


# -- settings --------------------------------------------------------------------------------------


def _set_payload(program: Program) -> Wait:
    mass, *cog = program.doubles(4)
    program.robot.payload, program.robot.payload_cog = float(mass), tuple(map(float, cog))
    return None


def _set_tool(program: Program) -> Wait:
    program.robot.mount(Pose.from_rotvec(program.doubles(6)))
    return None


def _protective_stop(program: Program) -> Wait:
    program.robot.protective_stop()
    return None


def _watchdog(program: Program) -> Wait:
    frequency = float(program.doubles(1)[0])
    program.watchdog = 1.0 / frequency if frequency > 0 else 0.0
    return None


# -- questions -------------------------------------------------------------------------------------


def _joints(program: Program) -> FloatArray:
    return program.robot.motion.joints


def _inverse(program: Program, pose: FloatArray, near: FloatArray) -> FloatArray:
    solutions = program.robot.kinematics.solutions(Pose.from_rotvec(pose), near)
    if not solutions:
        raise VpgError(ErrorCode.POSE_UNREACHABLE, "get_inverse_kin found no solution")
    return solutions[0]


def _inverse_kinematics(program: Program) -> Wait:
    program.answer(_inverse(program, program.doubles(6), _joints(program)))
    return None


def _inverse_kinematics_near(program: Program) -> Wait:
    program.answer(_inverse(program, program.doubles(6), program.doubles(6, 6)))
    return None


def _has_inverse_kinematics(program: Program) -> Wait:
    pose = Pose.from_rotvec(program.doubles(6))
    program.answer_integer(bool(program.robot.kinematics.solutions(pose, _joints(program))))
    return None


def _within_joint_limits(program: Program) -> Wait:
    limit = program.robot.kinematics.joint_limit
    program.answer_integer(bool((np.abs(program.doubles(6)) <= limit).all()))
    return None


def _transform(program: Program) -> Wait:
    first, second = Pose.from_rotvec(program.doubles(6)), Pose.from_rotvec(program.doubles(6, 6))
    program.answer((first @ second).rotvec)
    return None


def _tool_offset(program: Program) -> Wait:
    program.answer(program.robot.kinematics.tool.rotvec)
    return None


def _forward_kinematics(program: Program) -> Wait:
    robot = program.robot
    program.answer(robot.kinematics.forward(robot.state.joints).rotvec)
    return None


def _forward_kinematics_of(program: Program) -> Wait:
    # ur_rtde leaves the tool registers stale unless it is given a tool; so does the real script.
    tool = Pose.from_rotvec(program.doubles(6, 6))
    program.answer((program.robot.flange.forward(program.doubles(6)) @ tool).rotvec)
    return None


def _flange_pose(program: Program) -> Wait:
    robot = program.robot
    program.answer(robot.flange.forward(robot.state.joints).rotvec)
    return None


def _is_steady(program: Program) -> Wait:
    robot = program.robot
    still = float(np.abs(robot.state.velocities).max()) < _STEADY
    program.answer_integer(still and not robot.motion.moving)
    return None


COMMANDS: dict[int, Callable[[Program], Wait]] = {
    1: _move_joints,
    2: _move_joints_to_pose,
    3: _move_line,
    4: _move_line_to_joints,
    9: _speed_joints,
    10: _speed_tool,
    11: _servo_joints,
    15: _end_of_speeding,
    16: _end_of_speeding,
    17: _set_payload,
    24: _servo_tool,
    26: _step_time,
    29: _set_tool,
    30: _inverse_kinematics_near,
    31: _protective_stop,
    33: _stop_tool,
    34: _stop_joints,
    35: _watchdog,
    36: _has_inverse_kinematics,
    37: _within_joint_limits,
    39: _transform,
    40: _tool_offset,
    43: _forward_kinematics,
    44: _forward_kinematics_of,
    45: _move_path,
    46: _inverse_kinematics,
    47: _is_steady,
    58: _flange_pose,
    60: _has_inverse_kinematics,
    61: _has_inverse_kinematics,
}
