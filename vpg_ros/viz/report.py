"""The report of a run: one HTML file that holds everything it shows."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np

from vpg_ros.action import Transition
from vpg_ros.atomic import write_atomically
from vpg_ros.viz.overlay import (
    FloatMap,
    Picture,
    action_overlay,
    colour_picture,
    value_picture,
    value_title,
)

TEMPLATE = "report.html.j2"
JPEG_QUALITY = 82
CHART_WIDTH, CHART_HEIGHT, CHART_MARGIN = 1100, 200, 36


@dataclass(frozen=True)
class DecisionRecord:
    """One row of the report.

    transition: the step. picked: whether it took an object off the table. decision_ms: from
    heightmap to action, None where unknown. seconds: wall time of the step, None where unknown.
    maps: primitive → best value at every cell (NaN where none). overlay: the chosen action's
    picture, RGB; drawn anew if None. The pictures are made once: keep the record to report again.
    """

    transition: Transition
    picked: bool
    decision_ms: float | None = None
    seconds: float | None = None
    maps: Mapping[str, FloatMap] = field(default_factory=dict)
    overlay: Picture | None = None

    @cached_property
    def pictures(self) -> tuple[tuple[str, str], ...]:
        """(title, data URI) of the table, each primitive's values, and the chosen action."""
        before, action = self.transition.before, self.transition.action
        overlay = action_overlay(before, action) if self.overlay is None else self.overlay
        pictures = {
            "table": colour_picture(before),
            **{
                value_title(name, values): value_picture(before, values)
                for name, values in self.maps.items()
            },
            "chosen": overlay,
        }
        return tuple((title, _data_uri(picture)) for title, picture in pictures.items())


def write_report(
    path: str | Path, summary: Mapping[str, Any], decisions: Sequence[DecisionRecord]
) -> None:
    """Replace ``path`` with the report of a run.

    summary: what summary.json holds; missing figures are left out. The file stands alone: pictures
    are embedded and loaded as they scroll into view. Raises DISK_FULL, the old file kept.
    """
    page = _template().render(
        summary=summary,
        cards=_cards(summary),
        decisions=decisions,
        chart=_chart(decisions, summary.get("objects")),
    )
    write_atomically(Path(path), page.encode())


def _template() -> jinja2.Template:
    """The page's template; everything put into it is escaped."""
    loader = jinja2.PackageLoader("vpg_ros.viz", "templates")
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True)
    environment.lstrip_blocks = True
    return environment.get_template(TEMPLATE)


def _cards(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(name, figure, unit) of what the summary knows."""
    known = {key: value for key, value in summary.items() if value is not None}
    cards = []
    if "picked" in known:
        cards.append(("picked", str(known["picked"]), f"of {known.get('objects', '?')} objects"))
    if "actions" in known:
        cards.append(("actions", str(known["actions"]), ""))
    if "grasp_success" in known:
        rate = f"{100 * known['grasp_success']:.0f} %"
        cards.append(("grasp success", rate, f"of {known.get('grasps', '?')} grasps"))
    if "decision_ms" in known:
        cards.append(("decision", f"{known['decision_ms']:.0f} ms", "median"))
    if "action_seconds" in known:
        cards.append(("action", f"{known['action_seconds']:.1f} s", "median, robot's time"))
    return cards


def _chart(decisions: Sequence[DecisionRecord], objects: Any) -> dict[str, Any] | None:
    """Picks over actions as an SVG's coordinates; None without actions."""
    if not decisions:
        return None
    picks = list(accumulate((decision.picked for decision in decisions), initial=0))
    top = max(picks[-1], objects if isinstance(objects, int) else 0, 1)

    def at(action: int, count: int) -> tuple[float, float]:
        x = CHART_MARGIN + (CHART_WIDTH - 2 * CHART_MARGIN) * action / len(decisions)
        y = CHART_HEIGHT - CHART_MARGIN - (CHART_HEIGHT - 2 * CHART_MARGIN) * count / top
        return round(x, 1), round(y, 1)

    corners = [at(0, 0)]
    for action, count in enumerate(picks[1:], start=1):
        corners += [at(action, picks[action - 1]), at(action, count)]
    points = [
        (
            *at(step, picks[step]),
            decision.transition.action.primitive,
            decision.transition.outcome.success,
        )
        for step, decision in enumerate(decisions, start=1)
    ]
    return {
        "width": CHART_WIDTH,
        "height": CHART_HEIGHT,
        "line": " ".join(f"{x},{y}" for x, y in corners),
        "points": points,
        "origin": at(0, 0),
        "corner": at(len(decisions), top),
        "top": top,
        "actions": len(decisions),
    }


def _data_uri(picture: Picture) -> str:
    """The picture as a JPEG inside a URI."""
    bgr = np.ascontiguousarray(picture[..., ::-1])
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
