"""What a decision costs besides time: operations and memory."""

from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.bench import Way
from vpg_ros.policy.network_policy import NetworkPolicy

_MEGABYTE = 1e6


def costs(way: Way, heightmaps: Sequence[Heightmap]) -> dict[str, Any]:
    """``memory_mb`` and ``flops`` of a decision by a network, medians over the tables.

    flops: floating-point operations of all convolutions and matrix products, two for each
    multiply-add, as torch.utils.flop_counter counts them. memory_mb: all weights that must be
    loaded, and the most that the tensors alive at once take during the decision, of those that
    torch's operations make (not what they need inside).
    """
    policies = [policy for policy in way.policies if isinstance(policy, NetworkPolicy)]
    peak = median(fmean(_peak_bytes(each, table) for each in policies) for table in heightmaps)
    flops = median(fmean(_flops(each, table) for each in policies) for table in heightmaps)
    memory = policies[0].weight_bytes + peak
    return {"memory_mb": round(memory / _MEGABYTE, 2), "flops": int(flops)}


def _flops(policy: NetworkPolicy, heightmap: Heightmap) -> int:
    with FlopCounterMode(display=False) as counter:
        policy.decide(heightmap)
    return int(counter.get_total_flops())


def _peak_bytes(policy: NetworkPolicy, heightmap: Heightmap) -> int:
    with _Alive() as alive:
        policy.decide(heightmap)
    return alive.peak


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the tensors alive after every operation. peak: the most there were, bytes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._sizes: dict[StorageWeakRef, int] = {}  # of what the operations made, views once

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._sizes = {key: size for key, size in self._sizes.items() if not key.expired()}  # type: ignore[no-untyped-call]
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                key = StorageWeakRef(storage)  # type: ignore[no-untyped-call]
                self._sizes[key] = storage.nbytes()
        self.peak = max(self.peak, sum(self._sizes.values()))
        return result
