"""The transition store: what is written is read, whatever happens to the file in between."""

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from mcap_ros2.writer import Writer
from numpy.typing import NDArray

from vpg_ros import __version__
from vpg_ros.action import Action, Transition
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, Workspace, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.learner import Learner
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.store import (
    SegmentWriter,
    TransitionWriter,
    info,
    read_transitions,
    schema,
)
from vpg_ros.motion import Outcome
from vpg_ros.policy.config import NetworkConfig

WORKSPACE = Workspace(-0.724, -0.224, 0.0, 0.002, 24, 32)
ROOT = Path(__file__).resolve().parents[1]


def heightmap(seed: int, stamp: float, workspace: Workspace = WORKSPACE) -> Heightmap:
    generator = np.random.default_rng(seed)
    height = generator.normal(0.02, 0.02, workspace.shape).astype(np.float32)
    height[generator.random(workspace.shape) < 0.1] = np.nan
    colour = generator.integers(0, 256, (*workspace.shape, 3), np.uint8)
    return Heightmap(colour, height, workspace, stamp)


def transition(step: int, workspace: Workspace = WORKSPACE) -> Transition:
    primitive = ("grasp", "push")[step % 2]
    pose = tool_down(-0.5, 0.1 + step / 100, 0.03, 0.4)
    return Transition(
        episode="one",
        step=step,
        before=heightmap(2 * step, 10.0 + step, workspace),
        action=Action(
            primitive, 3, 5, 7, 1.178, pose, 0.75, 0.125, "network", "0123456789ab", 0.25
        ),
        outcome=Outcome(step % 3 == 0, 0.041, 12.5, 3.25, ErrorCode.OK, ""),
        reward=float(step % 3 == 0),
        after=heightmap(2 * step + 1, 10.5 + step, workspace),
        done=False,
    )


def assert_same(read: Transition, written: Transition) -> None:
    for name in ("before", "after"):
        found, expected = getattr(read, name), getattr(written, name)
        assert found.colour.dtype == np.uint8 and found.height.dtype == np.float32
        np.testing.assert_array_equal(found.colour, expected.colour)
        np.testing.assert_array_equal(found.height, expected.height)
        assert found.workspace == expected.workspace
        assert found.stamp == pytest.approx(expected.stamp, abs=1e-9)
    empty = replace(written, before=read.before, after=read.after)
    assert read == empty


def write(path: Path, count: int) -> list[Transition]:
    transitions = [transition(step) for step in range(count)]
    with TransitionWriter(path, {"scene": "random", "seed": 7}) as writer:
        for each in transitions:
            writer.write(each)
    return transitions


def code_of(error: pytest.ExceptionInfo[VpgError]) -> ErrorCode:
    return error.value.code


def test_what_is_written_is_read_pixel_by_pixel(tmp_path: Path) -> None:
    written = write(tmp_path / "a.mcap", 4)
    read = list(read_transitions(tmp_path / "a.mcap"))
    assert len(read) == 4
    for found, expected in zip(read, written, strict=True):
        assert_same(found, expected)


def test_an_outcome_with_an_error_survives(tmp_path: Path) -> None:
    outcome = Outcome(False, 0.0, 61.0, 0.5, ErrorCode.PROTECTIVE_STOP, "arm stopped “hard”")
    with TransitionWriter(tmp_path / "a.mcap") as writer:
        writer.write(replace(transition(0), outcome=outcome, done=True))
    (read,) = read_transitions(tmp_path / "a.mcap")
    assert read.outcome == outcome and read.done


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    value=st.floats(allow_nan=False),
    stamp=st.integers(0, (2**31 - 2) * 10**9),
    episode=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    pixel=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)),
)
def test_any_values_survive(
    tmp_path: Path, value: float, stamp: int, episode: str, pixel: tuple[int, int]
) -> None:
    path = tmp_path / "any.mcap"
    path.unlink(missing_ok=True)
    base = transition(0)
    action = replace(base.action, value=value, row=pixel[0], column=pixel[1])
    before = replace(base.before, stamp=stamp * 1e-9)
    each = replace(base, episode=episode, action=action, before=before, reward=value)
    with TransitionWriter(path) as writer:
        writer.write(each)
    (read,) = read_transitions(path)
    assert (read.episode, read.action, read.reward) == (episode, action, value)
    assert read.before.stamp == pytest.approx(stamp * 1e-9, abs=1e-6)


