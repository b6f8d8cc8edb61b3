"""What makes the controller tick: the world at the other end of the link, or itself."""

import asyncio
import time

from vpg_ros.sim.controller.controller import Controller
from vpg_ros.sim.controller.ideal import IdealRobot
from vpg_ros.sim.controller.link import CYCLE, ControllerEnd, RobotState

_HEARTBEAT = 0.1  # s of wall time
# A process that was suspended for longer than this does not catch up, s.
_MOST_BEHIND = 1.0


async def run_linked(controller: Controller, link: ControllerEnd, state: RobotState) -> None:
    """Answer the world's states, ``state`` being the first, until it closes the link.

    Clients guard forces over the network, on the wall clock. So once a move has met something every
    answer is held back until a cycle of real time has passed: whatever the time scale, a guard then
    acts within the distance that it would on a robot.
    """
    newest: RobotState | None = state
    answered = 0.0
    heartbeat = asyncio.create_task(_keep_talking(controller))
    while newest is not None:
        command = controller.cycle(newest)
        if controller.robot.meeting:
            await asyncio.sleep(max(answered + CYCLE - time.monotonic(), 0.0))
        answered = time.monotonic()
        link.send(command)
        newest = await link.receive()
    heartbeat.cancel()


async def _keep_talking(controller: Controller) -> None:
    """While the world rests the clock does too, but clients must not take that for a dead line."""
    while True:
        before = controller.robot.state.time
        await asyncio.sleep(_HEARTBEAT)
        if controller.robot.state.time == before:
            controller.rtde.publish(at_once=True)


async def run_alone(controller: Controller, robot: IdealRobot, time_scale: float) -> None:
    """Tick ``time_scale`` times as fast as real time (0: as fast as possible), for ever."""
    began, ticks = time.monotonic(), 0
    while True:
        robot.obey(controller.cycle(robot.state))
        ticks += 1
        ahead = began + ticks * CYCLE / time_scale - time.monotonic() if time_scale else 0.0
        if ahead < -_MOST_BEHIND:
            began, ticks = time.monotonic(), 0
        if ahead >= 0.001 or ticks % 4 == 0:
            await asyncio.sleep(max(ahead, 0.0))
