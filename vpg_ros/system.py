"""Which nodes make up ``sim`` and ``real``: the one description of both.

The launch files and the one-command bring-up read it, so that they cannot drift apart. It is plain
data: neither rclpy nor launch is imported here.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vpg_ros.argument import Argument, Value, as_text
from vpg_ros.choices import (
    ALPHAS,
    DEFAULT_ALPHA,
    DEFAULT_RISK,
    DEVICES,
    POLICIES,
    RISKS,
    STRATEGIES,
    require_chooser_knows,
    require_risk,
)
from vpg_ros.devices import grippers
from vpg_ros.devices.kinematics import MODELS
from vpg_ros.errors import require
from vpg_ros.resources import resource
from vpg_ros.sections import sections_of

PARAMS = "params"  # the argument that names the parameter file
REALSENSE, TOPICS = "realsense", "topics"  # who reads a real camera

# s of wall time that the arm may take to go home, and a task that is asked to end for everything:
# cancelling its action, parking, and its records. The arm's node outlasts the task and may then
# have to park the arm itself; the simulator outlasts both.
PARK_TIME = 30.0
TASK_END = PARK_TIME + 15.0
ARM_END = TASK_END + PARK_TIME
SIMULATOR_END = ARM_END + 5.0


@dataclass(frozen=True)
class NodeEntry:
    """One process of the system.

    name: of the node and of its executable. parameters: ROS parameter → name of the argument that
    sets it. only_if: (argument, value) without which it does not take part.
    """

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    only_if: tuple[str, Value] | None = None

    @property
    def enclave(self) -> str:
        """Whose permissions in config/sros2/policy.xml the process has."""
        return f"/vpg_ros/{self.name}"

    def wanted(self, values: Mapping[str, Value]) -> bool:
        """Whether the node takes part under these argument values."""
        return self.only_if is None or values[self.only_if[0]] == self.only_if[1]


@dataclass(frozen=True)
class System:
    """A whole: its arguments and its nodes, devices first, so that they are stopped last."""

    name: str
    parameter_file: str
    arguments: tuple[Argument, ...]
    nodes: tuple[NodeEntry, ...]

    @property
    def parameters_path(self) -> Path:
        """The shipped parameter file."""
        return resource(self.parameter_file)

    def chosen_parameters(self, values: Mapping[str, Value]) -> Path:
        """The parameter file that the arguments name; raises PARAMETER_INVALID for none."""
        path = Path(str(values[PARAMS]))
        require(path.is_file(), f"argument {PARAMS} is {str(path)!r}: no such file")
        return path

    @property
    def environment(self) -> dict[str, str]:
        """Variables that the processes need, where the user has not set them."""
        # Fast DDS 2 and 3 call it differently; other middlewares do not read it.
        names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
        if any(name in os.environ for name in names):
            return {}
        return dict.fromkeys(names, str(resource("config/fastdds.xml")))

    def told(self, given: Mapping[str, str]) -> dict[str, str]:
        """``given``, and what the parameter file sets of the arguments that are not given.

        What it sets for one node holds for every node that the argument reaches. Raises
        PARAMETER_INVALID for a file that cannot be read or that tells its nodes different things.
        """
        chosen = next(argument for argument in self.arguments if argument.name == PARAMS)
        path = self.chosen_parameters({PARAMS: chosen.told(given)})
        told = dict(given)
        found = sections_of(path, [node.name for node in self.nodes])
        for node in self.nodes:
            own = found[node.name]
            for parameter, name in node.parameters.items():
                if parameter in own and name not in given:
                    text = as_text(own[parameter])
                    sentence = f"{path} sets {parameter} of {node.name} to {text!r}"
                    other = told.setdefault(name, text)
                    require(
                        text == other,
                        f"{sentence} and of another node to {other!r}; allowed: one value, that of "
                        f"the argument {name}",
                    )
        return told

    def resolve(self, given: Mapping[str, str]) -> dict[str, Value]:
        """Every argument's value: as given, else the parameter file's, else its default.

        Raises PARAMETER_INVALID for a wrong, unknown or missing one.
        """
        known = {argument.name: argument for argument in self.arguments}
        for name in given:
            allowed = ", ".join(known)
            require(name in known, f"argument {name} is unknown to {self.name}; known: {allowed}")
        told = self.told(given)
        values = {name: argument.told(told) for name, argument in known.items()}
        _check_risk(values)
        return values

    def node_parameters(self, values: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
        """Node name → the ROS parameters that the arguments set."""
        wanted = [node for node in self.nodes if node.wanted(values)]
        return {
            node.name: {name: values[argument] for name, argument in node.parameters.items()}
            for node in wanted
        }

    def file_content(self, values: Mapping[str, Value]) -> dict[str, Any]:
        """``node_parameters`` as a parameter file that overrules the one it is given after.

        Under each node's full name: ROS joins sections of the same name where the first one
        stands, and a later section of the user's file would overrule the values.
        """
        parameters = self.node_parameters(values).items()
        return {f"/{name}": {"ros__parameters": own} for name, own in parameters if own}


def _check_risk(values: Mapping[str, Value]) -> None:
    """Refuse a risk that inference_node would, before anything is started."""
    policy, risk, alpha = (values[name] for name in ("policy", "risk", "alpha"))
    require_risk(str(risk), float(alpha))
    require_chooser_knows(str(policy), str(risk))


_SHARED = (
    Argument("policy", str, "network", "who chooses the actions", POLICIES),
    Argument("checkpoint", str, "", "weights of the network; '' takes the shipped ones"),
    Argument("risk", str, DEFAULT_RISK, "what the network values actions by", tuple(RISKS)),
    Argument(
        "alpha",
        float,
        DEFAULT_ALPHA,
        "of the risk: the share of worst returns that counts (cvar, var; above 0, at most 1), or "
        "how careful to be (wang, power, mean_std; 0 is the mean)",
        low=ALPHAS[0],
        high=ALPHAS[1],
    ),
    Argument(
        "strategy",
        str,
        "",
        "how the network chooses; '' as its weights were trained",
        ("", *STRATEGIES),
    ),
    Argument("primitives", str, "", "such as grasp,push; '' takes what the checkpoint values"),
    Argument("device", str, "auto", "where the network runs and learns", DEVICES),
    Argument("max_actions", int, 100, "stop after this many actions", low=1),
    Argument("record", bool, True, "store every transition and a report, not a summary alone"),
    Argument("viz", bool, False, "rewrite report.html after every action, to watch it live"),
    Argument("run_dir", str, "", "folder of the records; '' makes one under runs/"),
    Argument("learn", bool, False, "learn from every action, and act on what was learned"),
    Argument("learn_dir", str, "learning", "folder of what is learned; a later run goes on in it"),
    Argument("exploration", float, 0.05, "with learn: share of random actions", low=0.0, high=1.0),
    Argument(
        "return_objects",
        bool,
        False,
        "put what is picked back on the table, at a random place, for max_actions",
    ),
)

_LEARNED = {
    name: name
    for name in ("policy", "checkpoint", "primitives", "device", "risk", "alpha", "strategy")
}
_LEARNER = {
    "out": "learn_dir",
    "checkpoint": "checkpoint",
    "primitives": "primitives",
    "seed": "seed",
    "exploration": "exploration",
    "device": "device",
}
_CAMERA = {
    "calibration": "calibration",
    "camera": "camera",
    "realsense.serial": "camera_serial",
    "realsense.recording": "camera_recording",
}
_RETURNING = {"return_objects": "return_objects"}
_TASK = _RETURNING | {
    "max_actions": "max_actions",
    "primitives": "primitives",
    "record": "record",
    "live_report": "viz",
    "run_dir": "run_dir",
}


def _params(file: str, default: Value | None) -> Argument:
    """The choice of a parameter file."""
    text = (
        f"parameter file of all nodes; a copy of {file} with the figures of your cell, and of "
        "arguments that are not given"
    )
    return Argument(PARAMS, str, default, text)


def sim() -> System:
    """Everything in simulation: PyBullet takes the place of camera, arm and gripper."""
    from vpg_ros.sim.scenes import names

    file = "config/sim.yaml"
    arguments = (
        Argument("scene", str, "random", "scene family on the table", names()),
        Argument("objects", int, 10, "number of objects", low=1, high=40),
        Argument("seed", int, 0, "seed of the scene and of everything drawn at random", low=0),
        Argument("time_scale", float, 0.0, "simulated s per s; 0: as fast as it can", low=0.0),
        Argument("headless", bool, True, "without PyBullet's own window"),
        Argument("depth_noise", bool, True, "give the simulated camera a real one's depth noise"),
        Argument("robot_ip", str, "127.0.0.2", "loopback address of the simulated controller"),
        Argument("gripper", str, "rg2", "gripper at the end of the simulated arm", grippers.NAMES),
        Argument("new_scenes", bool, False, "another scene instead of an end, for max_actions"),
        _params(file, str(resource(file))),
        *_SHARED,
    )
    world = (
        *("scene", "objects", "seed", "time_scale", "headless", "depth_noise"),
        *("robot_ip", "gripper"),
    )
    motion = ("robot_ip", "gripper", "seed")
    task = ("scene", "seed", "objects", "new_scenes")
    nodes = (
        NodeEntry("pybullet_node", {name: name for name in world}),
        NodeEntry("heightmap_node"),
        NodeEntry("inference_node", _LEARNED | {"seed": "seed", "gripper": "gripper"}),
        NodeEntry("motion_node", _RETURNING | {name: name for name in motion}),
        NodeEntry("task_node", _TASK | {name: name for name in task}),
        NodeEntry("learner_node", _LEARNER, only_if=("learn", True)),
    )
    return System("sim", file, arguments, nodes)


def real() -> System:
    """The same nodes on a UR arm; only the simulator is missing."""
    file = "config/real.yaml"
    arguments = (
        Argument("robot_ip", str, None, "address of the robot's controller"),
        Argument("robot_model", str, "ur5", "arm", MODELS),
        Argument("gripper", str, "rg2", "gripper", grippers.NAMES),
        Argument(
            "camera",
            str,
            REALSENSE,
            f"{REALSENSE}: the connected one; {TOPICS}: images that any driver publishes",
            (REALSENSE, TOPICS),
        ),
        Argument("camera_serial", str, "", "serial number of the camera; '' takes the only one"),
        Argument("camera_recording", str, "", "file (.db3) to play in place of the camera"),
        Argument("calibration", str, None, "YAML file with the camera's pose in the base frame"),
        Argument("dry_run", bool, False, "check every motion, move nothing"),
        Argument("seed", int, 0, "seed of everything drawn at random", low=0),
        # The shipped limits are those of another cell, so that nothing moves within them unasked.
        _params(str(resource(file)), None),
        *_SHARED,
    )
    motion = ("robot_ip", "robot_model", "gripper", "dry_run", "seed")
    nodes = (
        NodeEntry("heightmap_node", _CAMERA),
        NodeEntry("inference_node", _LEARNED | {"seed": "seed", "gripper": "gripper"}),
        NodeEntry(
            "motion_node",
            _RETURNING | {name: name for name in motion},
        ),
        NodeEntry("task_node", _TASK | {"seed": "seed"}),
        NodeEntry("learner_node", _LEARNER | {"dry_run": "dry_run"}, only_if=("learn", True)),
    )
    return System("real", file, arguments, nodes)


SYSTEMS = {"sim": sim, "real": real}
