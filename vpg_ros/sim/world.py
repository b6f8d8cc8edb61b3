"""The simulated cell: table, tray, bin, robot and objects in one PyBullet client.

Physics runs in steps of :data:`DT` and in simulated time alone. The same seed and calls give the
same run bit for bit, in any world of any process. Friction coefficients are products of two
bodies' in Bullet: table and fingers have 1, so an object's own (0.6 to 0.8) counts; what is laid on
the table has 0.5.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vpg_ros.devices.description import Colour
from vpg_ros.devices.gripper_data import RG2, GripperData
from vpg_ros.errors import require
from vpg_ros.geometry import DEFAULT_WORKSPACE, FloatArray, Pose, Workspace
from vpg_ros.shapes import Shape, is_round
from vpg_ros.sim.accidents import Accident, Hazard, Stage
from vpg_ros.sim.cell import Cell, Drawable, add_static
from vpg_ros.sim.client import Client
from vpg_ros.sim.contacts import pressing_force, touched_bodies
from vpg_ros.sim.controller.link import RobotCommand, RobotState
from vpg_ros.sim.objects import ObjectSpec
from vpg_ros.sim.robot import FINGER_LINKS, Robot
from vpg_ros.sim.shapes import collision_shape

DT = 0.004  # s
GRAVITY = 9.81  # m/s²
SOLVER_ITERATIONS = 20
# A block squeezed between arm and table needs more, or both would sink into each other.
PRESSED_ITERATIONS = 200
_PRESSED = 10.0  # N upon the gripper from which on they are spent
_LAID_FRICTION = 0.5
LIFTED = 0.020  # m that an object must have risen to count as held

# What is round stops rolling and spinning as wood on wood does; PyBullet's defaults let it roll for
# ever. Flat faces stop by themselves, at a third less work for the solver.
_ROLLING, _SPINNING, _DAMPING = 5e-4, 5e-4, 0.05
# A body below this motion (m²/s² + rad²/s²) for 2 s is skipped until something touches it. A hull
# that rests on a face rocks at up to 0.1 rad/s, and one that is awake keeps all within 10 cm awake.
_SLEEP_THRESHOLD = 0.09
_TALLY_STEPS = 25  # between two counts of what lies in the bin or beside the tray
_STIR = 0.6  # rad/s of a stirred object
_AWAY = 5.0  # m from everything
_RESTING = 0.02  # m/s below which an object has come to rest


@dataclass
class _Placed:
    """An object in the world, and the height it last lay at, m."""

    spec: ObjectSpec
    rest_z: float = field(default=0.0)


class World:
    """One cell. Not thread-safe: all calls must come from one thread.

    seed: of the last reset. rng: random numbers seeded by it. steps: taken since then.
    picked, lost: objects that came to rest in the bin, and elsewhere outside the tray; both are
    taken out. accidents: the losses so far. hazards: what may become one. laid: what is
    fixed to the table and no object. window: show the world in
    PyBullet's own window (one world a process at most). gripper: how long the arm's is.
    """

    def __init__(
        self,
        seed: int = 0,
        workspace: Workspace = DEFAULT_WORKSPACE,
        window: bool = False,
        gripper: GripperData = RG2,
    ) -> None:
        self.workspace, self._gripper = workspace, gripper
        self.client: Any = Client(window)
        self.stirred = False  # for tests: no object ever lies still
        self.reset(seed)

    def reset(self, seed: int) -> None:
        """Back to an empty tray, the arm at home, the clock at zero."""
        require(seed >= 0, f"seed is {seed}; it must be a whole number of at least 0")
        self.client.resetSimulation()
        self.client.setPhysicsEngineParameter(
            fixedTimeStep=DT, numSubSteps=0, deterministicOverlappingPairs=1
        )
        self._iterations = 0
        self.client.setGravity(0.0, 0.0, -GRAVITY)
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.cell = Cell(self.client, self.workspace)
        self.robot = Robot(self.client, self.workspace, DT, self._gripper)
        self._objects: dict[int, _Placed] = {}
        self.laid: dict[int, Drawable] = {}
        self.steps, self._skipped = 0, 0.0
        self.hazards: list[Hazard] = []
        self.accidents: list[Accident] = []
        self.count_anew()

    def close(self) -> None:
        """Free the client; the world is of no more use."""
        self.client.disconnect()

    # -- objects

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the objects in the world, oldest first."""
        return tuple(self._objects)

    def spec(self, body: int) -> ObjectSpec:
        """What an object is."""
        return self._objects[body].spec

    def add(self, spec: ObjectSpec, pose: Pose) -> int:
        """Put an object's frame (its centre of mass) at ``pose``; returns its id."""
        client = self.client
        shape = collision_shape(client, spec.shapes)
        round_ = any(is_round(part) for part in spec.shapes)
        body = int(
            client.createMultiBody(spec.mass, shape, -1, list(pose.position), list(pose.quaternion))
        )
        client.changeDynamics(
            body,
            -1,
            localInertiaDiagonal=spec.inertia,
            lateralFriction=spec.friction,
            rollingFriction=_ROLLING if round_ else 0.0,
            spinningFriction=_SPINNING if round_ else 0.0,
            linearDamping=_DAMPING,
            angularDamping=_DAMPING,
            sleepThreshold=_SLEEP_THRESHOLD,
            activationState=client.ACTIVATION_STATE_ENABLE_SLEEPING,
        )
        self._objects[body] = _Placed(spec, pose.position[2])
        return body

    def lay(self, shape: Shape, pose: Pose, colour: Colour) -> None:
        """Fix something to the table that is no object, and stays until the next reset.

        colour: RGB in [0, 1].
        """
        body = add_static(self.client, (shape,), pose, _LAID_FRICTION)
        self.laid[body] = Drawable((shape,), (colour,), pose.matrix)

    def remove(self, body: int) -> None:
        """Take an object out, uncounted; what leaned on it wakes up."""
        neighbours = touched_bodies(self.client, body)
        del self._objects[body]
        self.client.removeBody(body)
        for other in neighbours & self._objects.keys():
            self._activate(other, self.client.ACTIVATION_STATE_WAKE_UP)

    def place(self, body: int, pose: Pose) -> None:
        """Move an object to ``pose`` with no time passing, at rest there."""
        for other in touched_bodies(self.client, body) & self._objects.keys():
            self._activate(other, self.client.ACTIVATION_STATE_WAKE_UP)
        self.client.resetBasePositionAndOrientation(body, pose.position, pose.quaternion)
        self.client.resetBaseVelocity(body, [0, 0, 0], [0, 0, 0])
        self._activate(body, self.client.ACTIVATION_STATE_WAKE_UP)

    def pose(self, body: int) -> Pose:
        """Pose of an object's frame in the base frame."""
        position, quaternion = self.client.getBasePositionAndOrientation(body)
        return Pose(tuple(position), tuple(quaternion))

    def speed(self, body: int) -> tuple[float, float]:
        """Speed of an object's centre, m/s, and of its turning, rad/s."""
        linear, angular = self.client.getBaseVelocity(body)
        return float(np.linalg.norm(linear)), float(np.linalg.norm(angular))

    def mark(self) -> None:
        """Remember how high every object lies: what is lifted is measured from there."""
        for body, placed in self._objects.items():
            placed.rest_z = self.pose(body).position[2]

    def sleep(self) -> None:
        """Declare all objects at rest where they are, until something touches them."""
        for body in self._objects:
            self.client.resetBaseVelocity(body, [0, 0, 0], [0, 0, 0])
            self._activate(body, self.client.ACTIVATION_STATE_SLEEP)

    # -- time

    @property
    def time(self) -> float:
        """Simulated s since the last reset, with what was skipped."""
        return self.steps * DT + self._skipped

    def skip(self, seconds: float) -> None:
        """Let time pass in which nothing happens."""
        self._skipped += seconds

    def step(self, count: int = 1) -> None:
        """Let ``count`` steps of :data:`DT` pass."""
        for _ in range(count):
            self.robot.before_step()
            if self.stirred:
                self._stir()
            pressed = self.robot.pressure() > _PRESSED
            self._iterate(PRESSED_ITERATIONS if pressed else SOLVER_ITERATIONS)
            self.client.stepSimulation()
            self.robot.after_step()
            self.steps += 1
            self._watch()
            if self.steps % _TALLY_STEPS == 0:
                self.tally()

    def apply(self, command: RobotCommand, steps: int = 2) -> None:
        """Give the robot the controller's command for the next ``steps`` steps."""
        self.robot.apply(command, steps)

    def state(self) -> RobotState:
        """What the controller is told of the robot now."""
        return self.robot.state(self.time)

    # -- what became of objects

    def tally(self) -> None:
        """Count and take out what came to rest in the bin, or elsewhere outside the tray."""
        for body in self.objects:
            x, y, z = self.pose(body).position
            if self.cell.on_tray(x, y) and z > self.workspace.table_z:
                continue
            fallen = z < self.workspace.table_z - 0.1
            if not fallen and (self.speed(body)[0] > _RESTING or self._is_touched(body)):
                continue
            if self.cell.in_bin(x, y) and not fallen:
                self.picked += 1
            else:
                self.lost += 1
                self.accidents.append(Accident("lost", self.spec(body).kind))
            self.remove(body)

    def is_lifted(self, body: int) -> bool:
        """Whether an object has risen by more than LIFTED from where it lay when last marked."""
        return self.pose(body).position[2] - self._objects[body].rest_z > LIFTED

    def pressure(self, body: int) -> float:
        """Force with which other objects, not table or robot, press on one, N."""
        return pressing_force(self.client, body, self._objects.keys())

    def held_object(self) -> int | None:
        """The object that both fingers press on, clear of everything else and risen; or None."""
        client, robot = self.client, self.robot
        left, right = (
            touched_bodies(client, robot.body, robot.links[name]) for name in FINGER_LINKS
        )
        for body in sorted(left & right & self._objects.keys()):
            if self.is_lifted(body) and touched_bodies(client, body) == {robot.body}:
                return body
        return None

    def carried(self) -> tuple[int, ...] | None:
        """Objects that move along with the gripper; None when it, or they, touch anything else."""
        found: set[int] = set()
        pending = touched_bodies(self.client, self.robot.body)
        while pending:
            body = pending.pop()
            if body not in self._objects or not self.is_lifted(body):
                return None
            found.add(body)
            pending |= touched_bodies(self.client, body) - found - {self.robot.body}
        return tuple(sorted(found))

    def carry(
        self, carried: tuple[int, ...], joints: FloatArray, velocities: FloatArray | None = None
    ) -> None:
        """Put the robot at ``joints``, and what it carries along with it, moving as it does there.

        No time passes, but for one step with something carried, in which its contacts are found.
        """
        if not carried:
            self.robot.teleport(joints, velocities)
            return
        before = self.robot.tip()
        grips = [self.pose(body).matrix for body in carried]
        self._forget_contacts(carried)
        self.robot.teleport(joints, velocities)
        moved = self.robot.tip() @ np.linalg.inv(before)
        for body, grip in zip(carried, grips, strict=True):
            pose = Pose.from_matrix(moved @ grip)
            self.place(body, pose)
            # At rest between moving fingers it would be torn out of them.
            self.client.resetBaseVelocity(body, *self.robot.velocity_at(pose.position))
        self.step()

    def count_anew(self) -> None:
        """Forget what was picked, lost and broken so far: the scene begins as it stands."""
        self.picked = self.lost = 0
        self.accidents.clear()

    def drop_in_bin(self, body: int) -> None:
        """Count an object as picked and take it out, as if it had fallen into the bin."""
        self.remove(body)
        self.picked += 1

    # -- pictures

    def moving_drawables(self) -> list[Drawable]:
        """What there is to see now, besides the cell."""
        links = [
            Drawable(link.shapes, link.colours, self.robot.link_pose(link.name))
            for link in self.robot.shapes
        ]
        specs = ((placed.spec, self.pose(body)) for body, placed in self._objects.items())
        return [*links, *self.laid.values()] + [
            Drawable(spec.shapes, (spec.colour,) * len(spec.shapes), pose.matrix)
            for spec, pose in specs
        ]

    def _iterate(self, iterations: int) -> None:
        """Set the solver's iterations a step."""
        if iterations != self._iterations:
            self._iterations = iterations
            self.client.setPhysicsEngineParameter(numSolverIterations=iterations)

    def _stir(self) -> None:
        """Keep every object turning on the spot."""
        for body in self._objects:
            self._activate(body, self.client.ACTIVATION_STATE_WAKE_UP)
            self.client.resetBaseVelocity(body, angularVelocity=[0.0, 0.0, _STIR])

    def _forget_contacts(self, bodies: tuple[int, ...]) -> None:
        """Have PyBullet find the contacts of ``bodies`` anew; they are nowhere until placed again.

        It keeps contact points from step to step with their normals in the world's axes. After a
        turn in no time these point anywhere, and fingers that open are held by them.
        """
        for body in bodies:
            position, quaternion = self.client.getBasePositionAndOrientation(body)
            away = (position[0], position[1], position[2] + _AWAY)
            self.client.resetBasePositionAndOrientation(body, away, quaternion)
        self.client.performCollisionDetection()

    def _watch(self) -> None:
        """Find out what became of every hazard; those that are over are forgotten."""
        for hazard in tuple(self.hazards):
            stage = hazard.stage(self)
            if stage is Stage.HAPPENED:
                self.accidents.append(Accident(hazard.kind, self.spec(hazard.body).kind))
            if stage is not Stage.WAITING:
                self.hazards.remove(hazard)

    def _is_touched(self, body: int) -> bool:
        return self.robot.body in touched_bodies(self.client, body)

    def _activate(self, body: int, state: int) -> None:
        self.client.changeDynamics(body, -1, activationState=state)
