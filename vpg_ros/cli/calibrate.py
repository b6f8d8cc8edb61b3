"""``vpg calibrate``: find out where the camera is, by looking at a board from many poses.

Bring the board into the middle of the picture with the pendant, leave the robot in remote control
and let no other program use robot or camera.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vpg_ros.cli.main import status_of
from vpg_ros.devices.board import DICTIONARIES, Board
from vpg_ros.devices.handeye import EYE_IN_HAND, MOUNTINGS

if TYPE_CHECKING:
    from rich.console import Console

    from vpg_ros.devices.calibrate import Plan, Record
    from vpg_ros.devices.interfaces import Arm, Camera
    from vpg_ros.devices.safety import SafetyGate
    from vpg_ros.nodes.motion_parameters import Parameters
    from vpg_ros.nodes.realsense_parameters import RealSenseParameters

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "calibrate", help="find out where the camera is", description=__doc__
    )
    add = parser.add_argument
    add("--robot-ip", help="address of the robot's controller")
    add("--robot-model", help="arm (default: the parameter file's)")
    add("--gripper", help="gripper (default: the parameter file's)")
    add("--params", type=Path, help="parameter file of the cell")
    add("--serial", default="", help="of the RealSense (default: the parameter file's)")
    add(
        "--mounting",
        choices=MOUNTINGS,
        default=MOUNTINGS[0],
        help="eye_to_hand: the camera stands still, the board is on the tool; eye_in_hand: the "
        "other way round (default %(default)s)",
    )
    add("--output", type=Path, default=Path("calibration.yaml"), help="default %(default)s")
    add("--views", type=int, default=20, help="pictures to take (default %(default)s)")
    add("--max-residual", type=float, default=1.0, help="px; refuse above (default %(default)s)")
    add("--seed", type=int, default=0, help="of the poses (default %(default)s)")
    _add_board(parser)
    parser.set_defaults(run=run)


def _add_board(parser: argparse.ArgumentParser) -> None:
    add, board = parser.add_argument, Board()
    add("--columns", type=int, default=board.columns, help="squares (default %(default)s)")
    add("--rows", type=int, default=board.rows, help="squares (default %(default)s)")
    add("--square", type=float, default=board.square, help="side, m (default %(default)s)")
    add("--marker", type=float, default=board.marker, help="side, m (default %(default)s)")
    add("--dictionary", choices=tuple(DICTIONARIES), default=board.dictionary)
    add("--print-board", type=Path, metavar="PNG", help="write the board to print, and end")


def run(options: argparse.Namespace) -> int:
    """Calibrate with the devices that the options name; 0, or an error says what is wrong."""
    from vpg_ros.atomic import write_atomically
    from vpg_ros.devices.calibrate import Plan
    from vpg_ros.devices.reprojection import encoded
    from vpg_ros.errors import require
    from vpg_ros.nodes.realsense_parameters import of_connected

    board = Board(options.columns, options.rows, options.square, options.marker, options.dictionary)
    if options.print_board:
        write_atomically(options.print_board, encoded(board.picture()))
        width, height = board.size
        print(f"{options.print_board}: print it {width * 1000:g} × {height * 1000:g} mm")
        return 0
    plan = Plan(options.mounting, board, options.views, options.max_residual)
    require(options.seed >= 0, f"--seed is {options.seed}; allowed: at least 0")
    _require_output(options.output)
    require(bool(options.robot_ip), "--robot-ip is not given: the address of the controller")
    require(bool(options.params), "--params is not given: the parameter file of the cell")
    parameters, camera = _parameters(options), of_connected(options.params, options.serial)
    status = status_of(lambda: _with_devices(options, plan, parameters, camera))
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of the robot's client library would abort a process that ends in Python's own way.
    os._exit(status)


def _require_output(path: Path) -> None:
    """Raise unless calibration and picture can be written: views that cannot be kept are lost."""
    from vpg_ros.atomic import require_writable
    from vpg_ros.errors import require

    require_writable(path)
    picture = _picture(path)
    require(path != picture, f"--output is {path}; allowed: a name that does not end in .png")
    require_writable(picture)


def _picture(output: Path) -> Path:
    """What was seen and expected, beside the calibration."""
    return output.with_suffix(".png")


def _with_devices(
    options: argparse.Namespace,
    plan: "Plan",
    parameters: "Parameters",
    camera_parameters: "RealSenseParameters",
) -> int:
    """Connect, calibrate, and let go of the devices whatever happens."""
    from vpg_ros.devices.realsense import RealSense
    from vpg_ros.nodes.connect import connect_arm

    told = camera_parameters
    gate = parameters.gate
    arm = connect_arm(parameters)
    try:
        camera = RealSense(told.source, told.driver_settings, timeout=told.connect_timeout)
        try:
            calibrate(arm, camera, gate, plan, options.seed, options.output)
        finally:
            camera.close()
    finally:
        arm.disconnect()
    return 0


def _parameters(options: argparse.Namespace) -> "Parameters":
    """What motion_node would be told."""
    from vpg_ros.errors import require
    from vpg_ros.nodes.motion_parameters import Parameters
    from vpg_ros.nodes.parameter_file import load

    names = ("robot_ip", "robot_model", "gripper")
    given = {name: getattr(options, name) for name in names if getattr(options, name)}
    parameters = load(Parameters, options.params, "motion_node", given)
    sentence = f"{options.params} sets dry_run; calibrating moves the arm: allowed: false"
    require(not parameters.dry_run, sentence)
    return parameters


def calibrate(
    arm: "Arm", camera: "Camera", gate: "SafetyGate", plan: "Plan", seed: int, output: Path
) -> None:
    """Calibrate and write ``output``, and beside it a picture of what was seen and expected."""
    import numpy as np
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from vpg_ros.atomic import write_atomically
    from vpg_ros.devices.calibrate import Calibration
    from vpg_ros.devices.reprojection import encoded, reprojection

    console = Console()
    columns = (
        TextColumn("views"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("views", total=plan.views, what="")
        rng = np.random.default_rng(seed)
        record = Calibration(arm, camera, _with_board(gate, plan), plan, rng).run(
            lambda count, what: progress.update(task, completed=count, what=what)
        )
    save(record, output)
    picture = _picture(output)
    write_atomically(picture, encoded(reprojection(record)))
    _print(console, record, output, picture)


def _with_board(gate: "SafetyGate", plan: "Plan") -> "SafetyGate":
    """The gate of an arm that carries the board: the tool stays a board's length off the table."""
    if plan.mounting == EYE_IN_HAND:
        return gate
    x, y, z = gate.limits.box_min
    lowest = max(z, gate.limits.table_z + max(plan.board.size))
    return replace(gate, limits=replace(gate.limits, box_min=(x, y, lowest)))


