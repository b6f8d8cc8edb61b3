"""Choosing the primitive first: decisions, checkpoints, learning of both levels, the study."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from benchmarks.scripted import SCRIPTS, at
from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.choices import FLAT, HIERARCHICAL
from vpg_ros.cli.main import main
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.bench import tables, ways_of_designs
from vpg_ros.learning.env import TableEnv
from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.figures import Run
from vpg_ros.learning.gym_env import TableGym
from vpg_ros.learning.hierarchy import experiment, results
from vpg_ros.learning.hierarchy.experiment import Matrix
from vpg_ros.learning.hierarchy.meta_level import levels
from vpg_ros.learning.learner import Learner
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.next_scene import NextScene
from vpg_ros.learning.replay import Experience, Replay
from vpg_ros.learning.returns import Returns
from vpg_ros.learning.rewards import scene_changed
from vpg_ros.policy.canvas import UNSEEN, planes, to_cells
from vpg_ros.policy.checkpoint import load_policy, save
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.distribution import Distribution
from vpg_ros.policy.meta import META_CELL, PLACE, READY_AFTER, MetaNetwork, overview
from vpg_ros.policy.network import Network, make_network
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.risk import make_risk
from vpg_ros.policy.strategy import hierarchical
from vpg_ros.primitives import first_primitives, get, names

CPU = torch.device("cpu")
NAMES = ("grasp", "push", "topple")
SHAPE = DEFAULT_WORKSPACE.shape


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def block(height: float = 0.04) -> Heightmap:
    heights = np.zeros(SHAPE, np.float32)
    heights[100:120, 100:120] = height
    return Heightmap(np.zeros((*SHAPE, 3), np.uint8), heights, DEFAULT_WORKSPACE)


def network(*preferred: str, trunks: str = "separate", head: str = "scalar") -> Network:
    """Random weights whose meta-policy knows one thing: which primitives it prefers, in order."""
    torch.manual_seed(0)
    config = NetworkConfig.of_repertoire(NAMES, head, trunks=trunks, strategy=HIERARCHICAL)
    made = make_network(config).eval()
    meta = made.meta
    assert isinstance(meta, MetaNetwork)
    if preferred:
        meta.updates += READY_AFTER
        (layer,) = (m for m in meta.head.modules() if isinstance(m, torch.nn.Conv2d))
        assert layer.bias is not None
        layer.weight.data.zero_()
        values = torch.tensor([-float(preferred.index(name)) for name in NAMES])
        layer.bias.data = values.repeat_interleave(len(layer.bias) // len(NAMES))
    return made


def policy(*preferred: str, **options: str) -> NetworkPolicy:
    return NetworkPolicy(network(*preferred, **options), CPU)


# -- decisions


@pytest.mark.parametrize("trunks", ["shared", "separate"])
@pytest.mark.parametrize("first", ["grasp", "push"])
def test_the_meta_policy_names_the_primitive_and_its_network_the_pixel(
    first: str, trunks: str
) -> None:
    others = [name for name in NAMES if name != first]
    chosen = policy(first, *others, trunks=trunks)
    decision = chosen.decide(block())
    alone = chosen.restricted_to((first,)).with_strategy("flat").decide(block())
    assert decision.action == alone.action and decision.action.primitive == first
    assert list(decision.maps.values) == [first]


def test_the_next_primitive_acts_where_the_first_is_not_admissible() -> None:
    """Nothing low is toppled; what is tall is."""
    chosen = policy("topple", "push", "grasp")
    assert chosen.decide(block()).action.primitive == "push"
    assert chosen.decide(block(0.12)).action.primitive == "topple"
    with pytest.raises(VpgError, match="grasp, push, topple is admissible anywhere") as error:
        chosen.decide(block(0.0))
    assert error.value.code is ErrorCode.NO_ADMISSIBLE_ACTION


def test_failures_bring_the_next_primitive_in_time() -> None:
    action = Action("grasp", 0, 110, 110, 0.0, at("grasp", -0.5, 0.0, 0.0, block()).pose)
    for grasp, push in (((0.6,), (0.5,)), ((-0.5,), (-0.55,)), ((0.0, 0.6), (0.0, 0.5))):
        worth = {"grasp": grasp, "push": push}
        assert next(hierarchical(worth, [])) == ("grasp",)
        assert next(hierarchical(worth, [action])) == ("push",)


@pytest.mark.parametrize(
    ("grasp", "push", "risk", "first"),
    [
        # Probabilities of 0, 0.5 and 1. A risky grasp is worth more on average, a push at worst.
        ((0.2, 0.0, 0.8), (0.0, 1.0, 0.0), "mean", "grasp"),
        ((0.2, 0.0, 0.8), (0.0, 1.0, 0.0), "cvar", "push"),
        # The worst of both is 0: the mean decides.
        ((0.5, 0.0, 0.5), (0.4, 0.0, 0.6), "cvar", "push"),
    ],
)
def test_the_meta_policy_heeds_a_risk(
    grasp: tuple[float, ...], push: tuple[float, ...], risk: str, first: str
) -> None:
    made = network(*NAMES, head="categorical")
    assert made.meta is not None
    (layer,) = (m for m in made.meta.head.modules() if isinstance(m, torch.nn.Conv2d))
    assert layer.bias is not None
    logits = torch.full((len(NAMES), 21), -20.0)
    for row, chances in zip(logits, (grasp, push, (1.0, 0.0, 0.0)), strict=True):
        row[[0, 10, 20]] = torch.tensor(chances).clamp(min=1e-9).log()
    layer.bias.data = logits.flatten()
    chosen = NetworkPolicy(made, CPU).with_risk(make_risk(risk, 0.3))
    assert chosen.decide(block()).action.primitive == first


def test_a_meta_policy_whose_values_are_no_numbers_is_told_of() -> None:
    with pytest.raises(VpgError, match="value of push is not a number") as error:
        next(hierarchical({"grasp": (0.6,), "push": (float("nan"),), "topple": (0.7,)}, []))
    assert error.value.code is ErrorCode.VALUES_INVALID


def test_nothing_is_repeated_until_the_next_primitive_acts() -> None:
    chosen, tried = policy("grasp", "push", "topple"), []
    for _ in range(6):
        action = chosen.decide(block(), tried).action
        assert action not in tried
        tried.append(action)
    assert {action.primitive for action in tried} == {"grasp", "push"}


def test_a_meta_policy_that_knows_nothing_has_no_say() -> None:
    assert policy().strategy == "flat"
    assert policy("push", "grasp", "topple").strategy == HIERARCHICAL
    assert policy().with_strategy(HIERARCHICAL).strategy == HIERARCHICAL


@pytest.mark.parametrize("head", ["scalar", "categorical", "quantile", "implicit"])
def test_a_look_is_a_value_for_each_primitive_whatever_the_head(head: str) -> None:
    meta = MetaNetwork(3, head, colour=False).eval()
    outcomes = meta.outcomes(meta.features(torch.zeros(2, 65, 32, 32)))
    assert outcomes.mean.shape == (2, 3)
    inputs = torch.rand(2, 65, 32, 32)
    parameters = meta(inputs)[..., None, None]
    read = meta.head.mean(parameters)[..., 0, 0]
    assert torch.allclose(meta.outcomes(meta.features(inputs)).mean, read, atol=1e-5)


# -- checkpoints


def test_a_checkpoint_carries_its_strategy(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save(path, network("push", "grasp", "topple"))
    assert load_policy(path, "cpu").decide(block()).action.primitive == "push"
    playing = Player("network", path, strategy="flat").load().policy(0)
    assert list(playing.decide(block()).maps.values) == list(NAMES)


def test_earlier_checkpoints_are_flat(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save(path, make_network(NetworkConfig.of_repertoire()))
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["vpg_ros"])
    del header["config"]["strategy"]
    save_file(load_file(path), path, {"vpg_ros": json.dumps(header)})
    loaded = load_policy(path, "cpu")
    assert loaded.strategy == "flat"
    with pytest.raises(VpgError, match="these weights have no meta-policy"):
        loaded.with_strategy(HIERARCHICAL)
    with pytest.raises(VpgError, match="strategy is 'deep'; it must be one of flat, hierarchical"):
        loaded.with_strategy("deep")


# -- learning


def experience(primitive: str, reward: float, **changes: Any) -> Experience:
    """An action on a block that it takes away, or that stays."""
    none, rows = np.zeros((0, 0, 3), np.uint8), block().height.astype(np.float16)
    known = {"changed": False, "done": False, "next_height": rows, "worked": reward > 0} | changes
    changed, done, after, worked = (
        known[name] for name in ("changed", "done", "next_height", "worked")
    )
    return Experience(
        rows, none, primitive, 0, 110, 98, reward, changed, done, after, none, worked, aimed=True
    )


def learner(head: str = "scalar", **options: Any) -> Learner:
    config = NetworkConfig.of_repertoire(NAMES, head, trunks="separate", strategy=HIERARCHICAL)
    made = Learner(config, LearnerConfig(batch=8, **options), DEFAULT_WORKSPACE, seed=0)
    picked = experience(
        "grasp", 1.0, changed=True, done=True, next_height=np.zeros(SHAPE, np.float16)
    )
    for item in (picked, experience("push", 0.0, changed=True)):
        made.replay.add(item)
    return made


@pytest.mark.parametrize("head", ["scalar", "quantile"])
def test_the_meta_policy_learns_what_pays(head: str) -> None:
    """A grasp ends it with 1; after a push it is still there, worth γ; nothing can be toppled."""
    # At the default rate quantiles swing by as much as the bound in float32, and not in bfloat16.
    options = {"rate": 3e-3, "averaging": 0.9, "gamma": 0.5}
    learning = learner(head, schedule="staged", decay_updates=10**6, **options)
    learning._descent.updates = 5 * 10**5  # in the stage of the meta-policy alone
    for _ in range(80):
        learning.update()
    seen = learning.policy()._evaluator.of_primitives(block())
    values = {name: mean for name, (_, mean) in seen.items()}
    returns = {"grasp": 1.0, "push": 0.5, "topple": 0.0}
    assert values == pytest.approx(returns, abs=0.05)
    assert learning.policy().strategy == FLAT
    meta = learning.network.meta
    assert isinstance(meta, MetaNetwork) and int(meta.updates) == 80
    meta.updates.fill_(READY_AFTER)
    assert learning.policy().strategy == HIERARCHICAL


def of_the_meta_policy_alone(**options: Any) -> Learner:
    """A learner in the stage in which nothing else learns."""
    made = learner(schedule="staged", decay_updates=10**6, rate=3e-3, averaging=0.9, **options)
    made._descent.updates = 5 * 10**5
    return made


def worth(learning: Learner, updates: int) -> dict[str, float]:
    """What primitives are worth on a table with a block after more updates."""
    for _ in range(updates):
        learning.update()
    seen = learning.policy()._evaluator.of_primitives(block())
    return {name: mean for name, (_, mean) in seen.items()}


def test_what_a_primitive_is_worth_is_learned_where_values_chose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The grasp works where the network would grasp; at random places it fails."""
    learning = of_the_meta_policy_alone()
    for _ in range(3):
        learning.replay.add(replace(experience("grasp", 0.0), aimed=False))
    assert worth(learning, 60)["grasp"] < 0.5
    monkeypatch.setattr("vpg_ros.learning.hierarchy.pools.ENOUGH", 1)
    assert worth(learning, 60)["grasp"] > 0.9


