"""A world small enough for a test: a robot that follows at once, and a soft floor.

Run as a program it starts the emulator as a child, linked to it: one of the two must be another
process than the client, and the world's end of the link is tested with it.
"""

import argparse
import subprocess
import sys
import time

import numpy as np

from vpg_ros.devices.kinematics import HOME_JOINTS, UR5
from vpg_ros.sim.controller.link import CYCLE, RobotCommand, RobotState, WorldEnd

STIFFNESS = 5000.0  # N/m of the floor


def measured(
    time_: float, before: RobotState, command: RobotCommand, floor: float, friction: float
) -> RobotState:
    """The state at the end of a cycle in which the robot did as it was told."""
    tool = np.array(UR5.forward(command.joints).position)
    way = (tool - np.array(UR5.forward(before.joints).position))[:2]
    pressure = max(floor - tool[2], 0.0) * STIFFNESS
    drag = -friction * pressure * way / max(float(np.linalg.norm(way)), 1e-9)
    wrench = np.array([*drag, pressure, 0.0, 0.0, 0.0])
    velocities = (command.joints - before.joints) / CYCLE
    return RobotState(time_, command.joints, velocities, wrench, command.gripper_width)


def main() -> None:
    """Run the world until the emulator or the test ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--floor", type=float, default=0.0)
    parser.add_argument("--time-scale", type=float, default=1.0)
    parser.add_argument("--friction", type=float, default=0.0)
    parser.add_argument("--bias", type=float, default=0.0)
    parser.add_argument("--tremble", type=float, default=0.0, help="rad/s while the floor is met")
    options, rest = parser.parse_known_args()
    world, other = WorldEnd.create()
    command = [sys.executable, "-m", "vpg_ros.sim.controller", "--link-fd", str(other.fileno())]
    subprocess.Popen([*command, *rest], pass_fds=(other.fileno(),))
    other.close()
    state = RobotState(0.0, HOME_JOINTS, np.zeros(6), np.zeros(6), 0.11)
    bias = np.array([0.0, options.bias, 0.0, 0.0, 0.0, 0.0])
    began, cycle = 0.0, 0
    while True:
        answer = world.exchange(state, timeout=60.0)
        began = began or time.monotonic()
        cycle += 1
        state = measured(cycle * CYCLE, state, answer, options.floor, options.friction)
        state.velocities[1] += options.tremble * (state.wrench[2] > 0.0) * (-1) ** cycle
        state.wrench[:] += bias
        time.sleep(max(0.0, began + cycle * CYCLE / options.time_scale - time.monotonic()))


if __name__ == "__main__":
    main()
