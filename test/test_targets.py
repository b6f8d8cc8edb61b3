"""Target rules, prioritised replay, and acting one action ahead of the learner."""

import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vpg_ros.choices import HEADS
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.ahead import ActAhead
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.learner import Learner, NextValue, _empty_loss
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.online import OnlineConfig, OnlineLearning
from vpg_ros.learning.patches import make_batch
from vpg_ros.learning.progress import Progress
from vpg_ros.learning.replay import Experience, Replay
from vpg_ros.learning.returns import Returns, stacked
from vpg_ros.learning.train import Trainer
from vpg_ros.policy.checkpoint import load, save
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import fold_batch_norm, make_network

NETWORK = NetworkConfig.of_repertoire()
SHAPE = DEFAULT_WORKSPACE.shape


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def experience(primitive: str, reward: float, changed: bool, rotation: int = 0) -> Experience:
    """An action at the edge of a 4 cm block, with a block left behind."""
    height = np.zeros(SHAPE, np.float16)
    height[100:120, 100:120] = 0.04
    none = np.zeros((0, 0, 3), np.uint8)
    return Experience(
        height, none, primitive, rotation, 110, 98, reward, changed, False, height, none
    )


def learner(next_value: NextValue | None = None, **options: object) -> Learner:
    config = LearnerConfig(**options)  # type: ignore[arg-type]
    return Learner(NETWORK, config, DEFAULT_WORKSPACE, seed=0, next_value=next_value)


def targets(items: list[Experience], following: float, **options: object) -> list[float]:
    """Targets of the items when the scene that each leaves is worth ``following``."""
    learning = learner(lambda *_: following, **options)
    for item in items:
        learning.remember(item)
    return [learning.targets.of(index).mean for index in range(len(items))]


OUTCOMES = [
    experience("grasp", 1.0, True),
    experience("grasp", 0.0, True),
    experience("push", 0.0, True),
    experience("push", 0.0, False),
]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1, 0, 0.8 * 0.5, 0]),
        # Returns of up to 1.1: a push may solve a scene that asks for it.
        ({"push_reward": 0.1}, [1 / 1.1, 0, 0.1 / 1.1 + 0.8 * 0.5, 0]),
        ({"targets": "reactive"}, [1, 0, 1, 0]),
        # Returns of up to 2, kept as fractions of that; a grasp that moved something bootstraps.
        (
            {"targets": "vpg", "gamma": 0.5, "push_reward": 0.5},
            [0.5 + 0.25, 0.25, 0.25 + 0.25, 0],
        ),
    ],
)
def test_each_rule_says_what_an_action_is_worth(
    options: dict[str, object], expected: list[float]
) -> None:
    assert targets(OUTCOMES, 0.5, **options) == pytest.approx(expected)


@pytest.mark.parametrize("push_reward", [0.0, 0.1, 0.7, 1.0])
@pytest.mark.parametrize("rule", ["discounted", "vpg", "return"])
def test_targets_never_leave_the_range_of_values(rule: str, push_reward: float) -> None:
    solving = replace(experience("push", 1.0, True), done=True)
    found = targets([*OUTCOMES, solving], 1.0, targets=rule, gamma=0.9, push_reward=push_reward)
    assert max(found) <= 1.0 + 1e-9


def test_values_that_are_meant_otherwise_are_not_learned_from(tmp_path: Path) -> None:
    """Where an accident costs something, nothing is worth more than 0."""
    weights, costly = tmp_path / "w.safetensors", LearnerConfig(accident_cost=1.0)
    save(weights, make_network(NETWORK), acting=costly.acting)
    config = TrainingConfig(actions=1, warm_up=0)
    Trainer(config, tmp_path / "same", costly, init=weights)
    for begin in (
        lambda: Trainer(config, tmp_path / "other", init=weights),
        lambda: OnlineLearning(OnlineConfig(), tmp_path / "on", DEFAULT_WORKSPACE, weights),
    ):
        with pytest.raises(VpgError, match=r"values nothing as 0\.5, .* as 0: accident_c") as error:
            begin()
        assert error.value.code is ErrorCode.CHECKPOINT_MISMATCH


def differing(**options: object) -> Learner:
    """A learner whose learning and averaged weights disagree about every action."""
    learning = learner(**options)
    with torch.no_grad():
        for parameter in learning._network.parameters():
            parameter.copy_(torch.rand_like(parameter) - 0.5)
    learning.remember(OUTCOMES[2])
    return learning


def test_the_settings_choose_who_values_the_next_scene() -> None:
    """The averaged weights, the learning ones, or the averaged ones where those would act."""
    plain, learning, double = (
        differing(**options).targets.of(0).mean
        for options in ({}, {"target_network": False}, {"double": True})
    )
    assert len({round(value, 4) for value in (plain, learning, double)}) == 3
    assert double <= plain, "the others' choice is not the best by the values that count"


