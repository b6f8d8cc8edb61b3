"""Exported datasets, read back by the library whose format they are in."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_store import ROOT, WORKSPACE, transition, vpg

from vpg_ros.action import Transition
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.learning import gym_spaces
from vpg_ros.learning.store import TransitionWriter
from vpg_ros.learning.store.export import export_minari
from vpg_ros.primitives import DEFAULT_REPERTOIRE

minari = pytest.importorskip("minari", reason="requirements/export.txt is not installed")


def episode(name: str, count: int, clear: bool) -> list[Transition]:
    """Transitions of one episode, the last one clear or not."""
    steps = [replace(transition(step), episode=name) for step in range(count)]
    return [*steps[:-1], replace(steps[-1], done=clear)]


def write(path: Path, transitions: list[Transition]) -> None:
    with TransitionWriter(path) as writer:
        for each in transitions:
            writer.write(each)


def assert_exported(dataset: "minari.MinariDataset", episodes: list[list[Transition]]) -> None:
    assert dataset.total_episodes == len(episodes)
    assert dataset.total_steps == sum(len(steps) for steps in episodes)
    for found, steps in zip(dataset.iterate_episodes(), episodes, strict=True):
        assert len(found) == len(steps)
        for key in ("height", "seen", "colour"):
            maps = [*(step.before for step in steps), steps[-1].after]
            expected = np.stack([gym_spaces.observation(each)[key] for each in maps])
            np.testing.assert_array_equal(found.observations[key], expected)
            assert found.observations[key].dtype == dataset.observation_space[key].dtype
        names = [DEFAULT_REPERTOIRE[place] for place in found.actions[:, 0]]
        assert names == [step.action.primitive for step in steps]
        cells = [(s.action.rotation, s.action.row, s.action.column) for s in steps]
        assert [tuple(cell) for cell in found.actions[:, 1:]] == cells
        assert list(found.rewards) == [step.reward for step in steps]
        assert list(found.terminations) == [step.done for step in steps]
        assert list(found.truncations) == [*[False] * (len(steps) - 1), not steps[-1].done]
        assert list(found.infos["success"][1:]) == [step.outcome.success for step in steps]
        errors = [text.decode() for text in found.infos["error"][1:]]
        assert errors == [step.outcome.error_msg for step in steps]


def test_a_reward_that_is_no_number_is_not_exported(tmp_path: Path) -> None:
    write(tmp_path / "a.mcap", [replace(transition(0), reward=math.nan)])
    done = vpg("dataset", "export", str(tmp_path / "a.mcap"), "--out", str(tmp_path / "set"))
    assert done.returncode == 1 and "is nan; it must be finite" in done.stderr
    assert not (tmp_path / "set").exists()


def test_minari_reads_what_the_store_holds(tmp_path: Path) -> None:
    failed = replace(
        transition(1).outcome, error_code=ErrorCode.PROTECTIVE_STOP, error_msg="arm stopped “hard”"
    )
    cleared, given_up, other = episode("a", 3, True), episode("b", 2, False), episode("b", 1, True)
    given_up[1] = replace(given_up[1], outcome=failed)
    (tmp_path / "store").mkdir()
    write(tmp_path / "store" / "0.mcap", [*cleared, *given_up])
    write(tmp_path / "store" / "1.mcap", other)  # of the same name, but another episode
    done = vpg(
        "dataset", "export", str(tmp_path / "store"), "--out", str(tmp_path / "sets" / "clutter-v3")
    )
    assert done.returncode == 0, done.stderr
    assert "6 transitions in 3 episodes" in done.stdout and "Traceback" not in done.stderr
    dataset = minari.MinariDataset(tmp_path / "sets" / "clutter-v3" / "data")
    assert_exported(dataset, [cleared, given_up, other])
    assert dataset.observation_space == gym_spaces.observation_space(WORKSPACE)
    assert dataset.action_space == gym_spaces.action_space(WORKSPACE)
    assert all(dataset.action_space.contains(a) for e in dataset for a in e.actions)
    assert dataset.storage.metadata["workspace"]["resolution"] == WORKSPACE.resolution


def test_colours_of_full_size_stay_as_they_are(tmp_path: Path) -> None:
    step = transition(0, DEFAULT_WORKSPACE)
    write(tmp_path / "a.mcap", [step])
    assert export_minari(tmp_path / "a.mcap", tmp_path / "out") == (1, 1)
    assert_exported(minari.MinariDataset(tmp_path / "out" / "data"), [[step]])


def test_minari_finds_a_dataset_by_its_name(tmp_path: Path) -> None:
    write(tmp_path / "a.mcap", episode("a", 2, True))
    export_minari(tmp_path / "a.mcap", tmp_path / "clutter-v0")
    program = "import minari; print(minari.load_dataset('clutter-v0').total_steps)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"MINARI_DATASETS_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "2", done.stderr


@pytest.mark.parametrize("name", ["my data", "clutter", "..v1", "-v2"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.mcap", episode("a", 1, True))
    export_minari(tmp_path / "a.mcap", tmp_path / name)
    dataset = minari.MinariDataset(tmp_path / name / "data")
    assert dataset.total_steps == 1 and dataset.spec.dataset_id


def test_a_cut_off_store_exports_what_is_readable(tmp_path: Path) -> None:
    steps = episode("a", 4, True)
    write(tmp_path / "a.mcap", steps)
    data = (tmp_path / "a.mcap").read_bytes()
    (tmp_path / "a.mcap").write_bytes(data[: len(data) * 5 // 8])
    done = vpg("dataset", "export", str(tmp_path / "a.mcap"), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    (warning,) = done.stderr.splitlines()
    assert "a.mcap was cut off" in warning and "bytes are not read" in warning
    dataset = minari.MinariDataset(tmp_path / "out" / "data")
    assert 1 <= dataset.total_steps < 4
    assert_exported(dataset, [steps[: dataset.total_steps]])


def test_a_relative_folder_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    episodes = [episode("a", 2, True)]
    write(tmp_path / "a.mcap", episodes[0])
    monkeypatch.chdir(tmp_path)
    export_minari(Path("a.mcap"), Path("sets/table-v0"))
    assert_exported(minari.MinariDataset(tmp_path / "sets" / "table-v0" / "data"), episodes)


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "a.mcap", episode("a", 1, True))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("keep")
    with pytest.raises(VpgError, match="exists") as error:
        export_minari(tmp_path / "a.mcap", tmp_path / "out")
    assert error.value.code is ErrorCode.PARAMETER_INVALID
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_an_empty_store_is_one_sentence(tmp_path: Path) -> None:
    write(tmp_path / "a.mcap", [])
    done = vpg("dataset", "export", str(tmp_path / "a.mcap"), "--out", str(tmp_path / "out"))
    assert done.returncode == 1 and not (tmp_path / "out").exists()
    (line,) = done.stderr.splitlines()
    assert "a.mcap holds no transitions" in line


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    strange = replace(transition(1), action=replace(transition(1).action, primitive="juggle"))
    write(tmp_path / "a.mcap", [transition(0), strange])
    with pytest.raises(VpgError, match="juggle") as error:
        export_minari(tmp_path / "a.mcap", tmp_path / "out")
    assert error.value.code is ErrorCode.STORE_MISMATCH
    assert [path.name for path in tmp_path.iterdir()] == ["a.mcap"]


def test_without_minari_its_installation_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.mcap", [transition(0)])
    program = (
        "import sys; sys.modules['minari'] = None; from vpg_ros.cli.main import main;"
        f"sys.exit(main(['dataset', 'export', {str(tmp_path / 'a.mcap')!r}, '--out', 'out']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "vpg_ros[export]" in line
