"""One training of the offline experiment, and what it is measured by."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from vpg_ros.learning.evaluate import Player
from vpg_ros.learning.learner import CPU, greedy_policy
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.offline.config import OfflineConfig
from vpg_ros.learning.offline.credit import credits, mean_credit
from vpg_ros.learning.offline.estimates import estimates
from vpg_ros.learning.offline.log import Log
from vpg_ros.learning.offline.logs import Logs
from vpg_ros.learning.offline.matrix import Cell, Matrix
from vpg_ros.learning.offline.measure import measured
from vpg_ros.learning.offline.train import OfflineTrainer
from vpg_ros.learning.offline.variants import VARIANTS
from vpg_ros.learning.watch import Watch
from vpg_ros.policy.network import Network

CREDITED = 200  # transitions of a data set in which pushes before a pick are looked for
ESTIMATED = 300  # transitions that off-policy evaluation looks at


def train_and_measure(
    cell: Cell, log: Log, matrix: Matrix, out: Path, logs: Logs
) -> dict[str, Any]:
    """Train on the ``log`` of a cell and measure what comes of it; the cell's content.

    Continues what an earlier call began in the cell's folder.
    """
    folder, watch, variant = cell.folder(out), logs.watch, VARIANTS[cell.variant]
    config = variant.config(matrix.updates, cell.seed)
    watch.begin(f"{cell}: training", config.updates)
    trainer = OfflineTrainer(cell.algorithm, log, config, folder / "training")
    weights = trainer.run(lambda trainer: watch.advance(trainer.updates))
    player = Player("network", weights, risk=variant.risk, alpha=variant.alpha)
    return {
        **asdict(cell),
        "behaviour_grasp_success": log.grasp_success(),
        "training_seconds": trainer.seconds,
        **measured(player, folder, matrix, str(cell), watch),
        "credit": _credited(trainer.algorithm.valuing, cell, logs),
        "estimates": _estimated(weights, log, cell, matrix, watch),
    }


def _estimated(
    weights: Path, log: Log, cell: Cell, matrix: Matrix, watch: Watch
) -> dict[str, Any] | None:
    """What off-policy evaluation makes of the policy, beside the truth."""
    if matrix.estimating == 0:
        return None
    watch.begin(f"{cell}: off-policy evaluation", matrix.estimating)
    config = OfflineConfig(updates=matrix.estimating, seed=cell.seed)
    known = log.first(ESTIMATED)
    return estimates(known, weights, config, matrix.camera, matrix.random_runs, watch.advance)


def _credited(network: Network | None, cell: Cell, logs: Logs) -> dict[str, Any] | None:
    """What values say of the pushes of the data set that a pick followed; None without values."""
    if network is None:
        return None
    policy = greedy_policy(network, CPU, LearnerConfig())
    return mean_credit(credits(logs.first(cell.dataset, cell.size, CREDITED), policy))
