"""What a run shows on the terminal: one line an action while it lasts, a table at its end."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status
from rich.table import Table


class Events:
    """The lines that task_node appends to events.jsonl, as they come."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0

    def new(self) -> Iterator[dict[str, Any]]:
        """Every whole line since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield json.loads(line)


class Progress:
    """Prints events; a spinner tells what is being done meanwhile."""

    def __init__(self, console: Console, events: Events) -> None:
        self._console = console
        self._events = events
        self._status = Status("", console=console)
        self.began = False  # whether the task has told of anything
        self.actions: list[dict[str, Any]] = []  # what it has told of its actions

    def __enter__(self) -> "Progress":
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def say(self, text: str) -> None:
        """Show what is being done."""
        self._status.update(text)

    def update(self) -> None:
        """Show what happened since the last call."""
        for event in self._events.new():
            self.began = True
            if event["event"] == "action":
                self.actions.append(event)
                self._console.print(action_line(event), highlight=False)
            elif event["event"] == "state":
                self.say(str(event["state"]))


def action_line(event: dict[str, Any]) -> str:
    """One action: number, primitive, value, outcome, seconds."""
    success = event["success"]
    mark, colour = ("✓", "green") if success else ("✗", "red" if event["error_code"] else "yellow")
    outcome = event["outcome"].replace("[", r"\[")
    return (
        f"[{colour}]{mark}[/] {event['step'] + 1:3d}  {event['primitive']:8s} "
        f"value {event['value']:5.2f}  {event['seconds']:5.1f} s  [{colour}]{outcome}[/]"
    )


def summary_table(summary: dict[str, Any], folder: Path) -> Table:
    """The figures of a run."""
    table = Table(title=_verdict(summary), show_header=False, title_justify="left")
    for name, value in _rows(summary):
        table.add_row(name, value)
    table.add_row("records", str(folder))
    return table


def _verdict(summary: dict[str, Any]) -> str:
    """How the task ended, in a few words."""
    if summary["cleared"]:
        return "Table [green]cleared[/]"
    return "Table [red]not cleared[/]" if summary["error_code"] else "[green]All actions done[/]"


def _rows(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(label, value) of what is known."""
    yield "scene", f"{summary['scene'] or 'real'}, seed {summary['seed']}"
    counted = summary["objects"] and not summary.get("endless")
    of = f" of {summary['objects']}" if counted else ""
    lost = f", {summary['lost']} lost" if summary["lost"] else ""
    yield "picked", f"{summary['picked']}{of}{lost}"
    yield "actions", str(summary["actions"])
    if summary["grasps"]:
        yield "grasp success", f"{summary['grasp_success']:.0%} of {summary['grasps']}"
    if summary["actions"]:
        yield "decision", f"{summary['decision_ms']:.0f} ms (median)"
        yield "action", f"{summary['action_seconds']:.1f} s of robot time (median)"
    yield "policy", " ".join(part for part in (summary["policy"], summary["checkpoint"]) if part)
