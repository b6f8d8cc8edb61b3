"""Timing decisions side by side: heightmap in, action out, by several ways of deciding."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch

from vpg_ros.action import Action
from vpg_ros.choices import DEFAULT_ALPHA, DESIGNS, FLAT, HIERARCHICAL, SCALAR
from vpg_ros.errors import require
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.fusion import fuse
from vpg_ros.policy import Policy
from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS, load, load_policy
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.device import choose_device
from vpg_ros.policy.network import Network, make_network
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.risk import MEAN, make_risk
from vpg_ros.policy.strategy import Groups
from vpg_ros.primitives import first_primitives
from vpg_ros.resources import resource
from vpg_ros.sim import scenes
from vpg_ros.sim.camera import SimCamera
from vpg_ros.sim.world import World


@dataclass(frozen=True)
class Way:
    """A way of deciding.

    labels: what tells it from the others, a column of the result each. policies: what decides; of
    several, each decides once on a table, and a decision takes what theirs take on average.
    """

    labels: dict[str, Any]
    policies: tuple[Policy, ...]


def tables(objects: int, count: int, seed: int = 0) -> list[Heightmap]:
    """Heightmaps of random tables, as the simulated camera sees them."""
    world, found = World(), []
    for number in range(count):
        world.reset(seed + number)
        scenes.build(world, "random", objects)
        found.append(fuse(SimCamera(world).read()))
    world.close()
    return found


def ways_of_heads(
    heads: Sequence[str],
    risks: Sequence[str],
    device: str = "cpu",
    learned: Sequence[Path] = (),
    alpha: float = DEFAULT_ALPHA,
) -> list[Way]:
    """Every head under every risk it knows, the scalar one under the mean first of all.

    The trunk is that of the shipped weights, the heads are random. Times hardly depend on them, but
    for a categorical head's under a careful measure: how many bounds have to be made exact is a
    matter of values. learned: checkpoints with a distributional head, timed as well. alpha: of the
    risks. Raises PARAMETER_INVALID for one with a scalar head, and as ``load_policy``.
    """
    torch.manual_seed(0)
    target, others = choose_device(device), [head for head in heads if head != SCALAR]
    trunk, _ = load(resource(SHIPPED_WEIGHTS))
    scalar = NetworkPolicy(_with_head(trunk, SCALAR), target)
    policies = {head: NetworkPolicy(_with_head(trunk, head), target) for head in others}
    policies |= {str(path): _learned(path, device) for path in learned}
    return [
        Way({"head": SCALAR, "risk": MEAN.name, "alpha": alpha}, (scalar,)),
        *(
            Way(
                {"head": name, "risk": risk, "alpha": alpha},
                (policy.with_risk(make_risk(risk, alpha)),),
            )
            for name, policy in policies.items()
            for risk in risks
        ),
    ]


def _learned(path: Path, device: str) -> NetworkPolicy:
    """The policy of a checkpoint with a distributional head."""
    policy = load_policy(path, device)
    head = policy.config.head
    require(head != SCALAR, f"{path} has a {head} head, which is timed already; give another's")
    return policy


class _Preferring(NetworkPolicy):
    """A hierarchical policy that looks at one primitive first, whatever its meta-policy says.

    The choice of weights that learned nothing is the same on every table. It is made, and then
    changed, so that the time of a primitive counts, in vain where it is not admissible.
    """

    _preferred = ""

    def preferring(self, name: str) -> Policy:
        """The same network, looking at ``name`` first."""
        policy = copy.copy(self)
        policy.strategy, policy._preferred = HIERARCHICAL, name
        return policy

    def _groups(self, heightmap: Heightmap, tried: Sequence[Action]) -> Groups:
        groups = super()._groups(heightmap, tried)
        return iter(sorted(groups, key=lambda names: names != (self._preferred,)))


def ways_of_designs(
    designs: Sequence[str], counts: Sequence[int], device: str = "cpu"
) -> list[Way]:
    """Every design of choices.DESIGNS with every number of primitives, as ``first_primitives``.

    All weights are random: no time depends on them. A hierarchical one has every primitive's turn.
    """
    torch.manual_seed(0)
    target, result = choose_device(device), []
    for count in counts:
        for design in designs:
            trunks, strategy = DESIGNS[design]
            config = NetworkConfig.of_repertoire(
                first_primitives(count), trunks=trunks, strategy=strategy
            )
            network = make_network(config).eval()
            make = _alone if strategy == FLAT else _each_preferred
            labels = {"strategy": design, "primitives": count}
            result.append(Way(labels, make(network, target)))
    return result


def _alone(network: Network, device: torch.device) -> tuple[Policy, ...]:
    """A flat policy."""
    return (NetworkPolicy(network, device),)


def _each_preferred(network: Network, device: torch.device) -> tuple[Policy, ...]:
    """A hierarchical policy for each of its primitives, which it looks at first."""
    policy = _Preferring(network, device)
    return tuple(policy.preferring(name) for name in policy.names)


def _with_head(trunk: Network, head: str) -> Network:
    """A network with another head on the same trunk."""
    network = make_network(replace(trunk.config, head=head)).eval()
    known = {name: value for name, value in trunk.state_dict().items() if "head." not in name}
    network.load_state_dict(known, strict=False)
    return network


def compare(
    ways: Sequence[Way],
    heightmaps: Sequence[Heightmap],
    repeats: int,
    report: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """Rows of the ways' labels, ``ms``, ``cpu_ms`` and ``ratio``, medians of decisions.

    ms: wall time. cpu_ms: processor time of this process, which other processes hardly change.
    ratio: of the wall time to the first way's, on the same table at the same time. All ways decide
    on one table before the next, so that whatever else the machine does slows them alike. One round
    more warms up. report: hears of every round.
    """
    require(repeats > 0, f"repeats is {repeats}; it must be > 0")
    times: list[list[_Taken]] = [[] for _ in ways]
    for turn in range(repeats + 1):
        for heightmap in heightmaps:
            for found, way in zip(times, ways, strict=True):
                taken = _time(way.policies, heightmap)
                if turn:
                    found.append(taken)
        report()
    return [
        {
            **way.labels,
            "ms": median(taken.wall for taken in found),
            "cpu_ms": median(taken.cpu for taken in found),
            "ratio": _ratio(found, times[0]),
        }
        for way, found in zip(ways, times, strict=True)
    ]


class _Taken(NamedTuple):
    """Time of a decision, ms."""

    wall: float
    cpu: float


def _time(policies: Sequence[Policy], heightmap: Heightmap) -> _Taken:
    wall, cpu = time.perf_counter(), time.process_time()
    for policy in policies:
        policy.decide(heightmap)
    taken = (time.perf_counter() - wall, time.process_time() - cpu)
    return _Taken(*(1000 * seconds / len(policies) for seconds in taken))


def _ratio(found: Sequence[_Taken], first: Sequence[_Taken]) -> float:
    pairs = zip(found, first, strict=True)
    return median(ours.wall / theirs.wall for ours, theirs in pairs)
