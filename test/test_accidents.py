"""Accidents: what the simulated world tells, what it costs the learner, and how it is counted."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import poisson

from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.geometry import DEFAULT_WORKSPACE, Pose, tool_down
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.cases import FamilyCase
from vpg_ros.learning.env import TableEnv
from vpg_ros.learning.evaluate import evaluate_run
from vpg_ros.learning.figures import Run, accidents, summary
from vpg_ros.learning.learner import Learner
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.replay import Experience, Replay
from vpg_ros.learning.store import TransitionWriter, read_transitions, schema
from vpg_ros.motion import Outcome
from vpg_ros.policy import RandomPolicy
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.sim.accidents import Adhesion, Crack, Glaze, Thread
from vpg_ros.sim.clearance import free

COST = 0.5
SHAPE = DEFAULT_WORKSPACE.shape


@pytest.fixture(scope="module")
def env() -> TableEnv:
    return TableEnv(camera="ortho")


# -- the world


def yaw(env: TableEnv, body: int) -> float:
    matrix = env.world.pose(body).matrix
    return float(np.arctan2(matrix[1, 0], matrix[0, 0]))


def place(env: TableEnv, body: int) -> np.ndarray:
    return np.array(env.world.pose(body).position)


def act(env: TableEnv, name: str, at: np.ndarray, angle: float) -> Transition:
    """Carry out a primitive at (x, y) m, at the rotation nearest to ``angle`` rad."""
    primitive = primitives.get(name)
    row, column = env.workspace.to_pixel(float(at[0]), float(at[1]))
    rotation = round(angle / primitive.angle(1)) % primitive.rotations
    env.over = False
    return env.step(primitive.action(row, column, rotation, env._heightmap))


def with_hazard(env: TableEnv, scene: str, objects: int = 2) -> None:
    """A table of the family on which something lies in wait."""
    seeds = range(100)
    assert any(env.reset(scene, objects, seed) and env.world.hazards for seed in seeds)


def direction(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])


def careless(env: TableEnv, scene: str) -> Transition:
    """The pick that can be had at once."""
    first, second = env.world.objects[0], env.world.objects[-1]
    if scene == "tangled":
        across = place(env, second) - place(env, first)
        angle = float(np.arctan2(across[1], across[0])) + np.pi / 2
        return act(env, "grasp", place(env, first), angle)
    if scene in ("sticky", "stuck"):
        return act(env, "grasp", place(env, second), yaw(env, second))
    middle = (place(env, first) + place(env, second)) / 2
    return act(env, "grasp", middle, yaw(env, first) + np.pi / 2)


def make_safe(env: TableEnv, scene: str) -> Transition:
    """The push that parts the two, or frees the second one."""
    first, second = env.world.objects[0], env.world.objects[-1]
    at, angle = place(env, first)[:2], yaw(env, first)
    if scene == "tangled":
        across = (place(env, second) - place(env, first))[:2]
        angle = float(np.arctan2(across[1], across[0])) + np.pi / 2
        return act(env, "push", at - 0.04 * direction(angle) - 0.1 * across, angle)
    if scene in ("sticky", "stuck"):
        return act(env, "push", at - 0.045 * direction(angle), angle)
    if np.dot(direction(angle), np.array(env.workspace.centre) - at) < 0:
        angle += np.pi
    return act(env, "push", at - 0.075 * direction(angle), angle)


FAMILIES = {"tangled": 2, "sticky": 2, "glazed": 2, "stuck": 1}  # objects concerned
SEEDS = range(12)


@pytest.mark.parametrize("scene", FAMILIES)
def test_a_pick_at_once_is_an_accident_where_something_lies_in_wait_and_only_there(
    env: TableEnv, scene: str
) -> None:
    waited = []
    for seed in SEEDS:
        env.reset(scene, FAMILIES[scene], seed)
        waited.append(bool(env.world.hazards))
        found = careless(env, scene).outcome
        assert found.success and found.accidents == waited[-1]
        assert not (waited[-1] and env.world.hazards)
    assert 0 < sum(waited) < len(waited)


def test_whichever_block_of_a_sticky_stack_is_lifted_it_tears_off(env: TableEnv) -> None:
    held = 0
    for seed in SEEDS:
        env.reset("sticky", 2, seed)
        waits, lower = bool(env.world.hazards), env.world.objects[0]
        along = yaw(env, lower)
        end = place(env, lower) + 0.04 * np.append(direction(along), 0.0)
        found = act(env, "grasp", end, along + np.pi / 2).outcome
        held += found.success
        assert not found.success or found.accidents == waits
    assert held >= len(SEEDS) - 2


@pytest.mark.parametrize("scene", FAMILIES)
def test_a_push_first_makes_the_pick_safe(env: TableEnv, scene: str) -> None:
    picked = 0
    for seed in SEEDS:
        env.reset(scene, FAMILIES[scene], seed)
        assert make_safe(env, scene).outcome.accidents == 0
        body = env.world.objects[-1 if scene == "sticky" else 0]
        turned = np.pi / 2 if scene in ("glazed", "stuck") else 0.0
        found = act(env, "grasp", place(env, body), yaw(env, body) + turned).outcome
        assert found.accidents == 0
        picked += found.success
    assert picked >= len(SEEDS) - 1


def push_at_the_ledge(env: TableEnv, inwards: bool) -> Transition:
    """Push the two blocks nearest the ledge away from it, or the two farthest over it."""
    blocks = np.array([place(env, body)[:2] for body in env.world.objects])
    away = blocks.mean(axis=0) - np.array(env.workspace.centre)
    axis = int(np.argmax(np.abs(away)))
    along = np.eye(2)[axis] * np.sign(away[axis]) * (-1 if inwards else 1)
    begin = blocks[np.argmin(blocks @ along)] - 0.045 * along
    return act(env, "push", begin, float(np.arctan2(along[1], along[0])))


def pick_a_block(env: TableEnv) -> Outcome:
    """The second one, with fingers across its yaw."""
    body = env.world.objects[1]
    return act(env, "grasp", place(env, body), yaw(env, body) + np.pi / 2).outcome


@pytest.mark.parametrize("seed", range(4))
def test_at_the_ledge_a_push_inwards_makes_a_pick_safe(env: TableEnv, seed: int) -> None:
    env.reset("ledge", 4, seed)
    assert not pick_a_block(env).success, "two abreast are wider than the fingers"
    assert push_at_the_ledge(env, inwards=True).outcome.accidents == 0
    found = pick_a_block(env)
    assert found.success and found.accidents == 0
    env.reset("ledge", 4, seed)
    assert push_at_the_ledge(env, inwards=False).outcome.accidents > 0


def test_what_is_cracked_breaks_whatever_one_does(env: TableEnv) -> None:
    with_hazard(env, "cracked", 3)
    body = env.world.hazards[0].body
    assert act(env, "grasp", place(env, body), 0.0).outcome.accidents == 1


def test_a_mat_is_seen_and_no_object_and_gone_after_its_table(env: TableEnv) -> None:
    heightmap = env.reset("stuck", 1, 0)
    (body,) = env.world.objects
    edge = place(env, body)[:2] + 0.024 * direction(yaw(env, body))
    row, column = env.workspace.to_pixel(float(edge[0]), float(edge[1]))
    assert heightmap.height[row, column] == pytest.approx(0.008, abs=1e-4)
    assert not heightmap.occupied[row, column]
    assert env.reset("cracked", 1, 0).height[row, column] == 0


def test_a_cube_is_stuck_until_it_has_come_loose(env: TableEnv) -> None:
    env.reset("tangled", 1, 0)
    world, (body,) = env.world, env.world.objects
    x, y, z = world.pose(body).position
    for moved, sticks in ((0.044, True), (0.046, False)):
        world.accidents.clear()
        world.hazards[:] = [Adhesion(body, (x, y), 0.045)]
        world.place(body, Pose((x + moved, y, z)))
        world.mark()
        world.step()
        assert bool(world.hazards) == sticks and not world.accidents
        world.place(body, Pose((x + moved, y, z + 0.05)))
        world.step()
        assert [each.kind for each in world.accidents] == ["torn"] * sticks


def test_the_gripper_is_not_taken_past_what_lies_on_the_table(env: TableEnv) -> None:
    env.reset("stuck", 1, 0)
    x, y, _ = place(env, env.world.objects[0])
    env.world.remove(env.world.objects[0])
    tool = np.stack([tool_down(x, y, z, 0.0).matrix for z in (0.02, 0.012)])
    assert free(env.world, tool, 0.0).tolist() == [True, False]


def test_what_goes_over_the_ledge_is_lost_and_an_accident(env: TableEnv) -> None:
    env.reset("ledge", 4, 0)
    body = env.world.objects[0]
    x, y = env.workspace.centre
    env.world.place(body, Pose((x + 0.2, y, 0.03)))
    env.world.step(100)
    assert env.world.lost == 1
    assert [each.kind for each in env.world.accidents] == ["lost"]


def test_hazards_of_what_is_gone_are_over(env: TableEnv) -> None:
    env.reset("tangled", 2, 0)
    world = env.world
    first, second = world.objects
    mat = Adhesion(first, (0.0, 0.0), 1.0)
    world.hazards[:] = [Thread(first, second, 1.0), Glaze(first, 1e9), Crack(first), mat]
    world.step()
    assert len(world.hazards) == 4
    world.remove(first)
    world.step()
    assert not world.hazards and not world.accidents


def test_a_scene_tells_the_same_accidents_again(env: TableEnv) -> None:
    case = FamilyCase("tangled", 4)
    first, second = (evaluate_run(env, RandomPolicy(3), case, seed=4) for _ in range(2))
    assert first == replace(second, decision_ms=first.decision_ms)


# -- what it costs


def experience(
    primitive: str, reward: float, accidents: int = 0, changed: bool = True
) -> Experience:
    height = np.zeros(SHAPE, np.float16)
    height[100:120, 100:120] = 0.04
    none = np.zeros((0, 0, 3), np.uint8)
    places = (0, 110, 98)
    scenes = (height, none)
    return Experience(
        *scenes, primitive, *places, reward, changed, False, *scenes, accidents=accidents
    )


def target(item: Experience, following: float | None = None, **options: float) -> float:
    """The target's mean, when the scene that is left is worth ``following``."""
    torch.set_num_threads(1)
    config = LearnerConfig(**options)  # type: ignore[arg-type]
    value = None if following is None else lambda *_: following
    network = NetworkConfig.of_repertoire()
    learning = Learner(network, config, DEFAULT_WORKSPACE, seed=0, next_value=value)
    learning.remember(item)
    return learning.targets.of(0).mean


