"""What a training's weights expect on tables that they did not learn from, and what comes of it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

from vpg_ros.action import Transition
from vpg_ros.errors import SEEDS
from vpg_ros.learning.config import TrainingConfig
from vpg_ros.learning.distributional.calibration import of_choices, of_picks
from vpg_ros.learning.kept import Content, kept
from vpg_ros.learning.rollout import Rollout
from vpg_ros.learning.train import EMPTY_IN_A_ROW
from vpg_ros.policy import Policy
from vpg_ros.policy.checkpoint import load_policy
from vpg_ros.policy.selection import nothing_admissible

Report = Callable[[Transition], object]

_FROM = 1000  # seeds beyond that of a training


def calibrated(
    weights: Path, config: TrainingConfig, count: int, cost: float, folder: Path, report: Report
) -> dict[str, Any] | None:
    """How well calibrated weights are, measured now or kept in ``folder``, plain JSON types.

    On ``count`` transitions of other tables of the scenes that ``config`` trained them on, half of
    them random. cost: of an accident. report: hears of each. None where nothing was picked.
    """

    def make() -> Content:
        return {"found": _measured(weights, _others(config, count), cost, report)}

    settings = {"training": asdict(config), "held_out": count, "cost": cost}
    found: dict[str, Any] | None = kept(folder / "calibration.json", settings, make)["found"]
    return found


def _others(config: TrainingConfig, count: int) -> TrainingConfig:
    """Tables of the same scenes that a training with that configuration does not see.

    Half of the actions are random, as random as they were then.
    """
    seed = (_FROM + config.seed) % SEEDS
    return replace(config, actions=count, seed=seed, warm_up=0, exploration=0.5)


def _measured(
    weights: Path, config: TrainingConfig, cost: float, report: Report
) -> dict[str, Any] | None:
    policy = load_policy(weights, "cpu")
    transitions = held_out(config, lambda: policy, report)
    found = of_picks(policy, transitions, cost)
    if found is None:
        return None
    own = of_choices(policy, transitions, cost)
    chosen = None if own is None else asdict(own)
    return {**asdict(found), "worst": found.worst, "chosen": chosen}


def held_out(
    config: TrainingConfig, policy: Callable[[], Policy], report: Report
) -> list[Transition]:
    """The transitions of a training that learns nothing; ``report`` hears of each.

    Raises NO_ADMISSIBLE_ACTION where the scenes have none.
    """
    found: list[Transition] = []
    with closing(Rollout(config, policy)) as source:
        number = 0
        while len(found) < config.actions:
            episode = source.episode(number, len(found))
            for transition in islice(episode, config.actions - len(found)):
                found.append(transition)
                report(transition)
            number += 1
            if number - len(found) >= EMPTY_IN_A_ROW:
                raise nothing_admissible(config.primitives)
    return found