def test_old_targets_are_valued_anew() -> None:
    learning = learner(refresh_every=1, rate=0.05)
    for item in (*OUTCOMES[:2], OUTCOMES[2]):
        learning.remember(item)
    before = learning.targets.of(2).mean
    for _ in range(12):
        learning.update()
    now = learning.targets.following(OUTCOMES[2]).mean
    assert learning.targets.of(2).mean == pytest.approx(0.8 * now, abs=1e-6)
    assert learning.targets.of(2).mean != pytest.approx(before, abs=1e-3)


def test_the_newest_experiences_have_their_share() -> None:
    replay = Replay()
    for item in OUTCOMES:
        replay.add(item)
    rng = np.random.default_rng(0)
    assert replay.sample(8, rng, newest=1, newest_share=1.0) == [3] * 8
    assert set(replay.sample(40, rng, newest=1, newest_share=0.0)) == {0, 1, 2, 3}


def test_what_lies_out_of_view_is_nothing_rather_than_an_accident() -> None:
    """A block whose corner alone can be acted on from within reach, and none of it seen."""
    learning = learner(accident_cost=1.0)
    for distance in range(73, 82):
        height = np.zeros(SHAPE, np.float16)
        height[100:120, 98 + distance : 118 + distance] = 0.04
        pushed = replace(OUTCOMES[2], next_height=height)
        assert learning.targets.following(pushed).mean > 0.3, f"{2 * distance} mm away"


def test_a_distribution_is_shifted_and_discounted_whole() -> None:
    following = Returns((0.0, 0.5, 1.0), (0.2, 0.3, 0.5))
    learning = learner()
    learning.replay.add(OUTCOMES[2])
    learning.targets.following = lambda _: following
    target = learning.targets.of(0)
    assert target.atoms == pytest.approx((0.0, 0.4, 0.8))
    assert target.probabilities == following.probabilities
    both = stacked([target, Returns.certain(1.0)], torch.device("cpu"))
    assert both.mean.tolist() == pytest.approx([0.8 * following.mean, 1.0])
    assert both.probabilities.sum(dim=1).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize("head", [name for name in HEADS if name != "scalar"])
def test_what_follows_is_the_distribution_at_the_greedy_action(head: str) -> None:
    """Its mean is the best value of the maps, and it has more than one outcome."""
    learning = Learner(
        NetworkConfig.of_repertoire(head=head), LearnerConfig(), DEFAULT_WORKSPACE, seed=0
    )
    following = learning.targets.following(OUTCOMES[2])
    height = OUTCOMES[2].next_height.astype(np.float32)
    heightmap = Heightmap(np.zeros((*SHAPE, 3), np.uint8), height, DEFAULT_WORKSPACE)
    greedy = learning.policy().decide(heightmap).action
    assert following.mean == pytest.approx(greedy.value, abs=0.01)  # a map's steps are 1/32 cell
    assert sum(following.probabilities) == pytest.approx(1, abs=1e-5)
    assert len(following.atoms) > 20
    assert Returns.from_plain(following.to_plain()) == following


@pytest.mark.parametrize("head", HEADS)
def test_every_head_learns_and_goes_on_as_if_never_stopped(head: str) -> None:
    def fresh() -> Learner:
        config = LearnerConfig(batch=8, refresh_every=2)
        made = Learner(NetworkConfig.of_repertoire(head=head), config, DEFAULT_WORKSPACE, seed=0)
        for item in OUTCOMES:
            made.replay.add(item)
        made.targets.of(2)
        return made

    whole, half, resumed = fresh(), fresh(), fresh()
    losses = [whole.update() for _ in range(4)]
    assert [half.update() for _ in range(2)] == losses[:2]
    resumed.restore(half.state())
    assert [resumed.update() for _ in range(2)] == losses[2:]


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(VpgError, match="targets is 'best'; it must be one of discounted"):
        LearnerConfig(targets="best")


def test_prioritised_replay_prefers_what_is_badly_known() -> None:
    replay = Replay()
    for _ in range(100):
        replay.add(OUTCOMES[0])
    replay.note_errors(range(100), [0.9 if index == 7 else 0.1 for index in range(100)])
    rng = np.random.default_rng(0)
    drawn = replay.sample(4000, rng, newest=1, newest_share=0.0, priority=0.7)
    counts = np.bincount(drawn, minlength=100)
    assert counts.argmax() == 7
    assert counts[7] > 5 * np.median(counts) and (counts > 0).all()


def test_what_was_never_learned_from_comes_first() -> None:
    replay = Replay()
    for _ in range(50):
        replay.add(OUTCOMES[0])
    replay.note_errors(range(49), [0.5] * 49)
    drawn = replay.sample(2000, np.random.default_rng(0), 1, 0.0, priority=1.0)
    assert np.bincount(drawn, minlength=50).argmax() == 49


