"""Learning: rewards, replay, the learner, the environment and the training loop."""

import json
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import cv2
import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from vpg_ros import primitives
from vpg_ros.action import Action, Transition
from vpg_ros.choices import HEADS
from vpg_ros.cli.main import main
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.env import STUCK_AFTER, TableEnv
from vpg_ros.learning.learner import Learner
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.offline.critic import action_values
from vpg_ros.learning.patches import make_batch, patch_size
from vpg_ros.learning.replay import Experience, Replay
from vpg_ros.learning.returns import Returns
from vpg_ros.learning.rewards import failures, is_clear, reward, scene_changed
from vpg_ros.learning.rollout import Rollout
from vpg_ros.learning.train import Trainer
from vpg_ros.motion import Outcome
from vpg_ros.policy import HeuristicPolicy, RandomPolicy
from vpg_ros.policy.checkpoint import load_policy
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.exploration import GUIDED
from vpg_ros.policy.maps import pixel_to_cell
from vpg_ros.policy.network import SEEN, make_network
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.risk import MEAN, make_risk

CONFIG = NetworkConfig.of_repertoire()


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def scene(*boxes: tuple[float, float, float, float, float]) -> Heightmap:
    """Boxes (column, row, width, length in pixels, degrees), 4 cm high."""
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    for column, row, width, length, degrees in boxes:
        corners = cv2.boxPoints(((column, row), (width, length), degrees))
        cv2.fillPoly(height, [corners.round().astype(np.int32)], 0.04)
    return Heightmap(np.zeros((*height.shape, 3), np.uint8), height, DEFAULT_WORKSPACE)


ONE = scene((110, 110, 20, 20, 0))
EMPTY = scene()


def transition(
    action: Action, success: bool, before: Heightmap = ONE, after: Heightmap = ONE
) -> Transition:
    """A transition with the reward that it earns."""
    outcome = Outcome(success)
    earned = reward(action, outcome, before, after)
    return Transition("test", 0, before, action, outcome, earned, after, is_clear(after))


def act(name: str, row: int, column: int, rotation: int, heightmap: Heightmap = ONE) -> Action:
    return primitives.get(name).action(row, column, rotation, heightmap)


# -- rewards


def test_a_table_is_clear_when_nothing_stands_on_it() -> None:
    assert is_clear(EMPTY)
    assert not is_clear(ONE)
    assert not is_clear(scene((110, 110, 12, 12, 30)))  # the smallest object there is: 24 mm
    speck = EMPTY.height.copy()
    speck[50:52, 50:53] = 0.03
    assert is_clear(replace(EMPTY, height=speck))


def test_a_moved_object_changes_the_scene_and_noise_does_not() -> None:
    assert not scene_changed(ONE, ONE)
    assert scene_changed(ONE, EMPTY)
    assert scene_changed(ONE, scene((115, 110, 20, 20, 0)))
    rng = np.random.default_rng(0)
    noisy = ONE.height + rng.normal(0, 0.002, ONE.height.shape).astype(np.float32)
    edge = cv2.dilate(ONE.height, np.ones((3, 3))) != cv2.erode(ONE.height, np.ones((3, 3)))
    noisy[edge & (rng.random(edge.shape) < 0.5)] = 0.0
    assert not scene_changed(ONE, replace(ONE, height=noisy))


GRASP, PUSH = (
    primitives.get(name).action(110, column, 0, ONE)
    for name, column in (("grasp", 110), ("push", 90))
)
FAR = scene((110, 110, 20, 20, 0), (40, 40, 20, 20, 0))
NEAR = scene((110, 110, 20, 20, 0), (110, 84, 20, 20, 0))


