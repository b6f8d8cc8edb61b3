"""The environment: a simulated table, one primitive a step, the same code as on the robot.

World, primitives, executor, fusion and rewards are those of the running system; only the arm and
camera are reached directly instead of over sockets and topics.
"""

from dataclasses import replace

from vpg_ros import primitives
from vpg_ros.action import Action, Transition
from vpg_ros.choices import CAMERAS, TASKS
from vpg_ros.devices.execute import execute
from vpg_ros.devices.kinematics import HOME_JOINTS
from vpg_ros.errors import ErrorCode, require
from vpg_ros.geometry import DEFAULT_WORKSPACE, Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.fusion import fuse
from vpg_ros.learning.rewards import PICK_REWARD, failures, is_clear, reward, scene_changed
from vpg_ros.sim import scenes
from vpg_ros.sim.arm import SimArm
from vpg_ros.sim.camera import OrthoCamera, SimCamera
from vpg_ros.sim.cases import Case
from vpg_ros.sim.gripper import SimGripper
from vpg_ros.sim.robot import START_WIDTH
from vpg_ros.sim.scenes.base import check
from vpg_ros.sim.settle import settle
from vpg_ros.sim.world import World

STUCK_AFTER = 10  # actions in a row without change after which an episode is given up
ACTIONS_PER_OBJECT = 4  # after as many actions for each object an episode is given up


class TableEnv:
    """One table at a time; the same scene, seed and actions give the same transitions.

    camera: "perspective" with noise and fusion as on the robot, or "ortho", exact and faster.
    task: "clear", for which each pick earns PICK_REWARD; or "scene", for which it does where the
    scene asks for picks, and reaching any other end that it asks for earns PICK_REWARD and ends the
    episode, as having spoilt it does for nothing.
    tried: actions that came to nothing where nothing has changed since. over: whether the episode
    has ended.
    """

    def __init__(
        self,
        camera: str = "perspective",
        workspace: Workspace = DEFAULT_WORKSPACE,
        task: str = "clear",
    ) -> None:
        require(task in TASKS, f"task is {task!r}; it must be one of {', '.join(TASKS)}")
        require(camera in CAMERAS, f"camera is {camera!r}; it must be one of {', '.join(CAMERAS)}")
        self.workspace = workspace
        self.world = World(0, workspace)
        self._camera_kind, self._task = camera, task
        self._goal: tuple[str, int] | None = None  # scene and objects, where picks are not the aim
        self.tried: list[Action] = []
        self.over = True

    def reset(self, scene: str, objects: int, seed: int) -> Heightmap:
        """A new table; raises SCENE_UNKNOWN and SCENE_INVALID."""
        check(scene, objects)
        self.world.reset(seed)
        scenes.build(self.world, scene, objects)
        picks = self._task == "clear" or scenes.asks_for_picks(scene)
        self._goal = None if picks else (scene, objects)
        return self._begin(f"{scene}-{objects}-{seed}", objects)

    def reset_case(self, case: Case, seed: int, jitter: bool = True) -> Heightmap:
        """The table of ``case``, its start poses jittered by ``seed``; raises SCENE_INVALID."""
        self.world.reset(seed)
        self._goal = None
        case.build(self.world, jitter)
        return self._begin(f"{case.name}-{seed}", len(case.specs))

    def _begin(self, episode: str, objects: int) -> Heightmap:
        """Start an episode on the table as it stands."""
        self._arm, self._gripper = SimArm(self.world), SimGripper(self.world)
        self._perspective = SimCamera(self.world)
        self._ortho = OrthoCamera(self.world)
        self._episode = episode
        self._steps, self._limit, self._unchanged = 0, ACTIONS_PER_OBJECT * objects, 0
        self.tried = []
        self.over = False
        self._heightmap = self._look()
        return self._heightmap

    @property
    def solved(self) -> bool | None:
        """Whether the end that the scene asks for is reached; None where picks are the aim."""
        return None if self._goal is None else scenes.is_solved(self.world, *self._goal)

    @property
    def _spoilt(self) -> bool:
        """Whether that end is out of reach."""
        return self._goal is not None and scenes.is_spoilt(self.world, *self._goal)

    def step(self, action: Action) -> Transition:
        """Carry out ``action`` on the current scene; raises PARAMETER_INVALID between episodes."""
        require(not self.over, "the episode is over; call reset before step")
        before = self._heightmap
        motion = primitives.get(action.primitive).motion(action, before)
        known = len(self.world.accidents)
        outcome = execute(motion, self._arm, self._gripper, HOME_JOINTS)
        if outcome.error_code is not ErrorCode.OK:
            self._recover()
        settle(self.world)
        outcome = replace(outcome, accidents=len(self.world.accidents) - known)
        after = self._heightmap = self._look()
        self.tried = failures(self.tried, action, outcome, before, after)
        self._count(scene_changed(before, after))
        solved = self.solved
        done = is_clear(after) or bool(solved) or self._spoilt
        self.over = self.over or done
        picked = reward(action, outcome, before, after)
        earned = picked if solved is None else PICK_REWARD * solved
        step = self._steps - 1
        return Transition(self._episode, step, before, action, outcome, earned, after, done)

    def _recover(self) -> None:
        """Have the arm at home again, as an operator would after a protective stop."""
        self.world.robot.teleport(HOME_JOINTS)
        self.world.robot.teleport_fingers(START_WIDTH)

    def _count(self, changed: bool) -> None:
        self._steps += 1
        self._unchanged = 0 if changed else self._unchanged + 1
        self.over = self._unchanged >= STUCK_AFTER or self._steps >= self._limit

    def _look(self) -> Heightmap:
        if self._camera_kind == "ortho":
            return self._ortho.read()
        return fuse(self._perspective.read(), self.workspace)
