"""``vpg doctor``: check a cell before its first motion. Nothing moves."""

import argparse
import json
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from vpg_ros.system import REALSENSE, TOPICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vpg_ros.bringup.findings import Finding

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "doctor", help="check a cell before its first motion", description=__doc__
    )
    add = parser.add_argument
    add("--robot-ip", required=True, help="address of the robot's controller")
    add("--robot-model", help="arm (default: the parameter file's)")
    add("--gripper", help="gripper (default: the parameter file's)")
    add("--params", type=Path, required=True, help="parameter file of the cell")
    add("--calibration", type=Path, help="the camera's calibration file")
    add("--serial", default="", help="of the RealSense (default: the parameter file's)")
    add("--camera", choices=(REALSENSE, TOPICS), help="driver (default: the parameter file's)")
    add("--timeout", type=float, default=30.0, help="s for all checks (default %(default)s)")
    add("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print one line a check; 1 when any of them failed."""
    from vpg_ros.bringup.doctor import Cell, checks
    from vpg_ros.bringup.findings import run_all
    from vpg_ros.errors import require

    require(
        0.0 < options.timeout < math.inf,
        f"--timeout is {options.timeout:g}; allowed: a finite number of s above 0",
    )
    names = ("robot_model", "gripper")
    cell = Cell(
        options.robot_ip,
        options.params,
        {name: getattr(options, name) for name in names if getattr(options, name)},
        options.calibration,
        options.serial,
        options.camera or "",
    )
    findings = run_all(checks(cell), time.monotonic() + options.timeout)
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2, ensure_ascii=False))
    else:
        _print(findings)
    return int(any(finding.level == "fail" for finding in findings))


def _print(findings: "Sequence[Finding]") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("check", "", "found", "what to do")
    for finding in findings:
        colour = _COLOURS[finding.level]
        table.add_row(finding.check, f"[{colour}]{finding.level}[/]", finding.found, finding.advice)
    Console().print(table)