def scaled(returns: float) -> float:
    """A return in picks, as a value."""
    return (returns + COST) / (1 + COST)


def test_accidents_are_overlooked_unless_they_cost_something() -> None:
    assert target(experience("grasp", 1.0, accidents=1)) == 1.0
    assert target(experience("push", 0.0, accidents=1), following=0.5) == 0.8 * 0.5


@pytest.mark.parametrize(
    ("item", "returns"),
    [
        (experience("grasp", 1.0), 1.0),
        (experience("grasp", 0.0), 0.0),
        (experience("grasp", 1.0, accidents=1), -COST),
        (experience("grasp", 0.0, accidents=2), -COST),
        (experience("push", 0.0, changed=False), 0.0),
    ],
)
def test_an_accident_is_the_least_value(item: Experience, returns: float) -> None:
    assert target(item, accident_cost=COST) == pytest.approx(scaled(returns))


@pytest.mark.parametrize(("after", "returns"), [(1.0, 0.8), (0.5, 0.4), (0.0, 0.0), (-COST, -COST)])
def test_gains_are_discounted_and_losses_are_not(after: float, returns: float) -> None:
    found = target(experience("push", 0.0), scaled(after), accident_cost=COST, gamma=0.8)
    assert found == pytest.approx(scaled(returns))


