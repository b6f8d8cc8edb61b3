"""Policies: value maps, selection, rotation, checkpoints."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from vpg_ros import primitives
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy import HeuristicPolicy, RandomPolicy, ValueMaps
from vpg_ros.policy.acting import Evaluator
from vpg_ros.policy.canvas import Canvas, planes, render, restore
from vpg_ros.policy.checkpoint import load, load_policy, save
from vpg_ros.policy.config import INPUT_ROTATIONS, ActingConfig, NetworkConfig
from vpg_ros.policy.device import choose_device
from vpg_ros.policy.maps import admissible_cells, cell_to_pixel, cells_within
from vpg_ros.policy.network import ValueNetwork, fold_batch_norm
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.selection import DOUBT, TRIED_RADIUS, Doubt, select, without_tried
from vpg_ros.policy.views import canvases
from vpg_ros.primitives import DEFAULT_REPERTOIRE

CELL = 2


def scene(*boxes: tuple[float, float, float, float, float]) -> Heightmap:
    """Boxes (column, row, width, length in pixels, degrees), 4 cm high."""
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    for column, row, width, length, degrees in boxes:
        corners = cv2.boxPoints(((column, row), (width, length), degrees))
        cv2.fillPoly(height, [corners.round().astype(np.int32)], 0.04)
    return Heightmap(np.zeros((*height.shape, 3), np.uint8), height, DEFAULT_WORKSPACE)


def random_network(seed: int = 0) -> ValueNetwork:
    """A network whose batch norms are not trivial."""
    torch.manual_seed(seed)
    network = ValueNetwork(NetworkConfig.of_repertoire())
    with torch.no_grad():
        network(torch.randn(4, network.config.input_channels, 32, 32))
    return network.eval()


def policy(seed: int = 0) -> NetworkPolicy:
    return NetworkPolicy(random_network(seed), torch.device("cpu"))


CLUTTER = scene((90, 100, 16, 30, 20), (130, 90, 20, 20, 70), (110, 140, 12, 40, 130))


# -- masks and selection


def test_only_admissible_actions_are_chosen() -> None:
    decision = policy().decide(CLUTTER)
    mask = primitives.get(decision.action.primitive).admissible(CLUTTER)
    action = decision.action
    assert mask[action.rotation, action.row, action.column]


def test_the_best_admissible_value_wins() -> None:
    shape = (8, 112, 112)
    values = {"grasp": np.zeros(shape, np.float32), "push": np.zeros((16, 112, 112), np.float32)}
    values["grasp"][3, 50, 45] = 0.4
    values["push"][9, 20, 30] = 0.7
    values["push"][1, 2, 3] = 0.9  # not admissible
    admissible = {name: np.ones_like(value, bool) for name, value in values.items()}
    admissible["push"][1] = False
    action = select(ValueMaps(values, admissible, CELL), CLUTTER)
    assert (action.primitive, action.rotation) == ("push", 9)
    assert (action.row, action.column) == cell_to_pixel(20, 30, CELL)
    assert action.value == pytest.approx(0.7)
    assert action.angle == pytest.approx(9 * np.pi / 8)


def test_a_value_that_is_no_number_is_never_chosen_from() -> None:
    """Finite weights may overflow; that is no empty table."""
    network = random_network()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 1e30
    with pytest.raises(VpgError) as error:
        NetworkPolicy(network, torch.device("cpu")).decide(CLUTTER)
    assert error.value.code is ErrorCode.VALUES_INVALID


def test_ties_always_go_to_the_same_action() -> None:
    values = {name: np.full((r, 112, 112), 0.5, np.float32) for name, r in
              NetworkConfig.of_repertoire().primitives}  # fmt: skip
    admissible = admissible_cells(CLUTTER, tuple(values), CELL)
    chosen = {repr(select(ValueMaps(values, admissible, CELL), CLUTTER)) for _ in range(3)}
    assert len(chosen) == 1
    assert "primitive='grasp', rotation=0" in chosen.pop()


def test_a_network_decides_the_same_twice() -> None:
    assert policy().decide(CLUTTER).action == policy().decide(CLUTTER).action


def test_tried_actions_and_their_neighbours_are_not_repeated() -> None:
    chosen = policy()
    tried = []
    for _ in range(12):
        action = chosen.decide(CLUTTER, tried).action
        for other in tried:
            if other.primitive != action.primitive:
                continue
            rotations = primitives.get(action.primitive).rotations
            turn = (action.rotation - other.rotation) % rotations
            far = np.hypot(action.row - other.row, action.column - other.column)
            assert min(turn, rotations - turn) > 1 or far * 0.002 > TRIED_RADIUS
        tried.append(action)


def test_trying_masks_nothing_far_away_and_no_other_primitive() -> None:
    admissible = admissible_cells(CLUTTER, ("grasp", "push"), CELL)
    action = primitives.get("grasp").action(101, 91, 0, CLUTTER)
    masked = without_tried(admissible, [action], CLUTTER, CELL)
    assert (masked["push"] == admissible["push"]).all()
    lost = admissible["grasp"] & ~masked["grasp"]
    assert set(np.nonzero(lost)[0]) == {7, 0, 1}
    rows, columns = np.nonzero(lost.any(axis=0))
    assert np.hypot(rows * 2 + 1 - 101, columns * 2 + 1 - 91).max() * 0.002 <= TRIED_RADIUS


def test_failures_lower_the_values_around_them_and_of_their_primitive_alone() -> None:
    values = {name: np.ones((8, 112, 112), np.float32) for name in ("grasp", "push")}
    action = primitives.get("grasp").action(101, 91, 0, CLUTTER)
    once = Doubt([action], CLUTTER, CELL).of(values)
    assert (once["push"] == 1).all()
    assert once["grasp"][5, 50, 45] == pytest.approx(1 - DOUBT)
    assert once["grasp"][5, 50, 100] > 0.999
    row = once["grasp"][0, 50, 45:80]
    assert (np.diff(row) > 0).all()
    twice = Doubt([action, action], CLUTTER, CELL).of(values)
    assert twice["grasp"][5, 50, 45] == pytest.approx((1 - DOUBT) ** 2)
    assert (values["grasp"] == 1).all()


@pytest.mark.parametrize(("value", "fallen"), [(1.0, 0.6), (0.2, 0.2), (0.1, 0.1), (-0.5, -0.5)])
def test_failures_lower_values_towards_that_of_nothing(value: float, fallen: float) -> None:
    """Where an accident is worth 0, what merely fails is worth more."""
    values = {"grasp": np.full((8, 112, 112), value, np.float32)}
    action = primitives.get("grasp").action(101, 91, 0, CLUTTER)
    assert DOUBT == 0.5
    found = Doubt([action], CLUTTER, CELL, nothing=0.2).of(values)
    assert found["grasp"][5, 50, 45] == pytest.approx(fallen)


@pytest.mark.parametrize("chooser", [policy(), RandomPolicy(), HeuristicPolicy()])
def test_an_empty_table_has_no_action(chooser: NetworkPolicy) -> None:
    with pytest.raises(VpgError) as error:
        chooser.decide(scene())
    assert error.value.code is ErrorCode.NO_ADMISSIBLE_ACTION


@pytest.mark.parametrize("chooser", [policy(), RandomPolicy(), HeuristicPolicy()])
def test_a_heightmap_without_any_reading_is_refused(chooser: NetworkPolicy) -> None:
    blind = Heightmap(
        CLUTTER.colour, np.full(DEFAULT_WORKSPACE.shape, np.nan, np.float32), DEFAULT_WORKSPACE
    )
    with pytest.raises(VpgError, match="no valid height") as error:
        chooser.decide(blind)
    assert error.value.code is ErrorCode.HEIGHTMAP_INVALID


def test_unseen_pixels_are_never_acted_on_by_a_grasp() -> None:
    height = CLUTTER.height.copy()
    height[:, 100:] = np.nan
    half = Heightmap(CLUTTER.colour, height, DEFAULT_WORKSPACE)
    decision = policy().decide(half)
    assert not decision.maps.admissible["grasp"][:, :, 51:].any()
    assert np.isfinite(decision.maps.values["grasp"]).all()


# -- baselines


def test_the_random_policy_is_seeded_and_uses_every_primitive() -> None:
    runs = [[RandomPolicy(seed).decide(CLUTTER).action for seed in range(20)] for _ in range(2)]
    assert runs[0] == runs[1]
    assert {action.primitive for action in runs[0]} == set(DEFAULT_REPERTOIRE)


@settings(max_examples=25, deadline=None)
@given(
    column=st.floats(60, 160), row=st.floats(60, 160), degrees=st.floats(0, 179),
)  # fmt: skip
def test_the_heuristic_closes_across_the_narrow_side(
    column: float, row: float, degrees: float
) -> None:
    # The box is 16 px wide along ``degrees``, 36 px across it.
    action = HeuristicPolicy().decide(scene((column, row, 16, 36, degrees))).action
    turn = (action.angle - np.deg2rad(degrees) + np.pi / 2) % np.pi - np.pi / 2
    assert abs(turn) <= np.pi / 16 + 0.06
    assert np.hypot(action.row - row, action.column - column) <= 3


# -- rotation


@settings(max_examples=40, deadline=None)
@given(
    row=st.integers(40, 180), column=st.integers(40, 180), rotation=st.integers(0, 15),
    along=st.integers(-8, 8), across=st.integers(-8, 8),
)  # fmt: skip
def test_what_lies_along_an_action_lies_along_the_canvas(
    row: int, column: int, rotation: int, along: int, across: int
) -> None:
    """A bump ahead of a pixel, in the action's direction, shows up ahead of the anchor cell."""
    angle = rotation * np.pi / 8
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    x = column + CELL * (along * np.cos(angle) - across * np.sin(angle))
    y = row + CELL * (along * np.sin(angle) + across * np.cos(angle))
    cv2.circle(height, (round(x), round(y)), 3, 0.04, -1)
    canvas = Canvas(row, column, angle, 40, 40, 20, 20)
    cells = render(planes(height, None), canvas, CELL)[: CELL**2].mean(axis=0)
    rows, columns = np.indices(cells.shape)
    centre = (cells * rows).sum() / cells.sum(), (cells * columns).sum() / cells.sum()
    assert centre == pytest.approx((20 + across, 20 + along), abs=1.0)