@pytest.mark.parametrize(
    ("action", "success", "after", "failed"),
    [
        (GRASP, True, EMPTY, False),
        (GRASP, False, ONE, True),
        (GRASP, False, NEAR, True),  # it moved something, but picked nothing
        (PUSH, True, ONE, True),  # it went all the way, but moved nothing
        (PUSH, True, NEAR, False),
    ],
)
def test_an_action_that_came_to_nothing_is_a_failure(
    action: Action, success: bool, after: Heightmap, failed: bool
) -> None:
    assert failures([], action, Outcome(success), ONE, after) == [action] * failed


def test_a_failure_counts_until_something_changes_near_it() -> None:
    known = [GRASP]
    assert failures(known, PUSH, Outcome(True), ONE, FAR) == known
    assert failures(known, PUSH, Outcome(True), ONE, NEAR) == []
    assert failures(known, PUSH, Outcome(True), ONE, ONE) == [GRASP, PUSH]


def test_what_was_not_seen_did_not_change() -> None:
    blind = ONE.height.copy()
    blind[90:130, 90:130] = np.nan
    assert not scene_changed(ONE, replace(ONE, height=blind))


def test_only_a_successful_pick_is_rewarded() -> None:
    assert reward(act("grasp", 110, 110, 0), Outcome(True), ONE, EMPTY) == 1.0
    assert reward(act("grasp", 110, 110, 0), Outcome(False), ONE, EMPTY) == 0.0
    assert reward(act("push", 110, 80, 0), Outcome(True), ONE, EMPTY) == 0.0


# -- patches and replay


@pytest.mark.parametrize(("name", "rotation"), [("grasp", 3), ("push", 2), ("push", 11)])
def test_patches_put_the_action_at_its_cell_and_direction(name: str, rotation: int) -> None:
    """Whatever the augmentation, what lies ahead of the action lies ahead in its channel's sense.

    Channels after the first value an action that runs half a turn from the patch's +x.
    """
    angle = primitives.get(name).angle(rotation)
    ahead = 112 + 24 * np.cos(angle), 112 + 24 * np.sin(angle)
    heightmap = scene((*ahead, 14, 14, np.rad2deg(angle)))
    action = act(name, 112, 112, rotation, heightmap)
    experience = Experience.of(transition(action, True, heightmap), colour=False)
    batch = make_batch([experience] * 32, CONFIG, np.random.default_rng(0))
    assert batch.inputs.shape == (32, 5, *[patch_size(name, CONFIG)] * 2)
    found = set()
    for i in range(32):
        height = batch.inputs[i, :4].mean(dim=0).numpy()
        rows, columns = np.indices(height.shape)
        x = (height * columns).sum() / height.sum() - float(batch.columns[i])
        y = (height * rows).sum() / height.sum() - float(batch.rows[i])
        assert (abs(x), y) == pytest.approx((12, 0), abs=0.7)
        found.add((int(batch.outputs[i]), bool(x > 0)))
    first = CONFIG.channels(name)[0]
    if primitives.get(name).symmetric:
        assert found == {(first, True), (first, False)}
    else:
        assert found == {(first, True), (first + 1, False)}


def test_beyond_the_workspace_nothing_was_seen() -> None:
    corner = scene((6, 6, 12, 12, 0))
    experience = Experience.of(transition(act("grasp", 6, 6, 0, corner), True, corner), False)
    batch = make_batch([experience], CONFIG, np.random.default_rng(0))
    unseen = batch.inputs[0, 4]
    assert 0.3 < float(unseen.mean()) < 0.9
    assert float(unseen[int(batch.rows[0]), int(batch.columns[0])]) == 0.0


