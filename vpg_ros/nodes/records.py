"""The records of one run: events, transitions, summary and report, all under one folder.

Every file stays readable whenever the process is killed: transitions and events are appended one by
one, summary and report are replaced whole.
"""

import json
import time
from collections import deque
from pathlib import Path
from typing import Any

from vpg_ros.action import Transition
from vpg_ros.atomic import write_json
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.learning.store import TransitionWriter
from vpg_ros.run_figures import figures
from vpg_ros.run_folder import EVENTS_FILE, REPORT_FILE, SUMMARY_FILE, TRANSITIONS_FILE
from vpg_ros.viz.report import DecisionRecord, write_report

# Newest steps that are kept for the report: their pictures fill memory and file.
REPORTED = 200


class RunRecords:
    """Writes the files of one run; of a long one, the report shows the last REPORTED steps."""

    def __init__(
        self, folder: Path, transitions: bool, live_report: bool, about: dict[str, Any]
    ) -> None:
        """about: what the store says of itself. transitions: whether to store any, and a report."""
        self.folder = folder
        self._live_report = live_report and transitions
        self._steps: deque[DecisionRecord] = deque(maxlen=REPORTED)
        self._actions: list[dict[str, Any]] = []
        self._events = (folder / EVENTS_FILE).open("a", encoding="utf-8")
        path = folder / TRANSITIONS_FILE
        self._writer = TransitionWriter(path, about) if transitions else None

    @property
    def last(self) -> Transition | None:
        """The transition recorded last."""
        return self._steps[-1].transition if self._steps else None

    @property
    def figures(self) -> dict[str, Any]:
        """The figures of the run so far."""
        return figures(self._actions)

    def event(self, kind: str, **content: Any) -> None:
        """Append one line to events.jsonl."""
        try:
            self._events.write(json.dumps({"event": kind, "time": time.time(), **content}) + "\n")
            self._events.flush()
        except OSError as error:
            sentence = f"{self.folder / EVENTS_FILE} cannot be written: {error.strerror}"
            raise VpgError(ErrorCode.DISK_FULL, sentence) from None

    def add(self, step: DecisionRecord, summary: dict[str, Any]) -> None:
        """Store one step; raises DISK_FULL with all earlier ones kept."""
        if self._writer is not None:
            self._writer.write(step.transition)
        self._steps.append(step)
        self._actions.append(_line(step, len(self._actions)))
        self.event("action", **self._actions[-1])
        if self._live_report:
            self._write_report(summary)

    def finish(self, summary: dict[str, Any]) -> None:
        """Write summary and report, and close the store; later calls only replace the summary.

        Raises DISK_FULL; the store is closed nevertheless.
        """
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        write_json(self.folder / SUMMARY_FILE, summary)
        self.event("end", summary=summary)
        if writer is not None:
            self._write_report(summary)

    def _write_report(self, summary: dict[str, Any]) -> None:
        write_report(self.folder / REPORT_FILE, summary, list(self._steps))


def _line(step: DecisionRecord, number: int) -> dict[str, Any]:
    """One action as a line of events.jsonl; ``number``: of the action in the run, from 0."""
    transition = step.transition
    action, outcome = transition.action, transition.outcome
    return {
        "step": number,
        "primitive": action.primitive,
        "value": round(action.value, 4),
        "success": outcome.success,
        "reward": transition.reward,
        "outcome": outcome.verdict,
        "error_code": int(outcome.error_code),
        "action_seconds": round(outcome.duration, 3),
        "decision_ms": round(step.decision_ms or 0.0, 2),
        "seconds": round(step.seconds or 0.0, 3),
    }