@settings(max_examples=40, deadline=None)
@given(row=st.integers(20, 90), column=st.integers(20, 90), rotation=st.integers(0, 7))
def test_values_come_back_to_the_cell_they_were_made_at(
    row: int, column: int, rotation: int
) -> None:
    """heightmap → canvas → heightmap moves a peak by less than a cell."""
    heights = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    pixel = cell_to_pixel(row, column, CELL)
    cv2.circle(heights, pixel[::-1], 4, 0.04, -1)
    canvas = Canvas(112.3, 108.8, rotation * np.pi / 8, 160, 160, 80, 80)
    there = render(planes(heights, None), canvas, CELL)[: CELL**2].mean(axis=0, keepdims=True)
    back = restore(there, canvas, CELL, (112, 112))[0]
    rows, columns = np.indices(back.shape)
    centre = (back * rows).sum() / back.sum(), (back * columns).sum() / back.sum()
    assert centre == pytest.approx((row, column), abs=1.0)


@pytest.mark.parametrize("steps", [1, 3, 4, 6])
def test_turning_the_scene_turns_the_maps(steps: int) -> None:
    """Turned by k · 22.5° about the workspace's centre, a scene's values turn along: the value at
    rotation r moves to rotation r + k, as long as both are read from the same output channel.
    """
    evaluator = Evaluator(random_network(), torch.device("cpu"))
    boxes = [(90, 100, 18, 34, 20), (140, 95, 22, 22, 70), (105, 150, 14, 40, 130)]
    turn = steps * np.pi / 8
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centres = [spin @ (np.array(box[:2]) - 111.5) + 111.5 for box in boxes]
    degrees = np.rad2deg(turn)
    after = scene(*((*c, b[2], b[3], b[4] + degrees) for c, b in zip(centres, boxes, strict=True)))
    before_maps = evaluator.evaluate(evaluator.look(scene(*boxes)))
    after_maps = evaluator.evaluate(evaluator.look(after))
    for name in DEFAULT_REPERTOIRE:
        for start in range(0, primitives.get(name).rotations, INPUT_ROTATIONS):
            channel = slice(start, start + INPUT_ROTATIONS)
            expected = _turned(before_maps[name][channel], turn)[: INPUT_ROTATIONS - steps]
            got = after_maps[name][channel]
            assert _agreement(expected, got[steps:]) > 0.9
            assert _agreement(expected, got[steps:]) > _agreement(
                expected, np.roll(got, 4, 0)[steps:]
            )


