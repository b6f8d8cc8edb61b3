"""From heightmap to action: network, value heads, selection, checkpoints."""

from vpg_ros.policy.baselines import HeuristicPolicy, RandomPolicy
from vpg_ros.policy.maps import ValueMaps
from vpg_ros.policy.policy import Decision, Policy

__all__ = ["Decision", "HeuristicPolicy", "Policy", "RandomPolicy", "ValueMaps"]