def test_any_mcap_reader_understands_the_file(tmp_path: Path) -> None:
    written = write(tmp_path / "a.mcap", 2)
    with (tmp_path / "a.mcap").open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        messages = [decoded[3] for decoded in reader.iter_decoded_messages(topics=["transition"])]
        statistics = reader.get_summary().statistics  # type: ignore[union-attr]
        metadata = {record.name: record.metadata for record in reader.iter_metadata()}
    assert [message.step for message in messages] == [0, 1]
    assert messages[1].before.height.data == written[1].before.height.tobytes()
    assert statistics is not None and statistics.chunk_count == 2
    assert metadata["vpg_ros"]["scene"] == '"random"'
    assert metadata["workspace"]["rows"] == "24"


def test_the_definition_is_that_of_the_message_files() -> None:
    folders = {"vpg_msgs": ROOT / "vpg_msgs" / "msg"}
    share = Path(sys.prefix) / "share"
    checked = 0
    for block in re.split("^=+\n", schema.DEFINITION, flags=re.MULTILINE):
        match = re.match(r"MSG: (\w+)/(\w+)\n", block)
        package, name = match.groups() if match else ("vpg_msgs", "Transition")
        path = folders.get(package, share / package / "msg") / f"{name}.msg"
        if not path.exists():
            assert package != "vpg_msgs", f"{path} is gone"
            continue  # a message of ROS itself, whose files are not installed here
        lines = [re.sub(r"\s*#.*", "", line).strip() for line in path.read_text().splitlines()]
        expected = [re.sub(r"\s+", " ", line) for line in lines if line]
        assert block[match.end() if match else 0 :].splitlines() == expected, path
        checked += 1
    assert checked >= 5


def test_info_counts_and_keeps_the_metadata(tmp_path: Path) -> None:
    write(tmp_path / "a.mcap", 5)
    found = info(tmp_path / "a.mcap")
    assert (found.transitions, found.episodes, found.complete, found.unreadable) == (5, 1, True, 0)
    assert found.actions == {"grasp": 3, "push": 2}
    assert found.successes == {"grasp": 1, "push": 1}
    assert found.workspace == WORKSPACE
    assert found.metadata["version"] == __version__
    assert found.metadata["seed"] == 7
    assert "grasp" in found.metadata["primitives"]


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "run2").mkdir()
    write(tmp_path / "run2" / "b.mcap", 2)
    write(tmp_path / "a.mcap", 3)
    assert [each.step for each in read_transitions(tmp_path)] == [0, 1, 2, 0, 1]
    found = info(tmp_path)
    assert (found.transitions, found.episodes, len(found.files)) == (5, 2, 2)


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Transition]]:
    """A store of seven transitions, as bytes."""
    path = tmp_path_factory.mktemp("seven") / "whole.mcap"
    written = write(path, 7)
    return path.read_bytes(), written


def check_prefix(path: Path, data: bytes, written: list[Transition]) -> int:
    path.write_bytes(data)
    read = list(read_transitions(path))
    for found, expected in zip(read, written, strict=False):
        assert_same(found, expected)
    found = info(path)
    assert found.transitions == len(read) and 0 <= found.unreadable <= len(data)
    return len(read)


