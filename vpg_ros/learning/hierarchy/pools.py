"""Which experiences a meta-policy learns what from."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from vpg_ros.learning.replay import Replay

ENOUGH = 40  # a primitive's experiences where values chose, up to which random places count too


class Pools:
    """Which experiences of a growing replay tell what primitives of ``names`` are worth."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._aimed: dict[str, list[int]] = {name: [] for name in names}
        self._random: dict[str, list[int]] = {name: [] for name in names}
        self._count = 0  # of experiences in either

    def of(self, replay: Replay) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of those that tell it, and of the others."""
        for index in range(self._count, len(replay)):
            item = replay[index]
            (self._aimed if item.aimed else self._random)[item.primitive].append(index)
        self._count = len(replay)
        few = [name for name, indices in self._aimed.items() if len(indices) < ENOUGH]
        enough = [name for name in self._aimed if name not in few]
        telling = [*self._aimed.values(), *(self._random[name] for name in few)]
        return _joined(telling), _joined(self._random[name] for name in enough)


def _joined(parts: Iterable[Sequence[int]]) -> NDArray[np.int64]:
    return np.array([index for part in parts for index in part], np.int64)