def save(record: "Record", output: Path) -> None:
    """Write the calibration file; of a camera on the tool, where it is with the arm at home."""
    from datetime import UTC, datetime

    from vpg_ros.devices import calibration

    result = record.result
    on_tool = None
    if result.mounting == EYE_IN_HAND:
        on_tool = calibration.OnTool(result.camera, record.home)
    quality = calibration.Quality(
        result.mounting,
        datetime.now(UTC).isoformat(timespec="seconds"),
        len(record.views),
        result.residual,
        result.position_sigma,
        result.angle_sigma,
    )
    calibration.save(output, record.camera, quality, on_tool)


def _print(console: "Console", record: "Record", output: Path, picture: Path) -> None:
    """The figures."""
    from math import degrees

    from rich.table import Table

    result = record.result
    x, y, z = result.camera.position
    where = "in the tool's frame" if result.mounting == EYE_IN_HAND else "in the base frame"
    table = Table("figure", "value", title=f"camera {where}")
    table.add_row("position, m", f"{x:.4f} {y:.4f} {z:.4f}")
    table.add_row("quaternion x y z w", " ".join(f"{q:.5f}" for q in result.camera.quaternion))
    table.add_row("corners off by, px", f"{result.residual:.2f}")
    table.add_row("uncertainty, mm", f"{result.position_sigma * 1000:.2f}")
    table.add_row("uncertainty, °", f"{degrees(result.angle_sigma):.3f}")
    table.add_row("views", str(len(record.views)))
    console.print(table)
    console.print(f"written: {output}, {picture}", highlight=False)
