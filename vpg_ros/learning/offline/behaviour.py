"""Behaviour policies: who acts while a data set is made, and how likely each action was."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from vpg_ros.action import Action
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy import Decision, HeuristicPolicy, Policy, RandomPolicy
from vpg_ros.policy.baselines import uniform_probability
from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS, load_policy
from vpg_ros.resources import resource

# Shares of the heuristic's grasp, a random push and a random grasp in the scripted policy: about
# 45 % of its grasps succeed.
FRESH = (0.22, 0.13, 0.65)
STUCK = (0.1, 0.8, 0.1)  # while a failure is remembered
# Chances of an episode of the random, the scripted and the expert policy in mixed data: better ones
# need fewer actions for a table, so that these make about as many actions of each.
MIXED = (0.18, 0.2, 0.62)


class Mixture:
    """One of several policies for each decision, drawn by their shares.

    A policy that finds nothing admissible is passed over. An action's probability is that of the
    whole mixture: the sum of share times probability under each policy.
    """

    name = "mixture"
    checkpoint = ""

    def __init__(self, parts: Sequence[tuple[float, Policy]], seed: int) -> None:
        require(all(share > 0 for share, _ in parts), "a share of a mixture is not > 0")
        self._parts = tuple(parts)
        self._rng = np.random.default_rng(seed)

    def decide(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> Decision:
        """The decision of one of the policies; raises NO_ADMISSIBLE_ACTION if none has any."""
        found = [
            (share, decision)
            for share, policy in self._parts
            if (decision := _decision(policy, heightmap, tried)) is not None
        ]
        if not found:
            sentence = "no policy of the mixture finds an admissible action"
            raise VpgError(ErrorCode.NO_ADMISSIBLE_ACTION, sentence)
        shares = np.array([share for share, _ in found])
        shares /= shares.sum()
        chosen = found[int(self._rng.choice(len(found), p=shares))][1]
        each = (_probability(decision, chosen.action) for _, decision in found)
        total = sum(share * p for share, p in zip(shares, each, strict=True))
        return Decision(replace(chosen.action, probability=float(total)), chosen.maps)


def _decision(policy: Policy, heightmap: Heightmap, tried: Sequence[Action]) -> Decision | None:
    try:
        return policy.decide(heightmap, tried)
    except VpgError as error:
        if error.code is not ErrorCode.NO_ADMISSIBLE_ACTION:
            raise
        return None


def _probability(decision: Decision, action: Action) -> float:
    """How likely the policy that made ``decision`` was to take ``action`` instead."""
    if decision.action.policy == RandomPolicy.name:
        return uniform_probability(action.primitive, decision.maps.admissible)
    return float(_place(decision.action) == _place(action))


def _place(action: Action) -> tuple[str, int, int, int]:
    return action.primitive, action.rotation, action.row, action.column


class Script:
    """Grasps by the heuristic; mostly pushes at random while a failure is remembered."""

    name = "scripted"
    checkpoint = ""

    def __init__(self, seed: int) -> None:
        draws = [int(each) for each in np.random.default_rng(seed).integers(2**31, size=4)]
        parts: tuple[Policy, ...] = (
            HeuristicPolicy(),
            RandomPolicy(draws[0], ("push",)),
            RandomPolicy(draws[1], ("grasp",)),
        )
        self._fresh = Mixture(tuple(zip(FRESH, parts, strict=True)), draws[2])
        self._stuck = Mixture(tuple(zip(STUCK, parts, strict=True)), draws[3])

    def decide(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> Decision:
        """One of the three."""
        return (self._stuck if tried else self._fresh).decide(heightmap, tried)


class Certain:
    """A policy that has no choice: the probability of what it does is 1."""

    def __init__(self, policy: Policy) -> None:
        self.name, self.checkpoint = policy.name, policy.checkpoint
        self._policy = policy

    def decide(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> Decision:
        """What the policy does."""
        decision = self._policy.decide(heightmap, tried)
        return replace(decision, action=replace(decision.action, probability=1.0))


def random(seed: int) -> Policy:
    """Uniform over primitives, then over actions."""
    return RandomPolicy(seed)


def scripted(seed: int) -> Policy:
    """A hand-made grasp, and mostly random pushes where one failed."""
    return Script(seed)


def expert(seed: int) -> Policy:
    """The shipped weights; what they do is certain."""
    return _shipped()


def mixed(seed: int) -> Policy:
    """The random, the scripted or the expert policy, drawn anew by each seed."""
    rng = np.random.default_rng(seed)
    choice = (random, scripted, expert)[int(rng.choice(len(MIXED), p=MIXED))]
    return choice(int(rng.integers(2**31)))


@cache
def _shipped() -> Policy:
    """The shipped weights, read once; on the CPU, where they always decide the same."""
    return Certain(load_policy(resource(SHIPPED_WEIGHTS), "cpu"))


def weights_of(kind: str) -> str:
    """Digest of the weights that a kind of data set acts with, "" where it acts without."""
    return "" if kind in ("random", "scripted") else shipped_digest()


def shipped_digest() -> str:
    """Of the shipped weights."""
    return _shipped().checkpoint


def shares_of(kind: str) -> list[float]:
    """All shares that decide who acts in a kind of data set; none where nothing is drawn."""
    scripted = [*FRESH, *STUCK]
    return {"scripted": scripted, "mixed": [*MIXED, *scripted]}.get(kind, [])


# Kind of data set → the policy of an episode, from a seed.
BEHAVIOURS: dict[str, Callable[[int], Policy]] = {
    "random": random,
    "scripted": scripted,
    "mixed": mixed,
    "expert": expert,
    "expert-no-push": expert,
}