@pytest.mark.parametrize("rotation", [0, 3, 9])
def test_without_augmentation_a_sample_looks_as_when_it_was_chosen(rotation: int) -> None:
    items = [experience("push", 0.0, True, rotation)] * 8
    plain = make_batch(items, NETWORK, np.random.default_rng(0), augment=False)
    varied = make_batch(items, NETWORK, np.random.default_rng(0), augment=True)
    assert len(set(plain.outputs.tolist())) == 1
    assert plain.outputs[0] == NETWORK.channels("push")[rotation // 8]
    assert len(set(varied.outputs.tolist())) == 2


def test_empty_table_is_what_the_heightmap_shows_empty() -> None:
    batch = make_batch([experience("grasp", 0.0, True)] * 4, NETWORK, np.random.default_rng(0))
    occupied = (batch.inputs[:, 0] > 0.5) & (batch.inputs[:, 3] > 0.5)
    assert bool(batch.empty.any()) and not bool((batch.empty & occupied).any())


def test_empty_table_is_learned_of_picks_alone_by_their_share() -> None:
    grasp, push = experience("grasp", 1.0, True), experience("push", 0.0, True)

    def added(*items: Experience) -> float:
        """What empty table adds to the loss of a batch."""
        losses = []
        for weight in (0.0, 1.0):
            learning = learner(lambda *_: 1.0, empty_table=weight)
            for item in items:
                learning.remember(item)
            network = learning.network.part("grasp").train()
            losses.append(float(learning._loss_of(network, range(len(items))).detach()))
        return losses[1] - losses[0]

    assert added(*[push] * 4) == 0.0
    some, most = added(*[grasp, push, push, push] * 8), added(*[grasp] * 31, push)
    assert 0 < some < most, "a quarter of what is asked of four times as many"


def test_the_best_place_is_driven_to_zero_where_it_is_empty_table() -> None:
    learning = learner()
    batch = make_batch([experience("grasp", 1.0, True)] * 4, NETWORK, np.random.default_rng(0))
    network = learning._network
    parameters = network(batch.inputs)
    best = parameters.detach()[0, batch.outputs[0]].flatten().argmax()
    batch.empty.fill_(True)
    (gradient,) = torch.autograd.grad(
        _empty_loss(network, parameters, batch, np.random.default_rng(0)),
        parameters,
        retain_graph=True,
    )
    at_best = gradient[0, batch.outputs[0]].flatten()
    assert at_best[best] > 0 and int((at_best != 0).sum()) == 1
    batch.empty.fill_(False)
    assert float(_empty_loss(network, parameters, batch, np.random.default_rng(0))) == 0


# -- separate networks


def test_separate_networks_learn_and_act_as_one(tmp_path: Path) -> None:
    config = NetworkConfig.of_repertoire(trunks="separate")
    learning = Learner(config, LearnerConfig(batch=8), DEFAULT_WORKSPACE, seed=0)
    for item in OUTCOMES[:2]:
        learning.replay.add(item)
    before = {name: value.clone() for name, value in learning.network.state_dict().items()}
    learning.update()
    moved = {
        name.split(".")[1]
        for name, value in learning.network.state_dict().items()
        if value.is_floating_point() and not torch.equal(value, before[name])
    }
    assert moved == {"grasp"}  # no push was seen
    save(tmp_path / "weights.safetensors", learning.network)
    loaded, _ = load(tmp_path / "weights.safetensors")
    inputs = torch.rand(2, config.input_channels, 16, 16)
    with torch.inference_mode():
        parts = [learning.network.part(name)(inputs) for name in config.names]
        assert torch.allclose(loaded(inputs), torch.cat(parts, dim=1), atol=1e-6)
        assert torch.allclose(fold_batch_norm(loaded)(inputs), loaded(inputs), atol=1e-4)


def test_an_unknown_kind_of_trunks_is_named() -> None:
    with pytest.raises(VpgError, match="trunks is 'both'; it must be one of shared, separate"):
        NetworkConfig.of_repertoire(trunks="both")


# -- acting ahead

SHORT = TrainingConfig(
    actions=10,
    warm_up=3,
    camera="ortho",
    save_after=1,
    scenes=(SceneMix("random", 1.0, 1, 2),),
)
SMALL = LearnerConfig(batch=4)


def test_a_seed_gives_one_run_and_a_killed_actor_loses_nothing(tmp_path: Path) -> None:
    whole = Trainer(SHORT, tmp_path / "whole", SMALL)
    whole.run()

    def kill(progress: Progress) -> None:
        if progress.actions == 8:  # in the second episode
            for process in multiprocessing.active_children():
                process.kill()

    with pytest.raises(VpgError, match="acting process ended with exit code -9") as caught:
        Trainer(SHORT, tmp_path / "half", SMALL).run(kill)
    assert caught.value.code is ErrorCode.PROCESS_DIED
    resumed = Trainer(SHORT, tmp_path / "half", SMALL)
    assert 0 < resumed.progress.actions <= 8
    resumed.run()
    assert [step[:-1] for step in resumed.progress.steps] == [
        step[:-1] for step in whole.progress.steps
    ]
    assert not multiprocessing.active_children()


def test_an_error_while_acting_is_raised_here() -> None:
    mix = SceneMix("random", 1.0, 1, 2)
    object.__setattr__(mix, "name", "nowhere")  # past the check
    source = ActAhead(replace(SHORT, scenes=(mix,)), learner())
    try:
        with pytest.raises(VpgError, match="scene is 'nowhere'") as caught:
            list(source.episode(0, 0))
        assert caught.value.code is ErrorCode.SCENE_UNKNOWN
    finally:
        source.close()