@pytest.mark.parametrize("sevenths", range(8))
def test_a_cut_off_file_gives_its_whole_transitions(
    tmp_path: Path, seven: tuple[bytes, list[Transition]], sevenths: int
) -> None:
    data, written = seven
    count = check_prefix(tmp_path / "cut.mcap", data[: len(data) * sevenths // 7], written)
    assert abs(count - sevenths) <= 1


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(fraction=st.floats(0, 1))
def test_a_file_cut_anywhere_gives_a_prefix(
    tmp_path: Path, seven: tuple[bytes, list[Transition]], fraction: float
) -> None:
    data, written = seven
    check_prefix(tmp_path / "cut.mcap", data[: int(fraction * len(data))], written)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(fraction=st.floats(0.05, 1, exclude_max=True), junk=st.binary(min_size=1, max_size=40))
def test_a_damaged_chunk_ends_the_file_there(
    tmp_path: Path, seven: tuple[bytes, list[Transition]], fraction: float, junk: bytes
) -> None:
    data, written = seven
    at = int(fraction * len(data))
    damaged = data[:at] + junk + data[at + len(junk) :]
    check_prefix(tmp_path / "damaged.mcap", damaged[: len(data)], written)


def test_what_is_lost_is_said(
    tmp_path: Path, seven: tuple[bytes, list[Transition]], caplog: pytest.LogCaptureFixture
) -> None:
    data, _ = seven
    path = tmp_path / "cut.mcap"
    path.write_bytes(data[: len(data) // 2])
    read = list(read_transitions(path))
    found = info(path)
    assert not found.complete and 0 < found.unreadable < len(data) // 2
    assert 0 < len(read) < 7
    assert f"{found.unreadable} bytes are not read" in caplog.text


def test_a_store_without_its_end_lost_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "open.mcap"
    writer = TransitionWriter(path)  # as one that is still written to, or was killed in between
    writer.write(transition(0))
    assert len(list(read_transitions(path))) == 1
    assert "was not closed" in caplog.text and "not read" not in caplog.text
    assert "not closed, nothing lost" in vpg("dataset", "info", str(path)).stdout
    writer.close()


WRITE_FOR_EVER = """
    import itertools, sys
    sys.path.insert(0, {folder!r})
    from test_store import transition
    from vpg_ros.learning.store import TransitionWriter
    writer = TransitionWriter({path!r})
    for step in itertools.count():
        writer.write(transition(step))
        print(step, flush=True)
"""


def test_killed_while_writing_all_finished_transitions_remain(tmp_path: Path) -> None:
    path = tmp_path / "killed.mcap"
    program = textwrap.dedent(WRITE_FOR_EVER).format(
        folder=str(Path(__file__).parent), path=str(path)
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 20:
            break
    os.kill(process.pid, signal.SIGKILL)
    finished = 21 + sum(1 for _ in process.stdout)
    process.wait(timeout=10)
    read = list(read_transitions(path))
    assert [each.step for each in read[:finished]] == list(range(finished))
    assert len(read) <= finished + 1
    assert_same(read[-1], transition(len(read) - 1))
    assert not info(path).complete


FILL_THE_DISK = """
    import resource, sys
    sys.path.insert(0, {folder!r})
    from test_store import transition
    from vpg_ros.errors import VpgError
    from vpg_ros.learning.store import TransitionWriter
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
    with TransitionWriter({path!r}) as writer:
        for step in range(100):
            try:
                writer.write(transition(step))
            except VpgError as error:
                print(step, error.code.name, error.message)
"""


def test_a_full_disk_loses_nothing_written_before(tmp_path: Path) -> None:
    path = tmp_path / "full.mcap"
    program = textwrap.dedent(FILL_THE_DISK).format(
        folder=str(Path(__file__).parent), path=str(path), limit=40_000
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    step, code, sentence = done.stdout.splitlines()[0].split(maxsplit=2)
    assert code == "DISK_FULL" and str(path) in sentence
    assert len(done.stdout.splitlines()) == 100 - int(step)
    read = list(read_transitions(path))
    assert [each.step for each in read] == list(range(int(step)))
    found = info(path)
    assert found.unreadable == 0 and found.size <= 40_000


# -- stores that are continued


def record(folder: Path, count: int, steps: range, whole: bool) -> None:
    """Continue a store after its first ``count`` transitions; ended by a kill unless ``whole``."""
    writer = SegmentWriter(folder, count)
    for step in steps:
        writer.write(transition(step))
    if whole:
        writer.close()


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("kept", range(6))
def test_a_continued_store_has_every_transition_once(
    tmp_path: Path, whole: bool, kept: int
) -> None:
    record(tmp_path, 0, range(3), whole)
    record(tmp_path, 3, range(3, 5), whole)
    with max(tmp_path.iterdir()).open("ab") as file:
        file.write(b"" if whole else b"\x06half a chunk")
    record(tmp_path, kept, range(kept, 7), True)
    read = list(read_transitions(tmp_path))
    assert len(read) == 7
    for step, found in enumerate(read):
        assert_same(found, transition(step))
    assert info(tmp_path).unreadable == 0


def test_what_a_continued_store_lacks_is_said(tmp_path: Path) -> None:
    record(tmp_path, 0, range(3), True)
    before = (tmp_path / "00000.mcap").read_bytes()
    with pytest.raises(VpgError, match="holds 3 of the 4") as error:
        SegmentWriter(tmp_path, 4)
    assert code_of(error) == ErrorCode.STORE_UNREADABLE
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]


# -- learning from a store


def weights_after(transitions: Iterable[Transition]) -> dict[str, NDArray[Any]]:
    """What is learned from transitions, one update after each."""
    learner = Learner(
        NetworkConfig.of_repertoire(colour=True), LearnerConfig(batch=4), DEFAULT_WORKSPACE, 3
    )
    for each in transitions:
        learner.add(each)
        learner.update()
    return {name: value.numpy() for name, value in learner.network.state_dict().items()}


def test_a_store_teaches_what_its_transitions_do(tmp_path: Path) -> None:
    made = [transition(step, DEFAULT_WORKSPACE) for step in range(4)]
    made = [replace(each, action=replace(each.action, row=90, column=120)) for each in made]
    with TransitionWriter(tmp_path / "a.mcap") as writer:
        for each in made:
            writer.write(each)
    online, offline = weights_after(made), weights_after(read_transitions(tmp_path))
    untaught = weights_after([])
    assert any((online[name] != untaught[name]).any() for name in online)
    for name, value in online.items():
        np.testing.assert_array_equal(offline[name], value)


# -- what is refused


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "a.mcap", 2)
    with pytest.raises(VpgError, match=r"a\.mcap.*exists") as error:
        TransitionWriter(tmp_path / "a.mcap")
    assert code_of(error) == ErrorCode.PARAMETER_INVALID
    assert info(tmp_path / "a.mcap").transitions == 2


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(VpgError, match="nowhere"):
        TransitionWriter(tmp_path / "nowhere" / "a.mcap")


def test_another_workspace_is_refused_in_writing_and_reading(tmp_path: Path) -> None:
    other = replace(WORKSPACE, resolution=0.004)
    with TransitionWriter(tmp_path / "a.mcap") as writer:
        writer.write(transition(0))
        with pytest.raises(VpgError, match="resolution") as error:
            writer.write(transition(1, other))
        assert code_of(error) == ErrorCode.STORE_MISMATCH
        writer.write(transition(2))
    assert [each.step for each in read_transitions(tmp_path, WORKSPACE)] == [0, 2]
    with pytest.raises(VpgError, match="resolution") as error:
        list(read_transitions(tmp_path, other))
    assert code_of(error) == ErrorCode.STORE_MISMATCH


@pytest.mark.parametrize(
    ("change", "named"),
    [("float64 reward\n", "reward"), ("float64 peak_force\n", "peak_force")],
)
def test_a_missing_field_is_named(tmp_path: Path, change: str, named: str) -> None:
    from vpg_ros.learning.store.codec import encode

    definition = schema.DEFINITION.replace(change, "")
    with (tmp_path / "old.mcap").open("wb") as stream, Writer(stream) as writer:
        kind = writer.register_msgdef(schema.NAME, definition)
        writer.write_message(schema.TOPIC, kind, encode(transition(0)), 0)
    with pytest.raises(VpgError, match=named) as error:
        list(read_transitions(tmp_path / "old.mcap"))
    assert code_of(error) == ErrorCode.STORE_MISMATCH


def test_a_recording_of_something_else_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "other.mcap").open("wb") as stream, Writer(stream) as writer:
        kind = writer.register_msgdef("std_msgs/msg/String", "string data")
        writer.write_message("chatter", kind, {"data": "hello"}, 0)
    with pytest.raises(VpgError, match="std_msgs/msg/String") as error:
        list(read_transitions(tmp_path / "other.mcap"))
    assert code_of(error) == ErrorCode.STORE_MISMATCH


@pytest.mark.parametrize("name", ["missing.mcap", "text.mcap", "folder"])
def test_what_is_no_store_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.mcap").write_text("not a recording at all")
    (tmp_path / "folder").mkdir()
    with pytest.raises(VpgError, match=name) as error:
        list(read_transitions(tmp_path / name))
    assert code_of(error) == ErrorCode.STORE_UNREADABLE


def vpg(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vpg_ros.cli.main", *arguments]
    environment = {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, check=False
    )


def test_vpg_dataset_info_counts(tmp_path: Path) -> None:
    write(tmp_path / "a.mcap", 5)
    done = vpg("dataset", "info", str(tmp_path / "a.mcap"))
    assert done.returncode == 0, done.stderr
    for expected in ("3, 1 successful (33%)", "24 × 32 pixels of 2 mm", "complete", "seed"):
        assert expected in done.stdout


def test_vpg_dataset_view_writes_pictures_and_a_report(tmp_path: Path) -> None:
    write(tmp_path / "a.mcap", 3)
    out = tmp_path / "out"
    done = vpg("dataset", "view", str(tmp_path), "--out", str(out), "--limit", "2")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "00000-grasp.png",
        "00001-push.png",
        "report.html",
    ]
    assert (out / "00000-grasp.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "report.html").read_text().count("<article") == 2


def test_vpg_dataset_view_of_nothing_overwrites_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.mcap", 0)
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("of something")
    done = vpg("dataset", "view", str(tmp_path / "a.mcap"), "--out", str(out))
    assert done.returncode == 1 and "holds no transitions" in done.stderr
    assert (out / "report.html").read_text() == "of something"


def test_vpg_dataset_on_nothing_is_one_sentence(tmp_path: Path) -> None:
    done = vpg("dataset", "info", str(tmp_path / "missing"))
    assert done.returncode == 1
    assert "missing" in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_ros_reads_the_stored_bytes(tmp_path: Path) -> None:
    serialization = pytest.importorskip("rclpy.serialization", reason="no ROS 2 here")
    messages = pytest.importorskip("vpg_msgs.msg", reason="vpg_msgs is not built")
    (written,) = write(tmp_path / "a.mcap", 1)
    with (tmp_path / "a.mcap").open("rb") as stream:
        ((_, _, message),) = make_reader(stream).iter_messages()
    read = serialization.deserialize_message(message.data, messages.Transition)
    assert (read.episode, read.action.primitive, read.action.value) == ("one", "grasp", 0.75)
    assert read.outcome.gripper_width == written.outcome.gripper_width
    assert bytes(read.after.height.data) == written.after.height.tobytes()
    assert read.before.workspace.rows == WORKSPACE.rows
    assert read.before.header.stamp.sec == 10 and read.before.header.frame_id == "base"
