"""Value heads: their papers' equations, and bandits whose returns are known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from vpg_ros.choices import HEADS
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.policy import heads
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.heads import DistributionalHead, ValueHead, make_head
from vpg_ros.policy.heads.categorical import ATOMS, CategoricalHead, project
from vpg_ros.policy.heads.implicit import COSINES, LEVELS, ImplicitQuantileHead
from vpg_ros.policy.heads.quantile import QUANTILES, QuantileHead, midpoints, quantile_huber

FEATURES, OUTPUTS = 16, 3
DISTRIBUTIONAL = [name for name in HEADS if name != "scalar"]
DRAWS = 128  # of each arm, a step
STEPS = {"categorical": 600, "quantile": 800, "implicit": 1000}  # until a bandit is known


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def head(name: str, seed: int = 0) -> ValueHead:
    torch.manual_seed(seed)
    return make_head(name, FEATURES, OUTPUTS)


def distributional(name: str, seed: int = 0) -> DistributionalHead:
    made = head(name, seed)
    assert isinstance(made, DistributionalHead)
    return made


def predicted(made: DistributionalHead, features: Tensor, output: int) -> Distribution:
    """The distribution of an output at features F."""
    weight, bias = made.affine()
    return made.distribution(weight[output] @ features + bias[output])


def learned(name: str, returns: list[np.ndarray], steps: int) -> DistributionalHead:
    """A head after seeing draws of each output's returns, all at the same features."""
    made, rng = distributional(name), np.random.default_rng(0)
    optimiser = torch.optim.Adam(made.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    features = torch.ones(1, FEATURES, 1, 1)
    outputs = torch.arange(OUTPUTS).repeat_interleave(DRAWS)
    for _ in range(steps):
        drawn = np.concatenate([rng.choice(each, DRAWS) for each in returns])
        targets = Distribution.certain(torch.from_numpy(drawn).float())
        parameters = made(features)[:, :, 0, 0].expand(len(outputs), -1)
        loss = made.loss(parameters, outputs, targets, rng)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return made


# Returns of three arms: a Beta distribution, its mirror image, and a pick that works in 7 of 10.
LEVELS_FINE = (np.arange(2000) + 0.5) / 2000
ARMS = [stats.beta.ppf(LEVELS_FINE, 2, 5), stats.beta.ppf(LEVELS_FINE, 5, 2)]
ARMS.append((LEVELS_FINE > 0.3).astype(float))


@pytest.fixture(scope="module")
def bandits() -> dict[str, DistributionalHead]:
    return {name: learned(name, ARMS, STEPS[name]) for name in DISTRIBUTIONAL}


@pytest.mark.parametrize("name", DISTRIBUTIONAL)
@pytest.mark.parametrize("arm", range(len(ARMS)))
def test_a_bandits_returns_are_learned(
    bandits: dict[str, DistributionalHead], name: str, arm: int
) -> None:
    """Means within 2 % and, of the smooth ones, quantiles from 10 to 90 %."""
    with torch.no_grad():
        found = predicted(bandits[name], torch.ones(FEATURES), arm)
    assert float(found.mean) == pytest.approx(ARMS[arm].mean(), abs=0.02)
    if arm == 2:
        assert float(found.std) == pytest.approx(ARMS[arm].std(), abs=0.02)
        return
    middles = (found.probabilities.cumsum(dim=0) - found.probabilities / 2).numpy()
    shares = np.linspace(0.1, 0.9, 17)
    quantiles = np.interp(shares, middles, np.sort(found.atoms.numpy()))
    assert np.abs(quantiles - np.quantile(ARMS[arm], shares)).max() < 0.02


@pytest.mark.parametrize("name", HEADS)
def test_means_are_read_alike_from_parameters_and_features(name: str) -> None:
    made, features = head(name), torch.rand(2, FEATURES, 4, 5)
    parameters = made(features)
    means = made.mean(parameters).detach()
    assert means.shape == (2, OUTPUTS, 4, 5)
    flat = made.mean(parameters[:, :, 3, 1])
    assert torch.allclose(flat, means[:, :, 3, 1], atol=1e-6)
    if isinstance(made, DistributionalHead):
        for output in range(OUTPUTS):
            with torch.no_grad():
                each = predicted(made, features[1, :, 3, 1], output)
            assert float(each.mean) == pytest.approx(float(means[1, output, 3, 1]), abs=1e-5)
            assert float(each.probabilities.sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_only_the_output_meant_learns(name: str) -> None:
    made = head(name)
    parameters = made(torch.rand(4, FEATURES, 1, 1))[:, :, 0, 0].detach().requires_grad_()
    targets = Distribution.certain(torch.tensor([0.0, 1.0, 1.0, 0.3]))
    loss = made.loss(parameters, torch.tensor([1, 1, 1, 1]), targets, np.random.default_rng(0))
    (gradient,) = torch.autograd.grad(loss, parameters)
    moved = gradient.reshape(4, OUTPUTS, -1).abs().sum(dim=2)
    assert bool((moved[:, 1] > 0).all()) and float(moved[:, [0, 2]].sum()) == 0


def test_an_unknown_head_is_named_with_those_there_are() -> None:
    with pytest.raises(VpgError, match=f"'fuzzy'; known heads: {', '.join(HEADS)}") as error:
        make_head("fuzzy", FEATURES, OUTPUTS)
    assert error.value.code is ErrorCode.CHECKPOINT_MISMATCH
    assert tuple(heads.HEADS) == HEADS


# -- categorical


@st.composite
def targets(draw: st.DrawFn, low: float, high: float) -> Distribution:
    outcomes = st.lists(st.floats(low, high, width=32), min_size=1, max_size=6)
    atoms = torch.tensor([draw(outcomes)])
    weights = torch.rand(
        atoms.shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    )
    return Distribution(atoms, (weights + 0.01) / (weights + 0.01).sum())


@settings(max_examples=60, deadline=None)
@given(targets(-1.0, 2.0))
def test_projection_conserves_mass(given_: Distribution) -> None:
    projected = project(given_, torch.linspace(0, 1, 51))
    assert bool((projected >= 0).all()) and float(projected.sum()) == pytest.approx(1, abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(targets(0.0, 1.0))
def test_projection_conserves_the_mean_of_what_it_can_hold(given_: Distribution) -> None:
    support = torch.linspace(0, 1, 51)
    projected = Distribution(support, project(given_, support))
    assert float(projected.mean) == pytest.approx(float(given_.mean), abs=1e-5)


def test_projection_is_algorithm_1() -> None:
    """Bellemare et al. (2017): with b = clip(r + γz) / Δ, m_l += p (u − b) and m_u += p (b − l)."""
    support = torch.linspace(0, 1, 51)
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(51))
    atoms = 0.25 + 0.93 * support.numpy()
    expected = np.zeros(51)
    for atom, share in zip(np.clip(atoms, 0, 1), shares, strict=True):
        place = atom * 50
        low, high = int(np.floor(place)), int(np.ceil(place))
        expected[low] += share * (high - place) if high > low else share
        expected[high] += share * (place - low)
    given_ = Distribution(torch.tensor(atoms)[None].float(), torch.tensor(shares)[None].float())
    assert project(given_, support)[0].numpy() == pytest.approx(expected, abs=1e-5)


def test_the_categorical_loss_is_the_cross_entropy_of_the_projection() -> None:
    made = head("categorical")
    assert isinstance(made, CategoricalHead)
    parameters = torch.randn(1, OUTPUTS * ATOMS)
    third = 6.65 / (ATOMS - 1)  # between atoms 6 and 7
    outcome = Distribution(torch.tensor([[0.0, third]]), torch.tensor([[0.25, 0.75]]))
    loss = made.loss(parameters, torch.tensor([2]), outcome, np.random.default_rng(0))
    logs = parameters[0, 2 * ATOMS :].log_softmax(dim=0)
    expected = 0.25 * logs[0] + 0.75 * (0.35 * logs[6] + 0.65 * logs[7])
    assert float(loss) == pytest.approx(-float(expected), abs=1e-4)


# -- quantiles


def test_the_quantile_loss_is_equation_10() -> None:
    """Dabney et al. (2018a): Σ_i E_j[|τ_i − 1{u < 0}| L_κ(u) / κ], u = target_j − θ_i; here / N."""
    quantiles, levels = np.array([0.1, 0.5, 0.45]), np.array([1 / 6, 3 / 6, 5 / 6])
    outcomes, shares, kappa = np.array([0.48, 0.9]), np.array([0.3, 0.7]), 0.05
    expected = 0.0
    for quantile, level in zip(quantiles, levels, strict=True):
        for outcome, share in zip(outcomes, shares, strict=True):
            u = outcome - quantile
            huber = u**2 / 2 if abs(u) <= kappa else kappa * (abs(u) - kappa / 2)
            expected += share * abs(level - (u < 0)) * huber / kappa / 3
    given_ = Distribution(torch.tensor(outcomes)[None], torch.tensor(shares)[None])
    found = quantile_huber(torch.tensor(quantiles)[None], torch.tensor(levels), given_, kappa)
    assert float(found) == pytest.approx(expected, rel=1e-6)
    assert midpoints(3).numpy() == pytest.approx(levels)


def test_before_it_learns_one_return_is_as_likely_as_another() -> None:
    made = distributional("quantile")
    found = predicted(made, torch.zeros(FEATURES), 1)
    assert found.atoms.tolist() == pytest.approx(midpoints(QUANTILES).tolist())
    implicit = predicted(distributional("implicit"), torch.zeros(FEATURES), 1)
    assert implicit.mean.item() == 0.5


def test_the_implicit_quantile_is_equation_4() -> None:
    """Dabney et al. (2018b): φ_j(τ) = ReLU(Σ_i cos(π i τ) w_ij + b_j), Z_τ = f(ψ ⊙ φ(τ))."""
    made = head("implicit")
    assert isinstance(made, ImplicitQuantileHead)
    features, level = torch.rand(FEATURES), 0.3
    cosines = np.cos(np.pi * np.arange(COSINES) * level)
    weight = made.embedding.weight.detach().numpy()
    phi = np.maximum(weight @ cosines + made.embedding.bias.detach().numpy(), 0)
    assert made.embed(torch.tensor(level)).detach().numpy() == pytest.approx(phi, abs=1e-5)
    quantile = made.weight[1].detach().numpy() @ (features.numpy() * phi) + 0.5
    coefficients = made(features[None, :, None, None])[0].reshape(OUTPUTS, -1)
    found = coefficients[1] @ made.embed(torch.tensor(level)) + made.bias[1]
    assert float(found.detach()) == pytest.approx(float(quantile), abs=1e-5)
    assert len(predicted(made, features, 0).atoms) == LEVELS


def test_implicit_levels_come_from_the_seed() -> None:
    made, parameters = head("implicit"), torch.randn(4, OUTPUTS * FEATURES)
    outcomes, outputs = Distribution.certain(torch.rand(4)), torch.zeros(4, dtype=torch.long)
    losses = [
        made.loss(parameters, outputs, outcomes, np.random.default_rng(seed)).item()
        for seed in (1, 1, 2)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_every_head_counts_as_quantiles_or_categories() -> None:
    assert isinstance(head("quantile"), QuantileHead)
    weights = torch.tensor([0.25, 0.75])
    numbers = torch.rand(2, ATOMS)
    quantiles, categories = (
        distributional(name).distribution(numbers) for name in ("quantile", "categorical")
    )
    found = quantiles.averaged(weights @ quantiles.averageable)
    assert torch.allclose(found.atoms, weights @ numbers)
    found = categories.averaged(weights @ categories.averageable)
    assert torch.allclose(found.probabilities, weights @ numbers.softmax(dim=1))


def test_what_was_not_looked_at_counts_as_the_worst_outcome() -> None:
    pick = Distribution(torch.tensor([0.0, 1.0]), torch.tensor([[0.2, 0.8]]))
    found = pick.averaged(0.5 * pick.averageable)  # the other half lies beyond
    assert torch.allclose(found.probabilities, torch.tensor([[0.6, 0.4]]))
