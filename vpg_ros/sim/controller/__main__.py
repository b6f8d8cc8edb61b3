"""``python -m vpg_ros.sim.controller``: the UR controller emulator as a process of its own.

It must be one: the client library connects without letting other Python threads of its process run.
"""

import argparse
import asyncio
import ipaddress
import logging
import os
import signal
import sys
from collections.abc import Sequence

from vpg_ros.devices import grippers
from vpg_ros.devices.kinematics import MODELS
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.orphans import die_with_parent
from vpg_ros.sim.controller.controller import Controller, Identity, open_port
from vpg_ros.sim.controller.faults import Faults
from vpg_ros.sim.controller.ideal import IdealRobot
from vpg_ros.sim.controller.link import ControllerEnd
from vpg_ros.sim.controller.run import run_alone, run_linked


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the link closes, the parent process dies or a signal comes; the exit status."""
    options = _parser().parse_args(arguments)
    level = logging.INFO if options.verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s controller: %(message)s")
    try:
        _check(options)
        die_with_parent(signal.SIGKILL, os.getppid())
        asyncio.run(_serve(options))
    except VpgError as error:
        print(error.message, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


async def _serve(options: argparse.Namespace) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _interrupt)
    identity = Identity(options.robot_model, _version(options.version), options.gripper)
    if options.link_fd is None:
        robot = IdealRobot(options.object_width, _stroke(options))
        controller = Controller(identity, robot.state)
        await _listen(controller, options)
        await run_alone(controller, robot, options.time_scale)
    else:
        link = await ControllerEnd.connect(options.link_fd)
        state = await link.receive()
        if state is not None:
            controller = Controller(identity, state)
            await _listen(controller, options)
            await run_linked(controller, link, state)


async def _listen(controller: Controller, options: argparse.Namespace) -> None:
    await controller.listen(options.host)
    if options.fault_port:
        await open_port(options.host, options.fault_port, Faults(controller).serve)
    print("READY", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vpg_ros.sim.controller",
        description="Emulates a Universal Robots controller with a gripper.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="loopback address to listen on")
    add("--version", default="5.11.0", help="PolyScope version, e.g. 5.11.0, or 3.15.0 for a CB3")
    add("--robot-model", default="ur5", choices=MODELS, help="arm model")
    add("--gripper", default="rg2", choices=grippers.NAMES, help="what the arm carries")
    add("--link-fd", type=int, help="socket to the simulated world; none: run alone")
    add("--time-scale", type=float, default=1.0, help="alone: times real time; 0: unlimited")
    add("--object-width", type=float, default=0.0, help="alone: m of what the gripper meets")
    add("--fault-port", type=int, default=0, help="port of the side channel for fault tests")
    add("--verbose", action="store_true", help="log programs and unknown commands")
    return parser


def _check(options: argparse.Namespace) -> None:
    require(
        _is_loopback(options.host), f"--host is {options.host!r}; allowed: 127.x.x.x (loopback)"
    )
    require(
        options.time_scale >= 0, f"--time-scale is {options.time_scale:g}; allowed: 0 and above"
    )
    require(
        0 <= options.object_width < _stroke(options),
        f"--object-width is {options.object_width:g} m; allowed: 0 … {_stroke(options):g} m",
    )
    _version(options.version)


def _stroke(options: argparse.Namespace) -> float:
    return grippers.get(options.gripper).data.stroke


def _version(text: str) -> tuple[int, int, int]:
    numbers = text.split(".")
    if not 2 <= len(numbers) <= 3 or not all(number.isdigit() for number in numbers):
        raise VpgError(
            ErrorCode.PARAMETER_INVALID,
            f"--version is {text!r}; allowed: a PolyScope version such as 5.11.0",
        )
    major, minor, bugfix = (*map(int, numbers), 0)[:3]
    return major, minor, bugfix


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def _interrupt() -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
