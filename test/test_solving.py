"""The scene families that ask for more than grasp and push, solved by scripts that use it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.primitives import OBJECTS, heuristic, script, solves
from benchmarks.scripted import SCRIPTS, at
from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.devices.execute import execute
from vpg_ros.devices.kinematics import HOME_JOINTS
from vpg_ros.errors import ErrorCode
from vpg_ros.geometry import Pose
from vpg_ros.learning.env import TableEnv
from vpg_ros.learning.rewards import worked
from vpg_ros.sim import scenes
from vpg_ros.sim.arm import SimArm
from vpg_ros.sim.camera import OrthoCamera
from vpg_ros.sim.gripper import SimGripper
from vpg_ros.sim.scenes import cornered, tall
from vpg_ros.sim.scenes.base import upright
from vpg_ros.sim.settle import settle

USES = {
    "tall": "topple",
    "cornered": "roll",
    "tiles": "squeeze",
    "cards": "lever",
    "tower": "stack",
}


@pytest.fixture(scope="module")
def env() -> TableEnv:
    return TableEnv("ortho")


@pytest.mark.parametrize("family", USES)
@pytest.mark.parametrize("seed", [3, 4])
def test_the_primitive_makes_possible_what_the_scene_asks_for(
    env: TableEnv, family: str, seed: int
) -> None:
    solved, _ = solves(env, family, script(family, seed), seed)
    assert solved


@pytest.mark.parametrize("family", USES)
def test_grasps_and_pushes_alone_do_not(env: TableEnv, family: str) -> None:
    runs = [solves(env, family, heuristic(family, seed), seed) for seed in (3, 4)]
    assert not any(solved for solved, _ in runs)


def first_use(env: TableEnv, family: str, seed: int = 3) -> Transition:
    """What comes of the script's first action."""
    heightmap = env.reset(family, OBJECTS[family], seed)
    action = SCRIPTS[family](env.world, heightmap)
    assert action.primitive == USES[family]
    mask = primitives.get(action.primitive).admissible(heightmap)
    assert mask[action.rotation, action.row, action.column]
    return env.step(action)


@pytest.mark.parametrize("family", USES)
def test_it_says_that_it_worked_when_it_did(env: TableEnv, family: str) -> None:
    step = first_use(env, family)
    assert worked(step.action, step.outcome, step.before, step.after)
    assert not worked(step.action, step.outcome, step.before, step.before)


def test_a_card_is_pried_up_and_grasped(env: TableEnv) -> None:
    heightmap = env.reset("cards", 2, 0)
    before = heightmap
    for _ in range(2):
        action = SCRIPTS["cards"](env.world, heightmap)
        assert action.primitive == "lever"
        step = env.step(action)
        heightmap = step.after
        if worked(step.action, step.outcome, step.before, step.after):
            break
    assert heightmap.filled.max() > before.filled.max() + 0.03
    assert env.step(SCRIPTS["cards"](env.world, heightmap)).outcome.success
    assert [env.world.spec(body).kind for body in env.world.objects] == ["sill"]


def test_a_ball_is_rolled_away_from_a_tall_box(env: TableEnv) -> None:
    """The way there and home, which nothing guards, leads over the box."""
    world = env.world
    world.reset(5)
    ball, radius = cornered._ball(world.rng)
    box, beside = tall._box(world.rng), 0.05  # m to either side: towards the arm's home
    (x, y), angle = world.workspace.centre, 3 * np.pi / 4
    world.add(ball, Pose((x, y, radius)))
    world.add(box, upright(box, x + beside, y + beside, np.pi / 4, 0.0))
    settle(world)
    before = world.pose(world.objects[1]).position
    heightmap = OrthoCamera(world).read()
    motion = primitives.get("roll").motion(at("roll", x, y, angle, heightmap), heightmap)
    outcome = execute(motion, SimArm(world), SimGripper(world), HOME_JOINTS)
    assert outcome.error_code is ErrorCode.OK, outcome.error_msg
    assert world.pose(world.objects[1]).position == pytest.approx(before, abs=2e-3)


def test_a_grasp_does_not_say_that_the_other_primitives_worked(env: TableEnv) -> None:
    """What left the table has not fallen, rolled, or been gathered."""
    step = first_use(env, "tiles")
    nothing = replace(step.after, height=np.zeros_like(step.after.height))
    for name in ("topple", "roll", "squeeze", "lever", "stack"):
        action = replace(step.action, primitive=name, rotation=0)
        assert not worked(action, step.outcome, step.before, nothing)


def test_a_tower_is_only_solved_when_all_of_it_stands(env: TableEnv) -> None:
    heightmap = env.reset("tower", 3, 3)
    assert not scenes.is_solved(env.world, "tower", 3)
    heightmap = env.step(SCRIPTS["tower"](env.world, heightmap)).after
    assert not scenes.is_solved(env.world, "tower", 3)
    env.step(SCRIPTS["tower"](env.world, heightmap))
    assert scenes.is_solved(env.world, "tower", 3)
    assert not env.world.picked


@pytest.mark.parametrize("family", USES)
def test_a_family_follows_from_its_seed(env: TableEnv, family: str) -> None:
    maps = [env.reset(family, OBJECTS[family], seed).height for seed in (5, 5, 6)]
    assert (maps[0] == maps[1]).all()
    assert (maps[0] != maps[2]).any()


EIGHTH = '''
import numpy as np
from vpg_ros.geometry import tool_down
from vpg_ros.motion import HomeMove, JointMove, Motion
from vpg_ros.primitives import Primitive, register


@register
class Wave(Primitive):
    """Passes above whatever stands somewhere."""

    name = "wave"

    def admissible(self, heightmap):
        return np.stack([heightmap.occupied] * self.rotations)

    def pose(self, row, column, rotation, heightmap):
        x, y = heightmap.workspace.to_metres(row, column)
        return tool_down(x, y, 0.3, 0.0)

    def motion(self, action, heightmap):
        return Motion(self.name, (JointMove("wave", action.pose),), (HomeMove("home"),))

'''

USE_IT = """
import another_package
from pathlib import Path
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.train import Trainer
from vpg_ros.policy.checkpoint import load_policy

mix = (SceneMix("row", 1.0, 2, 2),)
config = TrainingConfig(actions=4, warm_up=4, primitives=("grasp", "wave"), other_share=1.0,
                        camera="ortho", ahead=False, scenes=mix)
trainer = Trainer(config, Path("out"))
print(load_policy(trainer.run(), "cpu").names)
print("waved", any(step.primitive == "wave" for step in trainer.progress.steps))
"""


def test_an_eighth_primitive_comes_from_another_package(tmp_path: Path) -> None:
    """Registered on import, named in the repertoire: admitted, executed, learned, and loaded."""
    (tmp_path / "another_package.py").write_text(EIGHTH)
    done = subprocess.run(
        [sys.executable, "-c", USE_IT], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "('grasp', 'wave')\nwaved True" in done.stdout
