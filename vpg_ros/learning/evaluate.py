"""Evaluation: how a frozen policy fares over many tables."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.choices import DEFAULT_ALPHA, require_chooser_knows
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.cases import EvaluationCase
from vpg_ros.learning.env import TableEnv
from vpg_ros.learning.figures import Run
from vpg_ros.policy import HeuristicPolicy, Policy, RandomPolicy
from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS, load_policy
from vpg_ros.policy.risk import MEAN, make_risk
from vpg_ros.policy.strategy import check_chooser
from vpg_ros.primitives import DEFAULT_REPERTOIRE
from vpg_ros.resources import resource

_HEURISTIC = ("grasp",)


@dataclass(frozen=True)
class Contestant:
    """A policy to be evaluated, loaded.

    checkpoint: digest of its weights, "" where it has none. names: primitives it chooses from.
    policy: the policy for the run of a seed; what it does depends on that seed alone.
    """

    checkpoint: str
    names: tuple[str, ...]
    policy: Callable[[int], Policy]


@dataclass(frozen=True)
class Player:
    """Who plays, in words that travel to another process.

    kind: network, heuristic or random. checkpoint: the network's weights, the shipped ones if
    None. primitives: the only ones that may be chosen; if None, all that the network values, or
    the default repertoire. risk, alpha: what the network values actions by, as of ``make_risk``.
    strategy: of the network, as of ``NetworkPolicy.with_strategy``.
    """

    kind: str = "network"
    checkpoint: Path | None = None
    primitives: tuple[str, ...] | None = None
    risk: str = MEAN.name
    alpha: float = DEFAULT_ALPHA
    strategy: str = ""

    def load(self) -> Contestant:
        """Raises as ``load_policy``, UNKNOWN_PRIMITIVE, and PARAMETER_INVALID for another kind."""
        for name in self.primitives or ():
            primitives.get(name)
        loaders = {"network": self._network, "heuristic": self._heuristic, "random": self._random}
        known = ", ".join(loaders)
        require(self.kind in loaders, f"policy is {self.kind!r}; known policies: {known}")
        require_chooser_knows(self.kind, self.risk)
        check_chooser(self.kind, self.strategy)
        return loaders[self.kind]()

    def _network(self) -> Contestant:
        # On the CPU, so that the same weights play the same runs whether there is a GPU or not.
        policy = load_policy(self.checkpoint or resource(SHIPPED_WEIGHTS), "cpu")
        policy = policy.with_risk(make_risk(self.risk, self.alpha)).with_strategy(self.strategy)
        chosen = policy if self.primitives is None else policy.restricted_to(self.primitives)
        return Contestant(chosen.checkpoint, chosen.names, lambda seed: chosen)

    def _heuristic(self) -> Contestant:
        chosen, known = self.primitives or _HEURISTIC, _HEURISTIC
        require(chosen == known, f"primitives is {', '.join(chosen)!r}; the heuristic only grasps")
        return Contestant("", known, lambda seed: HeuristicPolicy())

    def _random(self) -> Contestant:
        names = self.primitives or DEFAULT_REPERTOIRE
        return Contestant("", names, lambda seed: RandomPolicy(seed, names))


def evaluate_run(env: TableEnv, policy: Policy, case: EvaluationCase, seed: int) -> Run:
    """Let a policy clear one table, or do what else its scene asks for."""
    heightmap = case.reset(env, seed)
    picks: list[bool] = []
    times: list[float] = []
    while not env.over:
        start = perf_counter()
        action = _decide(policy, heightmap, env)
        if action is None:
            break
        times.append(1000 * (perf_counter() - start))
        transition = env.step(action)
        heightmap = transition.after
        if primitives.get(action.primitive).picks:
            picks.append(transition.outcome.success)
    return Run(
        case=case.name,
        seed=seed,
        objects=case.objects,
        picked=env.world.picked,
        lost=env.world.lost,
        actions=len(times),
        grasps=len(picks),
        grasp_successes=sum(picks),
        decision_ms=median(times) if times else 0.0,
        solved=env.solved,
        accidents=len(env.world.accidents),
    )


def _decide(policy: Policy, heightmap: Heightmap, env: TableEnv) -> Action | None:
    """The next action, which repeats none without effect; None where nothing is left to try."""
    try:
        return policy.decide(heightmap, env.tried).action
    except VpgError as error:
        if error.code is not ErrorCode.NO_ADMISSIBLE_ACTION:
            raise
        return None