@pytest.mark.parametrize("colour", [False, True])
def test_replay_comes_back_from_disk_as_it_was(tmp_path: Path, colour: bool) -> None:
    replay = Replay()
    for i in range(7):
        action = act("push", 100 + i, 80, i)
        replay.add(Experience.of(transition(action, True, after=EMPTY), colour))
        if i in (2, 6):
            replay.save(tmp_path)
    again = Replay()
    again.load(tmp_path, 7)
    assert len(again) == 7
    for i in range(7):
        for name in Experience.__dataclass_fields__:
            ours, theirs = getattr(replay[i], name), getattr(again[i], name)
            assert np.array_equal(ours, theirs), name
            assert type(ours) is type(theirs), name


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    replay = Replay()
    replay.add(Experience.of(transition(act("grasp", 110, 110, 0), True), False))
    replay.save(tmp_path)
    shard = next(tmp_path.iterdir())
    whole = shard.read_bytes()
    gaps = range(60, len(whole), len(whole) // 40)
    for damaged in (whole[:100], *(whole[:at] + bytes(40) + whole[at + 40 :] for at in gaps)):
        shard.write_bytes(damaged)
        with pytest.raises(VpgError, match=shard.name) as error:
            Replay().load(tmp_path, 1)
        assert error.value.code is ErrorCode.STORE_UNREADABLE


# -- learner


def graspable() -> list[Transition]:
    """Grasps of bars: those across the narrow side succeed, those along the bar fail."""
    rng = np.random.default_rng(0)
    result = []
    for i in range(24):
        rotation = int(rng.integers(8))
        heightmap = scene((*rng.uniform(70, 150, 2), 14, 44, 22.5 * rotation))
        row, column = np.argwhere(heightmap.occupied).mean(axis=0).round().astype(int)
        along = (rotation + 4 * (i % 2)) % 8
        action = act("grasp", int(row), int(column), along, heightmap)
        result.append(transition(action, i % 2 == 0, heightmap, heightmap))
    return result


def learner(**options: float) -> Learner:
    config = LearnerConfig(decay_updates=40, batch=12, averaging=0.85, **options)  # type: ignore[arg-type]
    return Learner(CONFIG, config, DEFAULT_WORKSPACE, seed=0)


@pytest.mark.parametrize("head", [name for name in HEADS if name != "scalar"])
def test_every_head_tells_good_grasps_it_has_not_seen_from_bad(head: str) -> None:
    config = LearnerConfig(decay_updates=150, batch=12, averaging=0.85)
    student = Learner(NetworkConfig.of_repertoire(head=head), config, DEFAULT_WORKSPACE, seed=0)
    examples = graspable()
    for example in examples[:16]:
        student.add(example)
    for _ in range(80):
        student.update()
    policy, worth = student.policy(), ([], [])  # type: ignore[var-annotated]
    for example in examples[16:]:
        action = example.action
        values = policy.maps(example.before).values["grasp"]
        cell = pixel_to_cell(action.row, action.column, CONFIG.cell)
        worth[example.outcome.success].append(values[action.rotation, *cell])
    assert np.mean(worth[True]) > np.mean(worth[False]) + 0.5


def test_the_learner_tells_good_grasps_from_bad() -> None:
    student = learner()
    examples = graspable()
    for example in examples:
        student.add(example)
    losses = [student.update() for _ in range(40)]
    assert np.mean(losses[-10:]) < 0.3 * np.mean(losses[:5])
    policy = student.policy()
    for example in examples[:6]:
        values = policy.maps(example.before).values["grasp"]
        action = example.action
        value = values[action.rotation, action.row // 2, action.column // 2]
        assert (value > 0.5) == example.outcome.success


def test_a_push_is_worth_what_it_leads_to() -> None:
    """Targets: gamma times the best next value; nothing where nothing changed or all is gone."""
    student = learner()
    moved = scene((140, 110, 20, 20, 0))
    push = act("push", 110, 80, 0)
    for after in (moved, ONE, EMPTY):
        student.add(transition(push, True, after=after))
    student.add(transition(act("grasp", 110, 110, 0), True, after=EMPTY))
    best = student.policy().decide(moved).action.value
    targets = [student.targets.of(i).mean for i in range(4)]
    assert targets == pytest.approx([0.8 * best, 0.0, 0.0, 1.0], abs=1e-5)


def test_a_push_is_worth_what_it_leaves_near_it() -> None:
    """The same two blocks left, seen from a push beside one of them and from one far from both."""
    learning = Learner(CONFIG, LearnerConfig(reach=0.05), DEFAULT_WORKSPACE, seed=0)
    near, far = (
        Experience.of(transition(primitives.get("push").action(*at, 0, ONE), True, ONE, FAR), False)
        for at in ((110, 90), (190, 190))
    )
    assert learning.targets.following(near).mean > 0.05
    assert learning.targets.following(far).mean == 0.0


def chain(*steps: tuple[str, int, bool, str], rule: str = "discounted") -> list[float]:
    """Targets after (primitive, column, success, who chose it) in turn; all of them move things."""
    config = LearnerConfig(realised=True, targets=rule)
    learning = Learner(CONFIG, config, DEFAULT_WORKSPACE, seed=0)
    learning.targets.following = lambda experience: Returns.certain(0.5)
    for number, (name, column, success, policy) in enumerate(steps):
        action = replace(primitives.get(name).action(110, column, 0, ONE), policy=policy)
        step = replace(transition(action, success, ONE, FAR), step=number)
        learning.add(step)
    return [learning.targets.of(index).mean for index in range(len(steps))]


@pytest.mark.parametrize("success", [False, True])
def test_a_push_is_worth_what_the_policy_then_did_near_it(success: bool) -> None:
    targets = chain(("push", 90, True, "network"), ("grasp", 110, success, "network"))
    assert targets == pytest.approx([0.8 * success, float(success)])


def test_pushes_in_a_row_are_worth_less_each() -> None:
    push, grasp = ("push", 90, True, "network"), ("grasp", 110, True, "network")
    assert chain(push, push, grasp) == pytest.approx([0.64, 0.8, 1.0])


def test_what_a_push_makes_possible_is_told_by_the_pick_after_it() -> None:
    """By the rule of a hierarchy's pixels, to which pushes again say nothing."""
    push, grasp = ("push", 90, True, "network"), ("grasp", 110, True, "network")
    estimated = 0.5 + 0.5 * 0.8 * 0.5
    assert chain(push, push, grasp, rule="worked") == pytest.approx([estimated, 0.9, 1.0])


@pytest.mark.parametrize(
    "follow_up", [("grasp", 110, False, "random"), ("grasp", 200, False, "network")]
)
def test_what_chance_did_next_or_the_policy_elsewhere_says_nothing_of_a_push(
    follow_up: tuple[str, int, bool, str],
) -> None:
    assert chain(("push", 90, True, "network"), follow_up)[0] == pytest.approx(0.4)


def test_learning_continues_exactly_where_it_was_saved(tmp_path: Path) -> None:
    examples = [*graspable()[:8], transition(act("push", 110, 80, 0), True, after=EMPTY)]
    examples.append(transition(act("push", 110, 80, 0), True, after=scene((140, 110, 20, 20, 0))))
    one = learner(refresh_every=2)
    for example in examples:
        one.add(example)
    for _ in range(5):
        one.update()
    one.replay.save(tmp_path)
    torch.save(one.state(), tmp_path / "state.pt")
    two = learner(refresh_every=2)
    two.replay.load(tmp_path, len(one.replay))
    two.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [one.update() for _ in range(5)] == [two.update() for _ in range(5)]
    for ours, theirs in zip(one.network.parameters(), two.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_rewards_that_are_no_numbers_are_refused() -> None:
    bad = replace(transition(act("grasp", 110, 110, 0), True), reward=float("nan"), step=17)
    with pytest.raises(VpgError, match="step 17 is nan"):
        learner().add(bad)


def test_nothing_is_learned_from_nothing() -> None:
    with pytest.raises(VpgError, match="empty") as error:
        learner().update()
    assert error.value.code is ErrorCode.STORE_UNREADABLE


# -- environment


@pytest.fixture(scope="module")
def env() -> TableEnv:
    return TableEnv(camera="ortho")


def rollout(env: TableEnv, camera_steps: int = 4) -> list[Transition]:
    """A few random actions from a fixed start."""
    heightmap = env.reset("random", 4, seed=3)
    policy = RandomPolicy(seed=1)
    result = []
    for _ in range(camera_steps):
        result.append(env.step(policy.decide(heightmap, env.tried).action))
        heightmap = result[-1].after
    return result


@pytest.mark.parametrize("camera", ["ortho", "perspective"])
def test_the_same_seed_gives_the_same_transitions(camera: str) -> None:
    first, second = (rollout(TableEnv(camera)) for _ in range(2))
    for one, two in zip(first, second, strict=True):
        assert (one.action, one.outcome, one.reward) == (two.action, two.outcome, two.reward)
        for ours, theirs in ((one.before, two.before), (one.after, two.after)):
            assert ours.height.tobytes() == theirs.height.tobytes()
            assert ours.colour.tobytes() == theirs.colour.tobytes()


def test_transitions_are_chained_and_counted(env: TableEnv) -> None:
    transitions = rollout(env)
    assert [t.step for t in transitions] == [0, 1, 2, 3]
    for one, two in pairwise(transitions):
        assert one.after is two.before


def test_a_graspable_block_is_picked_and_the_table_is_clear(env: TableEnv) -> None:
    heightmap = env.reset("random", 1, seed=0)
    policy = HeuristicPolicy()
    while not env.over:
        last = env.step(policy.decide(heightmap, env.tried).action)
        heightmap = last.after
    assert last.done
    assert last.outcome.success
    assert last.reward == 1.0
    assert env.world.picked == 1


def test_actions_without_effect_end_the_episode(env: TableEnv) -> None:
    heightmap = env.reset("random", 4, seed=0)
    far = min(((r, c) for r in (20, 200) for c in (20, 200)), key=lambda p: heightmap.filled[p])
    action = act("grasp", *far, 0, heightmap)
    for step in range(STUCK_AFTER):
        assert not env.over
        assert len(env.tried) == step
        assert env.step(action).reward == 0.0
    assert env.over
    with pytest.raises(VpgError, match="reset"):
        env.step(action)


def test_bad_settings_are_named() -> None:
    with pytest.raises(VpgError, match="camera is 'x-ray'"):
        TableEnv("x-ray")
    with pytest.raises(VpgError, match="actions is 0"):
        TrainingConfig(actions=0)


def test_the_gymnasium_environment_keeps_its_contract() -> None:
    name = "vpg_ros.learning.gym_env:vpg_ros/Table-v0"
    table = gymnasium.make(name, objects=2, camera="ortho", render_mode="rgb_array")
    check_env(table.unwrapped, skip_render_check=True)
    first, second = (table.reset(seed=5)[0]["height"] for _ in range(2))
    assert (first == second).all()
    assert table.render().shape == (224, 224, 3)


# -- training and evaluation

SMALL = TrainingConfig(
    actions=8, warm_up=5, save_after=1, camera="ortho", scenes=(SceneMix("random", 1.0, 1, 2),)
)

QUICK = LearnerConfig(batch=4, decay_updates=8)


def test_training_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path) -> None:
    class Stopped(Exception):
        """Stands for a kill."""

    def stop(progress: object) -> None:
        if interrupted.progress.actions == 6:
            raise Stopped

    whole = Trainer(SMALL, tmp_path / "whole", QUICK)
    whole.run()
    interrupted = Trainer(SMALL, tmp_path / "stopped", QUICK)
    with pytest.raises(Stopped):
        interrupted.run(stop)
    resumed = Trainer(SMALL, tmp_path / "stopped", QUICK)
    assert 0 < resumed.progress.actions < 6
    weights = resumed.run()
    assert resumed.progress.outcomes == whole.progress.outcomes
    for ours, theirs in zip(
        whole.learner.network.parameters(), resumed.learner.network.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)
    assert (
        load_policy(weights).checkpoint == load_policy(tmp_path / "whole" / weights.name).checkpoint
    )


def first_scenes(config: TrainingConfig, out: Path, skip: int = 0) -> list[np.ndarray]:
    """The scene that each episode starts from, of a training that was stopped after ``skip``."""
    if skip:
        trainer = Trainer(config, out, QUICK)
        trainer.progress.episodes = skip
        trainer.save()
    trainer = Trainer(config, out, QUICK)
    begun: dict[int, int] = {}
    trainer.run(lambda progress: begun.setdefault(progress.episodes, progress.actions - 1))
    return [trainer.learner.replay[action].height for action in begun.values()]


def test_scenes_depend_on_the_seed_and_their_number_alone(tmp_path: Path) -> None:
    config = replace(SMALL, scenes=(SceneMix("random", 1.0, 1, 3), SceneMix("row", 1.0, 1, 3)))
    config = replace(config, actions=16, warm_up=16)
    scenes = first_scenes(config, tmp_path / "first")
    assert len(scenes) >= 2
    bolder = first_scenes(replace(config, warm_up=8, exploration=0.5), tmp_path / "bolder")
    for ours, theirs in zip(scenes, bolder, strict=False):
        assert np.array_equal(ours, theirs, equal_nan=True)
    (second, *_) = first_scenes(config, tmp_path / "resumed", skip=1)
    assert np.array_equal(second, scenes[1], equal_nan=True)


def test_a_family_is_drawn_once_its_time_has_come() -> None:
    mixes = (SceneMix("random", 1.0, 1, 2), SceneMix("row", 1e9, 2, 3, after=5))
    rollout = Rollout(
        replace(SMALL, warm_up=9, scenes=mixes), lambda: pytest.fail("no policy acts")
    )
    names = [next(rollout.episode(0, actions)).episode.split("-")[0] for actions in (0, 4, 5)]
    rollout.close()
    assert names == ["random", "random", "row"]


def test_every_other_table_is_played_by_the_training_s_risk() -> None:
    config = replace(CONFIG, head="quantile")
    policy = NetworkPolicy(make_network(config).eval(), torch.device("cpu"))
    scenes = (SceneMix("random", 1.0, 4, 4),)
    greedy = replace(SMALL, head="quantile", warm_up=0, exploration=0.0, scenes=scenes)
    rollout = Rollout(replace(greedy, risk="wang", alpha=3.0), lambda: policy)
    for number, risk in enumerate((MEAN, make_risk("wang", 3.0))):
        step = next(rollout.episode(number, 0))
        assert step.action == policy.with_risk(risk).decide(step.before).action
    rollout.close()
    assert policy.risk == MEAN
    with pytest.raises(VpgError, match="risk is 'cvar'; it must be mean where the head is scalar"):
        replace(SMALL, risk="cvar")
    with pytest.raises(VpgError, match="alpha is 2; for the risk 'cvar'"):
        replace(greedy, risk="cvar", alpha=2)


def test_a_value_is_the_same_in_a_patch_as_on_the_whole_table() -> None:
    torch.manual_seed(0)
    config = NetworkConfig.of_repertoire(("grasp", "push"))
    network, size, top = make_network(config).double().eval(), patch_size("push", config), 24
    inputs = torch.rand(1, config.input_channels, 96, 96, dtype=torch.float64)
    assert size == 2 * SEEN
    with torch.inference_mode():
        (whole,) = network(inputs)
        (patch,) = network(inputs[:, :, top : top + size, top : top + size])
    for anchor in range(size // 2 - 2, size // 2 + 2):  # every phase of the pooling grid
        at = (..., top + anchor, top + anchor)
        assert patch[..., anchor, anchor].tolist() == pytest.approx(whole[at].tolist(), abs=1e-12)


HEIGHTS = {"grasp": 0.04, "roll": 0.024, "topple": 0.14, "lever": 0.014}


def sample(name: str, row: int, column: int, rotation: int) -> Experience:
    """One of what such primitives are for: the first rotation does something, others nothing."""
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float16)
    height[row - 6 : row + 6, max(0, column - 12) : column + 12] = HEIGHTS[name]
    none, did = np.zeros((0, 0, 3), np.uint8), rotation == 0
    earned = float(did and name == "grasp")
    return Experience(
        height, none, name, rotation, row, column, earned, did, False, height, none, did
    )


def test_what_was_learned_of_few_samples_of_a_primitive_is_what_acts() -> None:
    """And not what was told apart by statistics of those few, which acting does not have."""
    rng, names = np.random.default_rng(0), tuple(HEIGHTS)
    items = []
    for i in range(96):
        name = "grasp" if i % 8 else names[1 + i // 8 % 3]
        row, column = (int(each) for each in rng.integers(40, 180, 2))
        at = 6 if name == "roll" else column  # a ball at the end of the table
        items.append(sample(name, row, at, 4 * int(rng.integers(2))))
    config = LearnerConfig(targets="reactive", decay_updates=120)
    learner = Learner(NetworkConfig.of_repertoire(names), config, DEFAULT_WORKSPACE, seed=0)
    for item in items:
        learner.remember(item)
    for _ in range(120):
        learner.update()
    values = action_values(learner.network, items, seed=0).tolist()
    for name in names:
        own = [(v, e.worked) for v, e in zip(values, items, strict=True) if e.primitive == name]
        assert np.mean([value for value, worked in own if worked]) > 0.85, name
        assert np.mean([value for value, worked in own if not worked]) < 0.15, name


def test_chance_chooses_the_primitive_and_the_values_where() -> None:
    policy = NetworkPolicy(make_network(CONFIG).eval(), torch.device("cpu"))
    scenes = (SceneMix("random", 1.0, 4, 4),)
    config = replace(SMALL, warm_up=0, exploration=1.0, guided_share=1.0, scenes=scenes)
    rollout = Rollout(config, lambda: policy)
    steps = list(islice(rollout.episode(0, 0), 6))
    rollout.close()
    assert {step.action.primitive for step in steps} == set(CONFIG.names)
    first = steps[0].action  # nothing was tried before
    best = policy.restricted_to((first.primitive,)).decide(steps[0].before).action
    assert first == replace(best, probability=0.0, policy=GUIDED)
    assert all(Experience.of(step, colour=False).aimed for step in steps)
    by_chance = replace(steps[0], action=replace(first, policy=RandomPolicy.name))
    assert not Experience.of(by_chance, colour=False).aimed
    with pytest.raises(VpgError, match=r"guided_share is 1\.5"):
        replace(SMALL, guided_share=1.5)


def test_other_settings_do_not_overwrite_a_training(tmp_path: Path) -> None:
    Trainer(SMALL, tmp_path).save()
    with pytest.raises(VpgError, match="other settings") as error:
        Trainer(replace(SMALL, seed=1), tmp_path)
    assert error.value.code is ErrorCode.STORE_MISMATCH


def test_the_commands_train_and_evaluate(tmp_path: Path) -> None:
    out, figures = tmp_path / "training", tmp_path / "figures.json"
    common = ["--camera", "ortho"]
    assert main(["train", "--out", str(out), "--actions", "2", *common]) == 0
    weights = str(out / "weights.safetensors")
    run = ["evaluate", "--runs", "1", "--objects", "1", "--checkpoint", weights]
    assert main([*run, "--json", str(figures), *common]) == 0
    assert json.loads(figures.read_text())["actions"] >= 1
    assert main([*run[:-1], str(tmp_path / "none"), *common]) == 1