def test_a_part_of_the_table_has_the_values_that_it_has_in_the_whole() -> None:
    evaluator = Evaluator(random_network(), torch.device("cpu"))
    table = scene((60, 60, 18, 34, 20), (180, 180, 22, 22, 70))
    near = cells_within(0.06, 60, 60, table, 1)
    whole, part = (evaluator.look(table, where) for where in (None, near))
    assert part.views[0].rows < whole.views[0].rows
    around = slice(20, 40)
    for name, values in evaluator.evaluate(part).items():
        expected = evaluator.evaluate(whole)[name][:, around, around]
        assert _agreement(expected, values[:, around, around]) > 0.9
        assert not values[:, 80:, 80:].any()


def _agreement(expected: np.ndarray, got: np.ndarray) -> float:
    """Correlation over occupied cells, where neither map is cut off."""
    inside = (expected > 0) & (got > 0)
    return float(np.corrcoef(expected[inside], got[inside])[0, 1])


def _turned(maps: np.ndarray, angle: float) -> np.ndarray:
    """Maps turned about the workspace's centre, which is 55.25 in cell coordinates."""
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]])  # from turned back to unturned
    matrix = np.column_stack([turn, 55.25 - turn @ [55.25, 55.25]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack([cv2.warpAffine(m, matrix, m.shape[::-1], flags=flags) for m in maps])


def test_every_occupied_pixel_lies_on_every_canvas() -> None:
    views = canvases(CLUTTER, CELL)
    assert len(views) == INPUT_ROTATIONS
    for view in views:
        ones = np.ones((1, view.rows, view.columns), np.float32)
        seen = restore(ones, view, CELL, (112, 112))[0] > 0.99
        assert seen[CLUTTER.occupied[1::2, 1::2]].all()


def test_folding_batch_norm_changes_nothing() -> None:
    network = random_network()
    inputs = torch.randn(2, network.config.input_channels, 32, 48)
    with torch.no_grad():
        assert torch.allclose(network(inputs), fold_batch_norm(network)(inputs), atol=1e-4)


def test_workspaces_of_other_sizes_work() -> None:
    workspace = Workspace(0.2, -0.1, 0.0, 0.002, 100, 160)
    height = np.zeros(workspace.shape, np.float32)
    height[40:60, 70:90] = 0.04
    heightmap = Heightmap(np.zeros((*workspace.shape, 3), np.uint8), height, workspace)
    decision = policy().decide(heightmap)
    assert decision.maps.values["push"].shape == (16, 50, 80)


# -- checkpoints


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save(path, random_network(), {"actions": 7})
    return path


def test_values_are_meant_as_they_were_learned(checkpoint: Path, tmp_path: Path) -> None:
    """Averaged over as many cells, and falling towards the same value of nothing."""
    acting = ActingConfig(smoothing=1, nothing=0.4)
    path = tmp_path / "single.safetensors"
    save(path, random_network(), acting=acting)
    single, averaged = (load_policy(each, "cpu") for each in (path, checkpoint))
    action = averaged.decide(CLUTTER).action
    ours = NetworkPolicy(random_network(), torch.device("cpu"), acting=acting)
    for tried in ([], [action]):
        found, expected, other = (p.maps(CLUTTER, tried).values for p in (single, ours, averaged))
        assert all((found[name] == expected[name]).all() for name in found)
        assert any((found[name] != other[name]).any() for name in found)


def test_a_loaded_policy_decides_as_the_saved_network(checkpoint: Path) -> None:
    loaded = load_policy(checkpoint, "cpu", DEFAULT_WORKSPACE)
    assert len(loaded.checkpoint) == 12
    ours, theirs = policy().decide(CLUTTER), loaded.decide(CLUTTER)
    assert theirs.action.checkpoint == loaded.checkpoint
    assert (ours.maps.values["push"] == theirs.maps.values["push"]).all()


def test_the_same_weights_have_the_same_digest(tmp_path: Path) -> None:
    digests = {
        save(tmp_path / str(i), random_network(), {"actions": 7, "seed": 1}) for i in range(5)
    }
    assert len(digests) == 1
    assert save(tmp_path / "other", random_network(1)) not in digests


def test_saved_weights_come_back_exactly(checkpoint: Path) -> None:
    network, _ = load(checkpoint)
    for name, value in random_network().state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name


def refusal(path: Path, **options: object) -> VpgError:
    with pytest.raises(VpgError) as error:
        load_policy(path, **options)  # type: ignore[arg-type]
    assert "\n" not in error.value.message
    return error.value


def test_a_missing_checkpoint(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path):
        error = refusal(path)
        assert error.code is ErrorCode.CHECKPOINT_MISSING
        assert str(path) in error.message


@settings(max_examples=15, deadline=None)
@given(share=st.floats(0, 0.999))
def test_a_truncated_checkpoint(share: float, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("truncated") / "weights.safetensors"
    save(path, random_network())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert refusal(path).code is ErrorCode.CHECKPOINT_CORRUPT


def test_a_file_that_is_no_checkpoint(tmp_path: Path) -> None:
    text = tmp_path / "text.safetensors"
    text.write_text("these are not weights, but long enough to look like something")
    assert refusal(text).code is ErrorCode.CHECKPOINT_CORRUPT
    foreign = tmp_path / "foreign.safetensors"
    save_file({"w": torch.zeros(3)}, foreign)
    assert refusal(foreign).code is ErrorCode.CHECKPOINT_CORRUPT


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    network = random_network()
    with torch.no_grad():
        next(network.parameters()).flatten()[0] = torch.nan
    path = tmp_path / "weights.safetensors"
    save(path, network)
    error = refusal(path)
    assert error.code is ErrorCode.CHECKPOINT_CORRUPT and "not finite" in error.message


def rewritten(path: Path, **changes: object) -> Path:
    """The checkpoint with entries of its configuration replaced."""
    config = NetworkConfig.of_repertoire().to_json() | changes
    header = json.dumps({"format": "vpg_ros value network 1", "config": config})
    save_file(load_file(path), path, {"vpg_ros": header})
    return path


def test_a_checkpoint_of_another_network_shape(checkpoint: Path) -> None:
    error = refusal(rewritten(checkpoint, widths=(8, 16, 32)))
    assert error.code is ErrorCode.CHECKPOINT_MISMATCH
    assert "shape" in error.message


def test_a_checkpoint_of_other_primitives(checkpoint: Path) -> None:
    error = refusal(rewritten(checkpoint, primitives=[["grasp", 8], ["juggle", 16]]))
    assert error.code is ErrorCode.CHECKPOINT_MISMATCH
    assert "juggle" in error.message


def test_a_checkpoint_of_another_head(checkpoint: Path) -> None:
    error = refusal(rewritten(checkpoint, head="oracle"))
    assert error.code is ErrorCode.CHECKPOINT_MISMATCH
    assert "oracle" in error.message


def test_a_checkpoint_with_an_unreadable_configuration(checkpoint: Path) -> None:
    assert refusal(rewritten(checkpoint, cell="two")).code is ErrorCode.CHECKPOINT_CORRUPT


def test_a_workspace_of_another_resolution(checkpoint: Path) -> None:
    coarse = Workspace(-0.724, -0.224, 0.0, 0.004, 112, 112)
    error = refusal(checkpoint, workspace=coarse)
    assert error.code is ErrorCode.CHECKPOINT_MISMATCH
    assert "0.004" in error.message
    heightmap = Heightmap(
        np.zeros((112, 112, 3), np.uint8), np.zeros((112, 112), np.float32), coarse
    )
    with pytest.raises(VpgError) as late:
        load_policy(checkpoint).decide(heightmap)
    assert late.value.code is ErrorCode.CHECKPOINT_MISMATCH


def test_unwritable_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(VpgError, match="nowhere"):
        save(tmp_path / "nowhere" / "weights.safetensors", random_network())


def test_devices(checkpoint: Path) -> None:
    assert choose_device("cpu").type == "cpu"
    assert refusal(checkpoint, device="abacus").code is ErrorCode.PARAMETER_INVALID
    if torch.cuda.is_available():
        assert choose_device("auto").type == "cuda"
    else:
        assert choose_device("auto").type == "cpu"
        assert refusal(checkpoint, device="cuda").code is ErrorCode.DEVICE_UNAVAILABLE
