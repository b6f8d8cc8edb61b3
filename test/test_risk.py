"""Risk measures: against closed forms, and as heads fold and policies use them."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from vpg_ros import primitives
from vpg_ros.choices import HEADS, RISKS
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.checkpoint import load_policy, save
from vpg_ros.policy.config import ActingConfig, NetworkConfig
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.heads import DistributionalHead, make_head
from vpg_ros.policy.maps import pixel_to_cell
from vpg_ros.policy.network import Network, make_network
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.refining import refine
from vpg_ros.policy.risk import DEVIATION, MEAN, MEASURES, Distortion, make_risk
from vpg_ros.policy.selection import highest, select
from vpg_ros.policy.window import Window

CPU = torch.device("cpu")
DISTRIBUTIONAL = [name for name in HEADS if name != "scalar"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


# -- the measures

FINE = (np.arange(20000) + 0.5) / 20000
NORMAL = Distribution(
    torch.tensor(stats.norm.ppf(FINE, 0.5, 0.1)), torch.full((20000,), 1 / 20000).double()
)


@pytest.mark.parametrize(
    ("name", "alpha", "expected"),
    [
        ("mean", 0.25, 0.5),
        # Mean of a normal distribution's lower tail: μ − σ φ(Φ⁻¹(α)) / α.
        ("cvar", 0.2, 0.5 - 0.1 * stats.norm.pdf(stats.norm.ppf(0.2)) / 0.2),
        ("cvar", 1.0, 0.5),
        ("var", 0.1, stats.norm.ppf(0.1, 0.5, 0.1)),
        # Wang's transform shifts a normal distribution by α σ (Wang 2000).
        ("wang", 0.75, 0.5 - 0.075),
        ("wang", -0.75, 0.5 + 0.075),
        # The lowest, or highest, of two draws: μ ∓ σ / √π.
        ("power", 1.0, 0.5 - 0.1 / np.sqrt(np.pi)),
        ("power", -1.0, 0.5 + 0.1 / np.sqrt(np.pi)),
        ("mean_std", 1.5, 0.5 - 0.15),
    ],
)
def test_measures_of_a_normal_distribution(name: str, alpha: float, expected: float) -> None:
    assert float(make_risk(name, alpha).of(NORMAL)) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize(("alpha", "expected"), [(0.5, 0.4), (0.3, 0.0), (0.2, 0.0), (1.0, 0.7)])
def test_the_tail_of_a_pick_that_works_in_7_of_10(alpha: float, expected: float) -> None:
    pick = Distribution(torch.tensor([0.0, 1.0]), torch.tensor([[0.3, 0.7]]))
    assert float(make_risk("cvar", alpha).of(pick)) == pytest.approx(expected, abs=1e-6)


@st.composite
def some(draw: st.DrawFn) -> Distribution:
    atoms = sorted(draw(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=8)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    shares = rng.dirichlet(np.ones(len(atoms)))
    return Distribution(torch.tensor(atoms).double(), torch.tensor(shares))


@settings(max_examples=80, deadline=None)
@given(distribution=some(), name=st.sampled_from(tuple(RISKS)), alpha=st.floats(0.05, 1.0))
def test_a_careful_measure_is_coherent_with_the_mean(
    distribution: Distribution, name: str, alpha: float
) -> None:
    """None but the value at risk exceeds the mean; all shift and scale with the returns."""
    measure = make_risk(name, alpha)
    value = float(measure.of(distribution))
    if name != "var":
        assert value <= float(distribution.mean) + 1e-6
    moved = Distribution(0.1 + 0.8 * distribution.atoms, distribution.probabilities)
    assert float(measure.of(moved)) == pytest.approx(0.1 + 0.8 * value, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    distribution=some(),
    name=st.sampled_from(tuple(RISKS)),
    alpha=st.floats(0.05, 1.0),
    crossed=st.booleans(),
)
def test_distorted_probabilities_say_the_same(
    distribution: Distribution, name: str, alpha: float, crossed: bool
) -> None:
    """Of one distribution as of many, and of quantiles that cross, in the order of their levels."""
    measure = make_risk(name, alpha)
    if crossed:
        distribution = replace(distribution, atoms=distribution.atoms.flip(0))
    if isinstance(measure, Distortion):
        one_of_many = Distribution(distribution.atoms[None], distribution.probabilities)
        alone = measure.of(distribution)
        assert float(measure.of(one_of_many)) == pytest.approx(float(alone), abs=1e-6)
        weights = measure.weights(distribution.probabilities)
        assert float(weights.min()) >= -1e-9 and float(weights.sum()) == pytest.approx(1)
        value = float(measure.of(distribution))
        assert float(weights @ distribution.atoms) == pytest.approx(value, abs=1e-6)


@settings(max_examples=80, deadline=None)
@given(
    first=some(),
    seed=st.integers(0, 1000),
    name=st.sampled_from(tuple(RISKS)),
    alpha=st.floats(0.05, 1),
)
def test_a_convex_measure_of_a_mixture_is_no_more_than_the_mean_of_its_parts(
    first: Distribution, seed: int, name: str, alpha: float
) -> None:
    rng = np.random.default_rng(seed)
    shares = torch.tensor(rng.dirichlet(np.ones(len(first.atoms))))
    weight = rng.random()
    mixture = weight * first.probabilities + (1 - weight) * shares
    measure = make_risk(name, alpha)
    worth = [float(measure.of(Distribution(first.atoms, p))) for p in (first.probabilities, shares)]
    chord = weight * worth[0] + (1 - weight) * worth[1]
    if measure.is_convex:
        assert float(measure.of(Distribution(first.atoms, mixture))) <= chord + 1e-6
    assert not DEVIATION.is_convex and not make_risk("power", -alpha).is_convex
    assert measure.is_convex == (name not in ("mean", "var"))


@pytest.mark.parametrize(
    ("name", "alpha", "sentence"),
    [
        ("luck", 0.2, "risk is 'luck'; it must be one of mean, cvar, var, wang, power, mean_std"),
        ("cvar", 0.0, r"alpha is 0.0; for the risk 'cvar' it must be in \[1e-06, 1\]"),
        ("cvar", 1e-50, r"alpha is 1e-50; for the risk 'cvar' it must be in \[1e-06, 1\]"),
        ("mean_std", 1e39, r"alpha is 1e\+39; for the risk 'mean_std' it must be in \[0, 10\]"),
        ("var", 1.5, r"alpha is 1.5; for the risk 'var' it must be in \[1e-06, 1\]"),
        ("wang", np.inf, "alpha is inf; for the risk 'wang' it must be in"),
        ("power", np.nan, "alpha is nan; for the risk 'power' it must be in"),
        ("mean_std", -0.5, r"alpha is -0.5; for the risk 'mean_std' it must be in \[0, 10\]"),
    ],
)
def test_what_is_no_measure_is_refused(name: str, alpha: float, sentence: str) -> None:
    with pytest.raises(VpgError, match=sentence) as error:
        make_risk(name, alpha)
    assert error.value.code is ErrorCode.PARAMETER_INVALID
    assert tuple(MEASURES) == tuple(RISKS)


# -- heads


@pytest.mark.parametrize("head", ["quantile", "implicit"])
@pytest.mark.parametrize("name", [name for name in RISKS if name != "mean_std"])
def test_distortions_fold_into_the_last_layer_exactly(head: str, name: str) -> None:
    torch.manual_seed(0)
    made = make_head(head, 16, 3)
    assert isinstance(made, DistributionalHead)
    measure = make_risk(name, 0.3)
    features = torch.rand(50, 16)
    folded = made.folded(measure)
    assert folded is not None
    (weight, bias), (full, offset) = folded, made.affine()
    numbers = torch.einsum("nf,okf->nok", features, full) + offset
    expected = measure.of(made.distribution(numbers))
    assert torch.allclose(features @ weight.T + bias, expected, atol=1e-5)


@pytest.mark.parametrize("head", ["quantile", "implicit"])
def test_fewer_numbers_than_quantiles_give_mean_and_deviation_exactly(head: str) -> None:
    torch.manual_seed(0)
    made = make_head(head, 16, 3)
    assert isinstance(made, DistributionalHead)
    measure = make_risk("mean_std", 0.3)
    features = torch.rand(50, 16)
    (weight, bias), combined = made.expanded(measure)
    full, offset = made.affine()
    assert weight.shape[1] < full.shape[1]
    found = combined(torch.einsum("nf,okf->nok", features, weight) + bias)
    numbers = torch.einsum("nf,okf->nok", features, full) + offset
    assert torch.allclose(found, measure.of(made.distribution(numbers)), atol=1e-5)


# -- policies


def scene(*boxes: tuple[float, ...]) -> Heightmap:
    """Blocks, 4 cm high: column, row, width, length (px), and degrees each."""
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    for column, row, width, length, degrees in boxes:
        corners = cv2.boxPoints(((column, row), (width, length), degrees))
        cv2.fillPoly(height, [corners.round().astype(np.int32)], 0.04)
    return Heightmap(np.zeros((*height.shape, 3), np.uint8), height, DEFAULT_WORKSPACE)


SCENE = scene((90, 100, 16, 30, 20), (130, 90, 20, 20, 70), (110, 140, 12, 40, 130))
LONE = scene((112, 112, 20, 20, 0))
AT_THE_EDGE = scene((4, 100, 16, 30, 20), (120, 220, 20, 30, 70), (221, 3, 12, 40, 130))


def network(head: str, trunks: str = "shared") -> Network:
    torch.manual_seed(1)
    made = make_network(NetworkConfig.of_repertoire(head=head, trunks=trunks))
    with torch.no_grad():
        made(torch.randn(4, made.config.input_channels, 32, 32))
    return made.eval()


def sharp(head: str, trunks: str = "shared") -> Network:
    """One whose values differ from place to place."""
    made = network(head, trunks)
    with torch.no_grad():
        for member in made.members:
            for weight in member.head.parameters():
                weight.mul_(30)
    return made


SHARP = sharp("categorical")


def policy(head: str, trunks: str = "shared") -> NetworkPolicy:
    return NetworkPolicy(network(head, trunks), CPU)


@pytest.mark.parametrize("seen", [SCENE, AT_THE_EDGE, LONE], ids=["middle", "edge", "lone"])
@pytest.mark.parametrize(
    ("name", "alpha"),
    [
        *(("mean", 0.3), ("cvar", 0.3), ("mean_std", 10.0), ("var", 0.3)),
        *(("wang", 0.75), ("wang", -1.0), ("power", 2.0), ("power", -2.0)),
    ],
)
@pytest.mark.parametrize(
    ("head", "trunks"),
    [*((head, "shared") for head in DISTRIBUTIONAL), ("categorical", "separate")],
)
def test_the_cheap_way_decides_as_the_full_maps_do(
    head: str, trunks: str, name: str, alpha: float, seen: Heightmap
) -> None:
    chooser = NetworkPolicy(sharp(head, trunks), CPU).with_risk(make_risk(name, alpha))
    full = chooser.full_maps(seen, {"all": chooser.risk})["all"]
    decision = chooser.decide(seen)
    for primitive, values in decision.maps.values.items():
        where = decision.maps.admissible[primitive]
        beyond = (values - full.values[primitive])[where]
        assert beyond.min() > -1e-5  # what is not the best may be a bound
        if head != "categorical" or name == "mean":
            assert beyond.max() < 1e-5
    action, best = decision.action, select(full, seen).value
    row, column = pixel_to_cell(action.row, action.column, full.cell)
    worth = full.values[action.primitive][action.rotation, row, column]
    assert action.value == pytest.approx(best, abs=1e-5) == pytest.approx(worth, abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    row=st.integers(-30, 141),
    column=st.integers(-30, 141),
    reach=st.integers(0, 30),
    rotation=st.integers(0, 15),
    seen=st.sampled_from([SCENE, AT_THE_EDGE, LONE]),
)
def test_values_of_a_window_are_those_of_the_map(
    row: int, column: int, reach: int, rotation: int, seen: Heightmap
) -> None:
    """At the edges of the table, across those of the canvas and wholly beyond it."""
    evaluator = NetworkPolicy(SHARP, CPU)._evaluator
    looked, measure = evaluator.look(seen), make_risk("mean_std", 2.0)
    rows, columns = (size // SHARP.config.cell for size in seen.workspace.shape)
    at = (int(np.clip(row, 0, rows - 1)), int(np.clip(column, 0, columns - 1)))
    window = Window.around(*at, reach, (rows, columns))
    whole = Window(0, 0, rows, columns)
    found, expected = (
        evaluator.measured(looked, "push", rotation, part, measure) for part in (window, whole)
    )
    assert found.shape == window.shape
    assert np.abs(found - expected[window.slices]).max() < 1e-3
    assert expected.min() >= measure.least - 1e-6


@pytest.mark.parametrize("name", ["mean", "cvar", "var", "mean_std"])
def test_a_policy_without_masks_acts_on_an_empty_table(name: str) -> None:
    chooser = NetworkPolicy(SHARP, CPU, masked=False).with_risk(make_risk(name, 0.5))
    assert chooser.decide(scene()).action.value == 0


def test_the_least_share_of_a_sure_return_is_that_return() -> None:
    sure = Distribution(torch.tensor([0.0, 1.0]), torch.tensor([[0.0, 1.0]]))
    for name in ("cvar", "var"):
        assert float(make_risk(name, 1e-6).of(sure)) == pytest.approx(1.0, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), slack=st.floats(0, 1), allowed=st.floats(0.01, 1))
def test_refined_bounds_have_the_best_value_and_nothing_above_it(
    seed: int, slack: float, allowed: float
) -> None:
    rng = np.random.default_rng(seed)
    shapes = {"grasp": (2, 20, 20), "push": (4, 20, 20)}
    values = {name: rng.random(shape, np.float32) for name, shape in shapes.items()}
    bounds = {name: v + slack * rng.random(v.shape, np.float32) for name, v in values.items()}
    masks = {name: rng.random(shape) < allowed for name, shape in shapes.items()}
    asked = 0

    def exact(name: str, rotation: int, window: Window) -> NDArray[np.float32]:
        nonlocal asked
        asked += 1
        return values[name][(rotation, *window.slices)]

    refine(bounds, masks, exact)
    best = highest(values, masks)
    assert highest(bounds, masks) == best
    assert asked <= sum(int(mask.sum()) for mask in masks.values())
    if best is not None:
        name, place = best
        assert bounds[name][place] == values[name][place]
        assert all((bounds[n] >= values[n]).all() for n in bounds)


@pytest.mark.parametrize("head", DISTRIBUTIONAL)
def test_maps_and_distributions_tell_the_same(head: str) -> None:
    chooser = policy(head)
    maps = chooser.full_maps(SCENE, {"mean": MEAN, "std": DEVIATION})
    action = chooser.decide(SCENE).action
    (expected,) = chooser.distributions(SCENE, [action])
    assert expected is not None
    row, column = pixel_to_cell(action.row, action.column, 2)
    at = (action.primitive, (action.rotation, row, column))
    # The map interpolates in steps of 1/32 of a cell.
    assert maps["mean"].values[at[0]][at[1]] == pytest.approx(float(expected.mean), abs=0.01)
    assert maps["std"].values[at[0]][at[1]] == pytest.approx(float(expected.std), abs=0.02)
    assert action.spread == pytest.approx(float(expected.std), abs=1e-6)


@pytest.mark.parametrize("name", [name for name in RISKS if name != "var"])
def test_a_categorical_tail_is_that_of_all_places_an_action_may_land_at(name: str) -> None:
    made = sharp("categorical")
    chooser = NetworkPolicy(made, CPU).with_risk(make_risk(name, 0.3))
    action = chooser.decide(SCENE).action
    (expected,) = chooser.distributions(SCENE, [action])
    assert expected is not None
    assert action.value == pytest.approx(float(chooser.risk.of(expected)), abs=1e-3)


@pytest.mark.parametrize("head", DISTRIBUTIONAL)
def test_the_returns_of_an_action_are_averaged_over_where_it_may_land(head: str) -> None:
    made = sharp(head)
    action = NetworkPolicy(made, CPU).decide(SCENE).action
    steps = range(-6, 7, 2)  # px, of cells of 2
    near = [
        replace(action, row=action.row + down, column=action.column + right)
        for down, right in itertools.product(steps, steps)
    ]
    exact = NetworkPolicy(made, CPU, acting=ActingConfig(smoothing=1))
    (returns,) = NetworkPolicy(made, CPU, acting=ActingConfig(7)).distributions(SCENE, [action])
    each = exact.distributions(SCENE, near)
    for part in ("atoms", "probabilities"):
        average = sum(getattr(one, part) for one in each) / len(near)  # type: ignore[arg-type]
        assert torch.allclose(getattr(returns, part), average, atol=1e-5)
    middle = each[len(near) // 2]  # the action itself, exactly there
    assert returns is not None and middle is not None
    parts = ("atoms", "probabilities")
    assert any((getattr(returns, p) - getattr(middle, p)).abs().max() > 0.01 for p in parts)


def test_among_actions_that_may_all_fail_the_likeliest_is_taken() -> None:
    """With a third of failures everywhere, the lower fifth of every return is 0."""
    made = network("categorical")
    with torch.no_grad():
        made.members[0].head.logits.bias.reshape(3, -1)[:, 0] += 6.0  # type: ignore[union-attr]
    chooser = NetworkPolicy(made, CPU)
    careful = chooser.with_risk(make_risk("cvar", 0.05)).decide(SCENE).action
    assert careful.value == pytest.approx(0, abs=1e-6)
    plain = chooser.decide(SCENE).action
    assert (careful.primitive, careful.rotation) == (plain.primitive, plain.rotation)
    assert (careful.row, careful.column) == (plain.row, plain.column)


def test_a_scalar_head_knows_the_mean_alone() -> None:
    chooser = policy("scalar")
    assert chooser.with_risk(MEAN).decide(SCENE).action == chooser.decide(SCENE).action
    assert chooser.distributions(SCENE, [chooser.decide(SCENE).action]) == [None]
    with pytest.raises(VpgError, match="risk is 'cvar'; these weights have a scalar head") as error:
        chooser.with_risk(make_risk("cvar"))
    assert error.value.code is ErrorCode.PARAMETER_INVALID


@pytest.mark.parametrize("head", HEADS)
def test_the_head_travels_in_the_checkpoint(head: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "weights.safetensors"
    save(path, network(head))
    loaded, ours = load_policy(path, "cpu"), policy(head)
    assert loaded.config.head == head
    theirs = loaded.decide(SCENE).action
    mine = ours.decide(SCENE).action
    assert (theirs.row, theirs.column, theirs.value) == (mine.row, mine.column, mine.value)
    assert theirs.primitive in primitives.names()


@pytest.mark.parametrize("head", ["categorical", "quantile"])
@pytest.mark.parametrize("full", [False, True])
def test_what_is_not_looked_at_is_no_better_than_the_rest(head: str, full: bool) -> None:
    """Values by mean_std are below 0; beyond the canvases stands nothing that is known."""
    chooser = policy(head).with_risk(make_risk("mean_std", 3.0)).restricted_to(("push",))
    maps = chooser.full_maps(LONE, {"all": chooser.risk})["all"] if full else chooser.maps(LONE)
    values, admissible = maps.values["push"], maps.admissible["push"]
    assert values[admissible].max() < 0
    rows, columns = np.indices(values.shape[1:]) * maps.cell
    away = np.maximum(abs(rows - 112), abs(columns - 112)) * 0.002 - 0.02  # m from the block
    unseen = admissible & (away > 0.068)
    assert unseen.any()
    assert values[unseen].max() <= values[admissible & ~unseen].max()