def test_random_places_tell_of_what_values_never_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vpg_ros.learning.hierarchy.pools.ENOUGH", 2)
    learning = of_the_meta_policy_alone(gamma=0.1)
    for _ in range(4):
        learning.replay.add(replace(experience("push", 1.0, done=True), aimed=False))
    assert worth(learning, 80)["push"] > 0.6  # once in five times only what follows, 0.1


@pytest.mark.parametrize("aimed", [True, False])
def test_a_place_is_worth_what_came_of_actions_there(
    aimed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a block and a tower only what is done to the block succeeds, chosen or random."""
    monkeypatch.setattr("vpg_ros.learning.hierarchy.pools.ENOUGH", 1)
    learning = of_the_meta_policy_alone()
    heights = block().height.astype(np.float16)
    heights[30:50, 180:200] = 0.1
    item = replace(experience("grasp", 0.0), height=heights, row=40, column=190, aimed=aimed)
    for _ in range(10):
        learning.replay.add(item)
        learning.replay.add(replace(item, reward=1.0, row=110, column=110))
    worth(learning, 150)
    meta = learning.network.meta
    assert isinstance(meta, MetaNetwork)
    with torch.inference_mode():
        surroundings = meta.eval().surroundings(overview(heights[None]))
        values = meta.places(surroundings).sigmoid()[0, NAMES.index("grasp")]
    assert values[110 // PLACE, 110 // PLACE] > 0.8 and values[40 // PLACE, 190 // PLACE] < 0.2


@pytest.mark.parametrize(
    ("block", "place", "counts"),
    [
        (75, 35 // PLACE, True),  # 80 mm away, as where a push may begin
        (75, 0, False),  # only table
        (SHAPE[1] - 20, SHAPE[1] // PLACE, False),  # beyond the edge, in what fills the last level
    ],
)
def test_the_best_place_is_one_near_something(block: int, place: int, counts: bool) -> None:
    meta = MetaNetwork(len(NAMES), "scalar", colour=False).eval()
    heights = np.zeros((1, *SHAPE), np.float32)
    heights[0, 100:120, block : block + 20] = 0.04
    inputs = overview(heights)
    surroundings = meta.surroundings(inputs)
    values = torch.full((1, len(NAMES), *surroundings.shape[2:]), -1.0)
    values[0, :, 110 // PLACE, place] = 3.0
    best = meta.summary(surroundings, values, inputs)[0, -len(NAMES) :, 0, 0]
    assert best.tolist() == [3.0 if counts else -1.0] * len(NAMES)


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("shape", [SHAPE, (100, 150)])
def test_the_meta_policy_reads_what_the_pixels_networks_read(
    shape: tuple[int, int], colour: bool
) -> None:
    """In wider cells, with unseen table beyond the edge."""
    rng = np.random.default_rng(0)
    height = rng.uniform(0.0, 0.1, shape).astype(np.float32)
    height[rng.random(shape) < 0.1] = np.nan
    colours = rng.integers(0, 256, (*shape, 3)).astype(np.uint8) if colour else None
    beyond = [(0, -size % 64) for size in shape]
    padded = [
        np.pad(layer, beyond, constant_values=float(i == UNSEEN))
        for i, layer in enumerate(planes(height, colours))
    ]
    (seen,) = overview(height[None], None if colours is None else colours[None])
    np.testing.assert_allclose(seen.numpy(), to_cells(padded, META_CELL), atol=1e-5)


def test_the_next_table_is_worth_what_is_best_among_what_is_admissible_there() -> None:
    learning = learner(gamma=0.5)
    level = learning._meta
    assert level is not None
    values = torch.tensor([0.2, 0.6, 0.9])  # of NAMES on any table
    level._average.outcomes = lambda inputs: Distribution.certain(  # type: ignore[method-assign]
        values.repeat(len(inputs), 1)
    )
    tall, none = block(0.12).height.astype(np.float16), np.zeros(SHAPE, np.float16)
    expected = [
        (experience("push", 0.0, changed=True), 0.5 * 0.6),  # nothing low is toppled
        (experience("push", 0.0, changed=True, next_height=tall), 0.5 * 0.9),
        (experience("push", 0.0, changed=True, next_height=none), 0.0),
        (experience("push", 0.0), 0.0),  # changed nothing
        (experience("push", 0.0, changed=True, done=True), 0.0),  # spoilt the scene
        (experience("push", 1.0, changed=True, done=True), 1.0),  # or reached its end
        (experience("grasp", 1.0, changed=True), 1.0),
        (experience("grasp", 0.0, changed=True), 0.0),
    ]
    replay = Replay()
    for item, _ in expected:
        replay.add(item)
    targets = level._targets(replay, range(len(replay)), np.random.default_rng(0))
    assert targets.mean.tolist() == pytest.approx([value for _, value in expected])


def test_an_option_is_worth_what_the_meta_policy_makes_of_the_next_table() -> None:
    learning = learner(targets="option", gamma=0.5)
    level = learning._meta
    assert level is not None
    values = torch.tensor([0.2, 0.6, 0.9])  # of NAMES on any table
    level._average.outcomes = lambda inputs: Distribution.certain(  # type: ignore[method-assign]
        values.repeat(len(inputs), 1)
    )
    none = np.zeros(SHAPE, np.float16)
    expected = [
        (experience("push", 0.0, changed=True), 0.5 * 0.5 * 0.6),  # nothing low is toppled
        (experience("push", 0.0, changed=True, worked=True), 0.5 + 0.5 * 0.5 * 0.6),
        (experience("push", 0.0, changed=True, worked=True, next_height=none), 0.5),
        (experience("push", 1.0, changed=True, worked=True, done=True), 1.0),
        (experience("push", 0.0), 0.0),
        (experience("grasp", 0.0, changed=True, worked=True), 1.0),  # picked, though not wanted
    ]
    for item, _ in expected:
        learning.remember(item)
    first = len(learning.replay) - len(expected)
    found = [learning.targets.of(first + i).mean for i in range(len(expected))]
    assert found == pytest.approx([value for _, value in expected])
    flat = NetworkConfig.of_repertoire(NAMES)
    with pytest.raises(VpgError, match="targets is 'option'; that takes a meta-policy"):
        Learner(flat, LearnerConfig(targets="option"), DEFAULT_WORKSPACE, seed=0)


def test_the_next_table_has_its_whole_distribution() -> None:
    learning = learner("categorical", gamma=0.5)
    level = learning._meta
    assert level is not None
    outcomes = torch.tensor([[0.0, 0.4], [0.2, 1.0], [0.0, 0.0]])  # of NAMES, alike likely
    level._average.outcomes = lambda inputs: Distribution(  # type: ignore[method-assign]
        outcomes.repeat(len(inputs), 1, 1), torch.full((len(inputs), 3, 2), 0.5)
    )
    replay = Replay()
    for item in (experience("push", 0.0, changed=True), experience("grasp", 1.0)):
        replay.add(item)
    targets = level._targets(replay, [0, 1], np.random.default_rng(0))
    assert targets.atoms.tolist() == [pytest.approx([0.1, 0.5]), [1.0, 1.0]]
    assert targets.probabilities.tolist() == [[0.5, 0.5]] * 2


def test_stages_follow_each_other() -> None:
    assert levels("joint", 0.0) == levels("joint", 0.9) == (True, True)
    assert [levels("staged", share) for share in (0.0, 0.5, 0.9)] == [
        (True, False),
        (False, True),
        (True, True),
    ]
    learning = learner(schedule="staged", decay_updates=5)

    def weights() -> tuple[torch.Tensor, torch.Tensor]:
        network = learning._network
        assert network.meta is not None
        meta = next(network.meta.parameters())
        return next(network.part("grasp").parameters()).clone(), meta.clone()

    moved, before = [], weights()
    for _ in range(4):
        learning.update()
        now = weights()
        moved.append(tuple(not torch.equal(a, b) for a, b in zip(before, now, strict=True)))
        before = now
    assert moved == [(True, False), (True, False), (False, True), (True, True)]
    with pytest.raises(VpgError, match="schedule is 'never'; it must be one of joint, staged"):
        LearnerConfig(schedule="never")


def test_a_hierarchy_goes_on_as_if_never_stopped() -> None:
    whole, half, resumed = learner(), learner(), learner()
    losses = [whole.update() for _ in range(2)]
    assert half.update() == losses[0]
    resumed.restore(half.state())
    assert resumed.update() == losses[1]
    state = half.state()
    state["network"] = {k: v for k, v in state["network"].items() if "places" not in k}
    with pytest.raises(VpgError, match=r"another version of vpg_ros.*places") as error:
        learner().restore(state)
    assert error.value.code is ErrorCode.STORE_MISMATCH


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (experience("grasp", 0.0, worked=True, changed=True), 1.0),  # picked, though not wanted
        (experience("topple", 0.0, worked=True, changed=True), 0.5 + 0.5 * 0.8 * 0.5),
        (experience("topple", 0.0, worked=True, changed=True, done=True), 0.5),
        (experience("topple", 0.0, worked=False, changed=True), 0.0),
        (experience("topple", 1.0, worked=True, changed=True, done=True), 1.0),
    ],
)
def test_a_primitive_is_worth_what_it_is_for(item: Experience, expected: float) -> None:
    learning = learner(targets="worked")
    learning.targets.following = lambda experience: Returns.certain(0.5)
    learning.replay.add(item)
    assert learning.targets.of(2).mean == pytest.approx(expected)


@pytest.mark.parametrize(("rule", "expected"), [("worked", 0.4), ("discounted", 0.9)])
def test_what_it_makes_possible_is_the_best_pick(rule: str, expected: float) -> None:
    """A block that may be pushed again as well as grasped."""
    values = network()
    for name, value in (("grasp", 0.4), ("push", 0.9), ("topple", 0.0)):
        (layer,) = (m for m in values.part(name).head.modules() if isinstance(m, torch.nn.Conv2d))
        assert layer.bias is not None
        layer.weight.data.zero_()
        layer.bias.data.fill_(torch.logit(torch.tensor(value), 1e-6).item())
    config = LearnerConfig(targets=rule, smoothing=1)
    following = NextScene(values, values, config, DEFAULT_WORKSPACE, CPU)
    seen = following(experience("push", 0.0, changed=True))
    assert seen.mean == pytest.approx(expected, abs=0.01)


def test_shards_of_earlier_versions_are_read(tmp_path: Path) -> None:
    replay = Replay()
    replay.add(experience("grasp", 1.0))
    replay.save(tmp_path)
    (shard,) = tmp_path.glob("*.npz")
    with np.load(shard) as data:
        columns = {name: data[name] for name in data if name not in ("worked", "aimed")}
    np.savez(shard, **columns)
    loaded = Replay()
    loaded.load(tmp_path, 1)
    assert loaded[0].primitive == "grasp" and not loaded[0].worked and not loaded[0].aimed


# -- the task of a scene


def test_what_a_scene_asks_for_is_what_earns() -> None:
    env = TableEnv("ortho", task="scene")
    heightmap = env.reset("tower", 2, 3)
    x, y, _ = env.world.pose(env.world.objects[0]).position
    stacked = env.step(SCRIPTS["tower"](env.world, heightmap))
    assert (stacked.reward, stacked.done, env.solved, env.over) == (1.0, True, True, True)
    heightmap = env.reset("tower", 2, 3)
    picked = env.step(replace(at("grasp", x, y, 0.0, heightmap)))
    # What is in the bin stands on nothing any more.
    assert (picked.reward, picked.done, env.solved, env.over) == (0.0, True, False, True)
    env.reset("tall", 1, 0)
    assert env.solved is None


def test_a_row_that_is_shoved_away_is_spoilt() -> None:
    """Nobody can see any more where it stood."""
    env = TableEnv("ortho", task="scene")
    heightmap = env.reset("tiles", 6, 0)
    places = np.array([env.world.pose(body).position for body in env.world.objects])
    x, y, _ = places.mean(axis=0)
    angle = float(np.arctan2(*(places[-1] - places[0])[1::-1]))
    start = (x - 0.07 * np.cos(angle), y - 0.07 * np.sin(angle))
    shoved = env.step(at("push", *start, angle, heightmap))
    assert scene_changed(shoved.before, shoved.after)
    assert (shoved.reward, shoved.done, env.solved, env.over) == (0.0, True, False, True)


def test_the_gymnasium_environment_rewards_it_too() -> None:
    table = TableGym("tower", 2, camera="ortho", names=("grasp", "stack"), task="scene")
    table.reset(seed=1)
    action = SCRIPTS["tower"](table._env.world, table._heightmap)
    place = np.array([1, action.rotation, action.row, action.column])
    _, reward, done, truncated, _ = table.step(place)
    assert (reward, done, truncated) == (1.0, True, False)


@pytest.mark.parametrize("targets", ["worked", "discounted"])
def test_a_stack_is_worth_what_the_whole_table_offers_next(targets: str) -> None:
    """The first of two leaves nothing near where the cube was; the cubes stand 19 cm apart."""
    env = TableEnv("ortho", task="scene")
    heightmap = env.reset("tower", 3, 0)
    names = ("grasp", "push", "stack")
    config = LearnerConfig(targets=targets)
    learning = Learner(NetworkConfig.of_repertoire(names), config, DEFAULT_WORKSPACE, seed=0)
    step = env.step(SCRIPTS["tower"](env.world, heightmap))
    learning.add(step)
    assert step.outcome.success and learning.replay[0].worked
    assert learning.targets.of(0).mean > 0.1


# -- bench and study


def test_a_row_for_every_strategy_and_repertoire(tmp_path: Path) -> None:
    target = tmp_path / "rows.json"
    quick = ("--tables", "1", "--repeats", "1", "--objects", "2", "--primitives", "2,3")
    chosen = ("--strategy", "flat-separate,hierarchical", "--json", str(target))
    assert main(["bench", "decision", *quick, *chosen]) == 0
    rows = json.loads(target.read_text())
    designs = ("flat-separate", "hierarchical")
    assert [(r["strategy"], r["primitives"]) for r in rows] == [
        (d, n) for n in (2, 3) for d in designs
    ]
    flops = {(row["strategy"], row["primitives"]): row["flops"] for row in rows}
    assert flops["flat-separate", 3] == pytest.approx(1.5 * flops["flat-separate", 2], rel=0.05)
    assert flops["hierarchical", 3] == pytest.approx(flops["hierarchical", 2], rel=0.05)
    assert all(row["ms"] > 0 and row["memory_mb"] > 1 for row in rows)


def test_every_primitive_of_a_hierarchy_has_its_turn_on_every_table() -> None:
    (way,) = ways_of_designs(["hierarchical"], [2])
    (table,) = tables(3, 1)
    looked_at = [set(policy.decide(table).maps.values) for policy in way.policies]
    assert looked_at == [{"grasp"}, {"push"}]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("--primitives", "99"),
            f"is '99'; it must be numbers of 1 to {len(names())}",
        ),
        (("--primitives", "2..99"), "--primitives is '2..99'"),
        (("--primitives", "some"), "--primitives is 'some'"),
        (("--strategy", "deep"), "--strategy is 'deep'; it must be of flat-separate"),
        (("--strategy", "hierarchical", "--head", "scalar"), "--head is 'scalar'"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(
    arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "decision", *arguments]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("vpg: ") and sentence in line


def test_seven_primitives_stay_the_same_seven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where another file comes before theirs."""
    seven = first_primitives(7)
    assert seven == (*first_primitives(2), "lever", "roll", "squeeze", "stack", "topple")
    assert first_primitives(2) == ("grasp", "push")
    more = {"another": get("push")} | {name: get(name) for name in names()}
    monkeypatch.setattr(primitives.base, "_REGISTRY", more)
    assert first_primitives(7) == seven and first_primitives(8)[-1] == "another"


def test_what_a_strategy_solves_is_compared_table_by_table() -> None:
    def cell(variant: str, seed: int, tall: int, challenging: int) -> dict[str, Any]:
        """Ten tables of each, of which so many are solved."""

        def runs(case: str, solved: int) -> list[dict[str, Any]]:
            return [asdict(Run(case, i, 1, int(i < solved), 0, 3, 1, 1, 9.0)) for i in range(10)]

        played = {"tall": runs("tall", tall), "challenging": runs("c", challenging)}
        return {"variant": variant, "seed": seed, "runs": played}

    cells = [cell("flat-shared", seed, 6, 5) for seed in (0, 1)]
    cells += [cell("flat-shared-two", seed, 0, 9) for seed in (0, 1)]
    cells += [cell("hierarchical", 0, 6, 9), cell("hierarchical", 1, 8, 9)]
    flat, two, ours = results.summary(cells)
    assert flat["differences"]["flat-shared"] is None and two["differences"]["challenging"] is None
    assert flat["differences"]["challenging"]["value"] == pytest.approx(-0.4)
    found = ours["differences"]["flat-shared"]
    assert found["value"] == pytest.approx(0.1)
    assert (found["low"], found["high"]) == (-1, 1), "two trainings say little of others"
    found = ours["differences"]["challenging"]
    assert found["value"] == 0 and 0.1 < found["high"] == -found["low"] < 0.2, "of 20 tables"
    text = results.markdown([], [flat, two, ours])
    assert "+10.0 [-100.0, +100.0]" in text and "Played flat" not in text


def test_the_study_is_done_once(tmp_path: Path) -> None:
    matrix = Matrix(
        variants=("hierarchical",),
        seeds=(0,),
        actions=2,
        families=("cornered",),
        runs=1,
        challenging=0,
        counts=(2,),
        tables=1,
        repeats=1,
    )
    begun: list[str] = []
    for _ in range(2):
        bench = experiment.bench_of(matrix, tmp_path)
        experiment.run(matrix, tmp_path)
        begun.append(results.write(bench, experiment.cells(matrix, tmp_path), tmp_path))
    assert begun[0] == begun[1] and "| hierarchical | 1 |" in begun[0]
    assert "Played flat: hierarchical. A meta-policy has no say before" in begun[0]
    (row,) = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert row["strategies"] == [FLAT]
    assert row["union"]["trials"] == 1 and (tmp_path / "results.png").is_file()
    experiment.run(replace(matrix, seeds=(1,)), tmp_path)
    played = [each["runs"]["cornered"][0]["seed"] for each in experiment.cells(matrix, tmp_path)]
    assert played == [0, 1], "each training has tables of its own"
    with pytest.raises(VpgError, match="choose another folder"):
        experiment.run(replace(matrix, actions=3), tmp_path)
    (tmp_path / "hierarchical" / "seed-0-old").mkdir()
    aside = tmp_path / "hierarchical" / "seed-0-old" / "cell.json"
    aside.write_text((tmp_path / "hierarchical" / "seed-0" / "cell.json").read_text())
    assert len(experiment.cells(matrix, tmp_path)) == 2
    (tmp_path / "decision.json").write_text("[1]")
    with pytest.raises(VpgError, match=r"decision.json is damaged: .*; delete it, and"):
        experiment.bench_of(matrix, tmp_path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"variants": ("deep",)}, "variants has 'deep'; they must be of flat-shared-two"),
        ({"seeds": (0, -1)}, "seed is -1; it must be >= 0"),
        ({"seeds": (2**32,)}, "seed is 4294967296; it must be >= 0 and < 2"),
    ],
)
def test_a_study_refuses_bad_input_before_it_begins(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(VpgError, match=sentence):
        Matrix(**changes)
