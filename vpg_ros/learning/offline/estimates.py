"""A policy's return by every method of off-policy evaluation, and in simulation."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.learning.config import TrainingConfig
from vpg_ros.learning.interval import Estimate
from vpg_ros.learning.offline.boltzmann import Boltzmann, BoltzmannPolicy
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.datasets import SCENES
from vpg_ros.learning.offline.fqe import fitted_q_evaluation
from vpg_ros.learning.offline.importance import importance_sampling
from vpg_ros.learning.offline.log import Log
from vpg_ros.learning.offline.ranking import ranking, true_return
from vpg_ros.learning.rollout import Rollout
from vpg_ros.policy.checkpoint import load, load_policy

METHODS = ("fqe", "wis")  # fitted Q evaluation, weighted importance sampling
TRUTH = "true"
_UNSEEN = 2000  # seed of the tables that tell the truth, the same ones of every policy


def estimates(
    log: Log,
    weights: Path,
    config: OfflineConfig,
    camera: str,
    episodes: int,
    report: Callable[[int], None] = lambda updates: None,
) -> dict[str, Any]:
    """The discounted return of the Boltzmann policy of ``weights``: method → Estimate as JSON.

    None for a method that the log does not allow. For TRUTH, ``episodes`` other tables of the
    scenes that data sets are made of, the same for every policy, are played at the temperature that
    the methods evaluate; unlike what these look at, it repeats no action in vain. report: as of
    ``fitted_q_evaluation``.
    """
    network, _ = load(weights)
    evaluated = Boltzmann(network)
    found = {
        "fqe": asdict(fitted_q_evaluation(log, evaluated, config, report)),
        "wis": _wis(log, evaluated, config),
    }
    truth = _truth(weights, config, camera, episodes)
    return {**found, TRUTH: asdict(truth)}


def _wis(log: Log, policy: Boltzmann, config: OfflineConfig) -> dict[str, Any] | None:
    """Weighted importance sampling, where the log allows it."""
    try:
        return asdict(importance_sampling(log, policy, config.gamma, config.seed))
    except VpgError as error:
        if error.code is not ErrorCode.STORE_MISMATCH:
            raise
        return None


def _truth(weights: Path, config: OfflineConfig, camera: str, episodes: int) -> Estimate:
    """What the policy earns on the tables of ``_UNSEEN``, which lies beyond data sets' seeds."""
    policy = BoltzmannPolicy(load_policy(weights, "cpu"), config.seed)
    playing = TrainingConfig(warm_up=0, exploration=0.0, seed=_UNSEEN, camera=camera, scenes=SCENES)
    with closing(Rollout(playing, lambda: policy)) as source:
        return true_return(source, config.gamma, episodes, config.seed)


def ranked(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Method → Spearman's correlation with the truth over policies, and regret; plain JSON types.

    effective: the smallest effective number of samples behind an estimate. None where fewer than
    two policies have an estimate, or all estimates are equal.
    """
    result: dict[str, Any] = {}
    for method in METHODS:
        known = [each for each in found if each[method]]
        values = ([each[name]["value"] for each in known] for name in (method, TRUTH))
        try:
            compared = ranking(*values)
        except VpgError:
            result[method] = None
            continue
        result[method] = {
            "spearman": compared.spearman if isfinite(compared.spearman) else None,
            "regret": compared.regret,
            "policies": len(known),
            "effective": min(each[method]["effective"] for each in known),
        }
    return result
