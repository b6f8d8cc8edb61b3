"""task_node: capture → select → execute → capture → reward → publish and store, until done.

The main thread runs the state machine of :mod:`.task_table`. It ends when the table is clear, after
``max_unchanged`` actions that changed nothing, after ``max_actions``, on an error, on Ctrl-C or on
``~/stop`` (std_srvs/Trigger), and parks the arm in every case. With ``return_objects`` or
``new_scenes`` it goes on for ``max_actions`` instead, also when it is stuck. The exit code is 0
only when the table was cleared, or all those actions were done. What happens is told on
``~/progress`` (JSON) and in events.jsonl.
"""

import json
from typing import Any

from std_msgs.msg import String
from std_srvs.srv import Trigger
from vpg_msgs.msg import Transition as TransitionMsg

from vpg_ros.action import Transition
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.convert import transition_to_msg
from vpg_ros.nodes.pictures import Pictures
from vpg_ros.nodes.qos import LATCHED
from vpg_ros.nodes.records import RunRecords
from vpg_ros.nodes.spin import run_node
from vpg_ros.nodes.task_clients import Clients
from vpg_ros.nodes.task_machine import Task
from vpg_ros.nodes.task_parameters import Parameters
from vpg_ros.nodes.task_table import State
from vpg_ros.primitives import parse_repertoire
from vpg_ros.run_folder import new_run_folder
from vpg_ros.system import TASK_END
from vpg_ros.viz.report import DecisionRecord


class TaskNode(VpgNode):
    """See the module's text."""

    PARAMETERS = (Parameters,)

    def __init__(self) -> None:
        super().__init__("task_node")
        self._settings = self.read_parameters(Parameters)
        folder = new_run_folder(self._settings.run_dir)
        about = {name: getattr(self._settings, name) for name in ("scene", "objects", "seed")}
        record, live = self._settings.record, self._settings.live_report
        self._records = RunRecords(folder, record, live, about)
        # ~/stop and Ctrl-C end the task in the same way: through the node's stop flag.
        self._cell = Clients(self, self._settings, self.stop)
        self._pictures = Pictures(self, parse_repertoire(self._settings.primitives))
        self._transitions = self.create_publisher(TransitionMsg, "transition", LATCHED)
        self._progress = self.create_publisher(String, "~/progress", LATCHED)
        self.create_service(Trigger, "~/stop", self._request_stop)
        self._task = Task(self._cell, self._settings, folder.name, self._tell_state, self._add_step)

    def work(self) -> int:
        """Run the task, write the records whatever happened, and say how it went."""
        unwritten: VpgError | None = None
        try:
            self._task.run()
        finally:
            unwritten = self._finish_records()
        if self._task.park_error is not None:
            self.get_logger().error(f"the arm is not parked: {self._task.park_error.sentence}")
        error = self._task.error or unwritten
        if error is not None:
            self.fail(error)
        return 0 if self._done else 1

    @property
    def _done(self) -> bool:
        """Whether the task did what it was asked for."""
        return self._task.cleared or self._task.finished

    def _finish_records(self) -> VpgError | None:
        """Why the records are not complete: that must not hide why the task ended."""
        try:
            self._records.finish(self._summary())
        except VpgError as error:
            self.get_logger().error(error.sentence)
            return error
        return None

    def close(self) -> None:
        """Let go of the other nodes."""
        self._cell.close()

    def _request_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Serve ``~/stop``: end in an orderly way."""
        self.stop.set()
        response.success = True
        return response

    def _tell_state(self, state: State) -> None:
        self._progress.publish(String(data=json.dumps({"state": state.value})))
        self._records.event("state", state=state.value)

    def _add_step(self, transition: Transition, decision_ms: float, seconds: float) -> None:
        """Publish and store one transition."""
        self._transitions.publish(transition_to_msg(transition))
        stamp = transition.before.stamp
        maps, overlay = self._pictures.maps(stamp), self._pictures.overlay(stamp)
        picked = transition.reward > 0
        step = DecisionRecord(transition, picked, decision_ms, seconds, maps, overlay)
        self._records.add(step, self._summary())
        self.get_logger().info(
            f"action {self._records.figures['actions']}: {transition.action.primitive}, value "
            f"{transition.action.value:.2f}, {transition.outcome.verdict}, {seconds:.1f} s"
        )

    def _summary(self) -> dict[str, Any]:
        """The content of summary.json."""
        last, counts = self._records.last, self._cell.counts
        error = self._task.error or (None if self._done else _unfinished())
        figures = self._records.figures
        endless = self._settings.endless
        # What is put back never reaches the bin, and another scene empties it.
        picked = figures["picked"] if endless else counts.get("picked", figures["picked"])
        return {
            "scene": self._settings.scene,
            "seed": self._settings.seed,
            "objects": self._settings.objects,
            "endless": endless,
            "cleared": self._task.cleared,
            "picked": picked,
            "lost": counts.get("lost", 0),
            "parked": self._task.parked,
            **{name: value for name, value in figures.items() if name != "picked"},
            "checkpoint": last.action.checkpoint if last else "",
            "policy": last.action.policy if last else "",
            "error_code": int(error.code) if error else 0,
            "error_msg": error.message if error else "",
        }


def _unfinished() -> VpgError:
    """What a summary says that is written while the task goes on, or after a defect ended it."""
    return VpgError(ErrorCode.STOPPED, "the task has not come to its end")


def main() -> None:
    """Entry point."""
    run_node("task_node", TaskNode, threads=2, grace=TASK_END)


if __name__ == "__main__":
    main()
