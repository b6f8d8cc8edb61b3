"""Evaluation: how a frozen policy fares over many tables."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter
from typing import Any

from vpg_ros import primitives
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.learning.env import TableEnv
from vpg_ros.policy import Policy


@dataclass(frozen=True)
class Run:
    """One table, from full to clear or given up.

    cleared: nothing left on the workspace and nothing lost outside it. picked, lost: objects.
    grasps, grasp_successes: attempts to pick and how many took an object. decision_ms: median.
    """

    scene: str
    objects: int
    seed: int
    cleared: bool
    picked: int
    lost: int
    actions: int
    grasps: int
    grasp_successes: int
    decision_ms: float


def evaluate_run(env: TableEnv, policy: Policy, scene: str, objects: int, seed: int) -> Run:
    """Let a policy clear one table."""
    heightmap = env.reset(scene, objects, seed)
    outcomes: list[tuple[str, bool]] = []
    times: list[float] = []
    done = False
    while not env.over:
        start = perf_counter()
        try:
            action = policy.decide(heightmap, env.tried).action
        except VpgError as error:
            if error.code is not ErrorCode.NO_ADMISSIBLE_ACTION:
                raise
            break
        times.append(1000 * (perf_counter() - start))
        transition = env.step(action)
        heightmap, done = transition.after, transition.done
        outcomes.append((action.primitive, transition.outcome.success))
    picks = [success for name, success in outcomes if primitives.get(name).picks]
    world = env.world
    return Run(
        scene,
        objects,
        seed,
        done and world.picked == objects,
        world.picked,
        world.lost,
        len(outcomes),
        len(picks),
        sum(picks),
        median(times) if times else 0.0,
    )


def evaluate(
    env: TableEnv,
    policy: Policy,
    scene: str,
    objects: int,
    seeds: Iterable[int],
    report: Callable[[Run], None] = lambda run: None,
) -> list[Run]:
    """One run a seed; ``report`` hears of each."""
    runs = []
    for seed in seeds:
        runs.append(evaluate_run(env, policy, scene, objects, seed))
        report(runs[-1])
    return runs


def summary(runs: list[Run]) -> dict[str, Any]:
    """Figures over all runs, failed ones included, and the runs themselves; plain JSON types.

    completion: share of tables cleared. grasp_success: of all attempts. action_efficiency:
    objects picked for each action.
    """
    grasps = sum(run.grasps for run in runs)
    actions = sum(run.actions for run in runs)
    return {
        "completion": sum(run.cleared for run in runs) / max(1, len(runs)),
        "grasp_success": sum(run.grasp_successes for run in runs) / max(1, grasps),
        "action_efficiency": sum(run.picked for run in runs) / max(1, actions),
        "grasps": grasps,
        "actions": actions,
        "lost": sum(run.lost for run in runs),
        "decision_ms": median(run.decision_ms for run in runs) if runs else 0.0,
        "runs": [asdict(run) for run in runs],
    }
