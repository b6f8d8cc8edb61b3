"""Pictures and the report: what they show is where it belongs, and the page stands alone."""

import base64
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpg_ros.action import Action, Transition
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Outcome
from vpg_ros.policy.maps import ValueMaps
from vpg_ros.primitives import grasp, push
from vpg_ros.viz import overlay
from vpg_ros.viz.overlay import action_overlay, colour_picture, height_picture, value_picture
from vpg_ros.viz.report import DecisionRecord, write_report

RESOLUTION = DEFAULT_WORKSPACE.resolution
PICTURE = (2 * DEFAULT_WORKSPACE.rows, 2 * DEFAULT_WORKSPACE.columns)
SUMMARY = {
    "scene": "random",
    "seed": 7,
    "objects": 3,
    "cleared": True,
    "picked": 3,
    "actions": 4,
    "grasps": 3,
    "grasp_success": 1.0,
    "decision_ms": 81.4,
    "action_seconds": 6.2,
    "checkpoint": "0123456789ab",
    "error_code": 0,
    "error_msg": "",
}


def table() -> Heightmap:
    """A grey table with a red block, and a strip that was not seen."""
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    colour = np.full((*DEFAULT_WORKSPACE.shape, 3), 120, np.uint8)
    height[60:80, 100:140] = 0.05
    colour[60:80, 100:140] = (210, 40, 30)
    height[:, 200:210] = np.nan
    return Heightmap(colour, height, DEFAULT_WORKSPACE, 1.0)


def action(primitive: str, row: int, column: int, angle: float) -> Action:
    pose = tool_down(*DEFAULT_WORKSPACE.to_metres(row, column), 0.03, angle)
    return Action(primitive, 0, row, column, angle, pose, 0.875, 0.0, "network", "0123456789ab")


