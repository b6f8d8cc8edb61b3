"""Parameters of task_node."""

from dataclasses import dataclass

from vpg_ros.nodes.parameters import PRIMITIVES, parameter
from vpg_ros.system import PARK_TIME


@dataclass(frozen=True)
class Parameters:
    """What task_node can be told.

    Timeouts are bounds in s of wall time; those of the arm count from when it was last busy.
    """

    scene: str = parameter("scene family, for the records; '' on a robot", "")
    objects: int = parameter("objects at the start, for the records; 0: unknown", 0, low=0)
    seed: int = parameter("seed, for the records", 0, low=0)
    run_dir: str = parameter("folder of the records; '' makes one under runs/", "")
    record: bool = parameter("store every transition and write a report", True)
    live_report: bool = parameter("rewrite report.html after every action", False)
    primitives: str = parameter(PRIMITIVES + "whose value maps are recorded; '': grasp, push", "")
    max_actions: int = parameter("stop after this many actions", 100, low=1)
    max_unchanged: int = parameter(
        "stop after this many actions in a row that changed nothing; with return_objects, after 5 "
        "times as many try again what was tried",
        8,
        low=1,
    )
    return_objects: bool = parameter(
        "what is picked is put back on the table (motion_node does that): go on for max_actions",
        False,
    )
    new_scenes: bool = parameter(
        "ask the simulator for another scene where the task would end: go on for max_actions", False
    )
    settle_time: float = parameter(
        "s of the node's clock between the last motion and a capture", 0.5, low=0.0, high=60.0
    )
    startup_timeout: float = parameter(
        "longest wait for the other nodes to appear, s", 60.0, low=0.1
    )
    capture_timeout: float = parameter("longest wait for a heightmap, s", 30.0, low=0.1)
    select_timeout: float = parameter("longest wait for a decision, s", 60.0, low=0.1)
    execute_timeout: float = parameter(
        "longest wait for an action to be carried out, from when the arm was last busy, s",
        300.0,
        low=0.1,
    )
    reset_timeout: float = parameter("longest wait for another scene, s", 60.0, low=0.1)
    park_timeout: float = parameter(
        "longest wait for the arm to go home, s: from when it was last busy, or in all where the "
        "task was stopped",
        PARK_TIME,
        low=0.1,
        high=PARK_TIME,
    )

    @property
    def endless(self) -> bool:
        """Whether only max_actions ends the task, and ends it well."""
        return self.return_objects or self.new_scenes
