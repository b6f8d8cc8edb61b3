"""Programs other than ur_rtde's own: the few lines of URScript that change what a client can see.

``sendCustomScriptFunction`` wraps a body between writes of the handshake register; a body may sleep
and set digital outputs. Any other line is logged and passed over.
"""

import logging
import re
from collections.abc import Iterator

from vpg_ros.sim.controller.robot import Robot
from vpg_ros.sim.controller.script import Script

_log = logging.getLogger(__name__)
_CALL = re.compile(r"(\w+)\((.*)\)")


def run(script: Script, robot: Robot) -> Iterator[None]:
    """Run ``script`` line by line; yields once a control cycle while it sleeps."""
    for line in script.lines:
        match = _CALL.match(line)
        name, arguments = (match[1], match[2].split(",")) if match else ("", [])
        if name == "sleep":
            wake = robot.state.time + float(arguments[0])
            while robot.state.time < wake:
                yield
        elif name == "write_output_integer_register":
            index = sum(int(term) for term in arguments[0].split("+"))
            robot.registers.output_int[index] = int(arguments[1])
        elif name in ("set_standard_digital_out", "set_tool_digital_out"):
            shift = 16 if "tool" in name else 0
            bit = 1 << int(arguments[0])
            robot.set_outputs(shift, bit, bit if arguments[1].strip() == "True" else 0)
        elif line:
            _log.info("program %s: line not emulated: %s", script.name, line)