def value_maps(cell: int = 2) -> ValueMaps:
    rows, columns = (size // cell for size in DEFAULT_WORKSPACE.shape)
    generator = np.random.default_rng(0)
    values = {
        "grasp": generator.random((8, rows, columns), np.float32) * 0.5,
        "push": generator.random((16, rows, columns), np.float32) * 0.5,
    }
    values["grasp"][3, 35, 60] = 0.9
    admissible = {name: np.zeros(value.shape, np.bool_) for name, value in values.items()}
    for mask in admissible.values():
        mask[:, 25:45, 45:75] = True
    return ValueMaps(values, admissible, cell)


def changed(picture: np.ndarray, base: np.ndarray) -> np.ndarray:
    """(x, y) of the pixels that differ, in picture pixels with y upwards."""
    rows, columns = np.nonzero((picture != base).any(axis=-1))
    return np.column_stack([columns, PICTURE[0] - 1 - rows])


def test_the_picture_is_the_view_from_above() -> None:
    heightmap = table()
    picture = colour_picture(heightmap)
    assert picture.shape == (*PICTURE, 3) and picture.dtype == np.uint8
    # The block's +x, +y corner is nearer to the picture's right and top.
    red = np.argwhere((picture == (210, 40, 30)).all(axis=-1))
    assert red.min(axis=0).tolist() == [PICTURE[0] - 160, 200]
    assert red.max(axis=0).tolist() == [PICTURE[0] - 121, 279]


def test_unseen_pixels_look_like_nothing_else() -> None:
    heightmap = table()
    for picture in (colour_picture(heightmap), height_picture(heightmap)):
        unseen = {tuple(pixel) for pixel in picture[:, 400:420].reshape(-1, 3).tolist()}
        assert unseen == set(overlay.UNSEEN)
        assert not unseen & {tuple(pixel) for pixel in picture[:, :400].reshape(-1, 3).tolist()}


def test_higher_is_brighter() -> None:
    picture = height_picture(table()).astype(int).sum(axis=-1)
    assert picture[PICTURE[0] - 140, 240] > picture[10, 10]


def test_the_best_cell_is_reddest_and_the_rest_of_the_table_shows() -> None:
    heightmap, best = table(), value_maps().best_over_rotations("grasp")
    picture = value_picture(heightmap, best)
    redness = picture[..., 0].astype(int) - picture[..., 2]
    row, column = np.unravel_index(redness.argmax(), redness.shape)
    assert ((PICTURE[0] - 1 - row) // 4, column // 4) == (35, 60)
    assert (picture[:100] == value_picture(heightmap, np.full_like(best, np.nan))[:100]).all()


def test_a_map_without_any_value_shows_the_table() -> None:
    empty = np.full((112, 112), np.nan, np.float32)
    picture = value_picture(table(), empty).astype(int)
    dimmer = colour_picture(table()) - picture
    assert (dimmer > 0).all() and (dimmer < 140).all()


@settings(max_examples=30, deadline=None)
@given(
    row=st.integers(60, 160),
    column=st.integers(60, 160),
    angle=st.floats(-math.pi, math.pi),
)
def test_fingers_are_drawn_where_they_close(row: int, column: int, angle: float) -> None:
    heightmap = table()
    marks = changed(
        action_overlay(heightmap, action("grasp", row, column, angle)), colour_picture(heightmap)
    )
    centre = 2 * np.array([column + 0.5, row + 0.5])
    assert np.abs((marks.min(axis=0) + marks.max(axis=0)) / 2 - centre).max() < 2.5
    closing = np.array([math.cos(angle), math.sin(angle)])
    along = (marks - centre) @ closing
    across = (marks - centre) @ [-closing[1], closing[0]]
    pixels_per_metre = 2 / RESOLUTION
    assert np.ptp(along) == pytest.approx(grasp.OPEN_WIDTH * pixels_per_metre, abs=14)
    assert np.ptp(across) == pytest.approx(overlay.FINGER_WIDTH * pixels_per_metre, abs=14)


@settings(max_examples=30, deadline=None)
@given(
    row=st.integers(60, 160),
    column=st.integers(60, 160),
    angle=st.floats(-math.pi, math.pi),
)
def test_an_arrow_is_drawn_where_the_push_goes(row: int, column: int, angle: float) -> None:
    heightmap = table()
    marks = changed(
        action_overlay(heightmap, action("push", row, column, angle)), colour_picture(heightmap)
    )
    start = 2 * np.array([column + 0.5, row + 0.5])
    along = (marks - start) @ [math.cos(angle), math.sin(angle)]
    assert along.max() == pytest.approx(push.PUSH_LENGTH * 2 / RESOLUTION, abs=9)
    assert along.min() > -14


def test_an_arrow_ends_inside_the_picture() -> None:
    heightmap = table()
    marks = changed(
        action_overlay(heightmap, action("push", 10, 210, 0.0)), colour_picture(heightmap)
    )
    assert marks[:, 0].max() >= PICTURE[1] - 6
    assert len(marks) > 100


def test_a_primitive_without_a_mark_gets_a_cross_hair() -> None:
    heightmap = table()
    marks = changed(
        action_overlay(heightmap, action("topple", 100, 100, 0.0)), colour_picture(heightmap)
    )
    assert np.abs(marks.mean(axis=0) - 201).max() < 25


def test_the_overlay_shows_the_values_it_is_given() -> None:
    heightmap, chosen = table(), action("grasp", 71, 121, 1.2)
    plain, with_values = (action_overlay(heightmap, chosen, maps) for maps in (None, value_maps()))
    assert (plain != with_values).any()
    assert (action_overlay(heightmap, replace(chosen, primitive="topple"), value_maps())).any()


def test_the_panel_has_every_primitive() -> None:
    panel = overlay.value_panel(table(), value_maps())
    assert panel.shape == (PICTURE[0] + overlay.TITLE_HEIGHT, 2 * PICTURE[1], 3)
    for half in (panel[: overlay.TITLE_HEIGHT, : PICTURE[1]], panel[:28, PICTURE[1] :]):
        assert (half > 200).any(), "no title"


class Page(HTMLParser):
    """What a browser would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append(tag)
        if tag == "img":
            self.images.append(attributes)
        self.links += [value for key, value in attrs if key in ("src", "href", "srcset")]


def decision(step: int, primitive: str = "grasp", **outcome: object) -> DecisionRecord:
    best = value_maps().best_over_rotations
    heightmap = table()
    result = replace(Outcome(True, 0.042, 21.0, 6.5), **outcome)  # type: ignore[arg-type]
    chosen = action(primitive, 70, 120, 1.178)
    each = Transition("run", step, heightmap, chosen, result, 1.0, heightmap, False)
    maps = {name: best(name) for name in ("grasp", "push")}
    picked = result.success and primitive == "grasp"
    return DecisionRecord(each, picked, 81.2, 7.5, maps)


def report(path: Path, decisions: list[DecisionRecord], **summary: object) -> str:
    write_report(path / "report.html", {**SUMMARY, **summary}, decisions)
    return (path / "report.html").read_text(encoding="utf-8")


def test_the_report_stands_alone_and_shows_every_decision(tmp_path: Path) -> None:
    decisions = [decision(0, "push"), decision(1), decision(2, success=False), decision(3)]
    text = report(tmp_path, decisions)
    page = Page(text)
    assert len(page.images) == 4 * len(decisions)
    assert all(image["loading"] == "lazy" for image in page.images)
    assert all(link is not None and link.startswith("data:image/jpeg") for link in page.links)
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert "@import" not in text and "url(" not in text
    for expected in ("random", "0123456789ab", "table cleared", "100 %", "81 ms", "6.2 s", "of 3"):
        assert expected in text
    assert page.tags.count("article") == 4 and page.tags.count("svg") == 1
    assert len(text) < 4 * 200_000


def test_the_embedded_pictures_are_those_of_the_decision(tmp_path: Path) -> None:
    each = decision(0)
    page = Page(report(tmp_path, [each]))
    expected = [colour_picture(each.transition.before)]
    expected += [value_picture(each.transition.before, values) for values in each.maps.values()]
    expected.append(action_overlay(each.transition.before, each.transition.action))
    for image, picture in zip(page.images, expected, strict=True):
        data = base64.b64decode((image["src"] or "").split(",")[1])
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert decoded.shape == (*PICTURE, 3)
        assert np.abs(decoded.astype(int) - picture).mean() < 6


def test_a_given_overlay_is_the_one_shown(tmp_path: Path) -> None:
    green = np.zeros((*PICTURE, 3), np.uint8)
    green[..., 1] = 200
    page = Page(report(tmp_path, [replace(decision(0), overlay=green)]))
    data = base64.b64decode((page.images[-1]["src"] or "").split(",")[1])
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(decoded[..., 1].astype(int) - 200).max() < 8


def test_the_chart_counts_picks(tmp_path: Path) -> None:
    decisions = [decision(0, "push"), decision(1), decision(2, success=False), decision(3)]
    text = report(tmp_path, decisions)
    line = re.search(r'polyline points="([^"]+)"', text)
    assert line is not None
    heights = [float(point.split(",")[1]) for point in line[1].split()]
    steps = sum(after < before for before, after in pairwise(heights))
    assert steps == 2 and heights == sorted(heights, reverse=True)
    assert (text.count("<circle"), text.count("<rect")) == (3, 1)


def test_text_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert('x')</script>"
    outcome = {"success": False, "error_msg": evil, "error_code": ErrorCode.PROTECTIVE_STOP}
    named = decision(0, **outcome)
    chosen = replace(named.transition.action, primitive=evil)
    other = replace(named, transition=replace(named.transition, action=chosen), maps={})
    text = report(tmp_path, [other], scene=evil, error_msg=evil, checkpoint=evil, cleared=False)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 5


@pytest.mark.parametrize("missing", [*SUMMARY, "all"])
def test_missing_figures_are_left_out(tmp_path: Path, missing: str) -> None:
    summary = {key: value for key, value in SUMMARY.items() if missing not in (key, "all")}
    write_report(tmp_path / "report.html", summary, [])
    write_report(tmp_path / "report.html", {**SUMMARY, missing: None}, [])
    assert "No action was taken" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    text = report(tmp_path, [], cleared=False, error_code=101, error_msg="camera sent nothing")
    assert "not cleared" in text and "Error 101: camera sent nothing" in text


def test_a_report_that_cannot_be_written_keeps_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.mkdir()
    with pytest.raises(VpgError, match=r"report\.html"):
        write_report(target, SUMMARY, [])
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