# -- stored and counted


def transition(accidents: int) -> Transition:
    empty = np.zeros(SHAPE, np.float32)
    empty[100:120, 100:120] = 0.04
    scene = Heightmap(np.zeros((*SHAPE, 3), np.uint8), empty, DEFAULT_WORKSPACE)
    action = primitives.get("grasp").action(110, 110, 0, scene)
    return Transition("one", 0, scene, action, Outcome(True, accidents=accidents), 1.0, scene, True)


def test_accidents_are_stored(tmp_path: Path) -> None:
    with TransitionWriter(tmp_path / "a.mcap") as writer:
        writer.write(transition(2))
    assert [each.outcome.accidents for each in read_transitions(tmp_path / "a.mcap")] == [2]


def test_stores_of_earlier_versions_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = schema.DEFINITION.replace("uint32 accidents\n", "")
    assert definition != schema.DEFINITION
    monkeypatch.setattr(schema, "DEFINITION", definition)
    with TransitionWriter(tmp_path / "a.mcap") as writer:
        writer.write(transition(2))
    assert [each.outcome.accidents for each in read_transitions(tmp_path / "a.mcap")] == [0]


def test_replays_of_earlier_versions_have_none(tmp_path: Path) -> None:
    replay = Replay()
    replay.add(experience("grasp", 1.0, accidents=3))
    replay.save(tmp_path)
    again = Replay()
    again.load(tmp_path, 1)
    assert again[0].accidents == 3
    (shard,) = tmp_path.iterdir()
    with np.load(shard) as data:
        older = {name: data[name] for name in data.files if name != "accidents"}
    file = io.BytesIO()
    np.savez_compressed(file, **older)
    shard.write_bytes(file.getvalue())
    again = Replay()
    again.load(tmp_path, 1)
    assert again[0].accidents == 0


def runs(*counts: int) -> list[Run]:
    return [Run("a", i, 4, 4, 0, 4, 4, 4, 10.0, accidents=count) for i, count in enumerate(counts)]


def test_accidents_a_run_come_with_the_exact_interval() -> None:
    """At its ends, so many or more, and so few or fewer, have a chance of 2.5 %."""
    found = accidents(runs(0, 3, 1, 0))
    assert (found.value, found.trials) == (1.0, 4)
    assert found.low is not None and found.high is not None
    assert poisson.sf(3, 4 * found.low) == pytest.approx(0.025)
    assert poisson.cdf(4, 4 * found.high) == pytest.approx(0.025)
    assert accidents(runs(0, 0)).low == 0.0
    assert summary(runs(0, 3))["accidents"]["value"] == 1.5
