"""The state of a learning as a file that is there whole or not at all."""

import io
import math
from pathlib import Path
from typing import Any

import torch

from vpg_ros.atomic import write_atomically
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.learning.differences import differences


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain Python types; raises as ``write_atomically``."""
    file = io.BytesIO()  # torch reports a full disk as a RuntimeError
    torch.save(state, file)
    write_atomically(path, file.getvalue())


def load_state(path: Path) -> dict[str, Any]:
    """Inverse of ``save_state``; raises STORE_UNREADABLE for anything else."""
    try:
        state: dict[str, Any] = dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises a different one for each kind of damage
        sentence = f"learning state {path} is damaged: it is truncated or not a learning state"
        raise VpgError(ErrorCode.STORE_UNREADABLE, sentence) from error
    return state


class StateFile:
    """The state of a training that goes on, and whether it is still the one that is known here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = self._saved_at()

    def _saved_at(self) -> int:
        """Time of the last save, ns; 0 before the first."""
        return self.path.stat().st_mtime_ns if self.path.is_file() else 0

    @property
    def found(self) -> bool:
        """Whether there was one to go on from."""
        return self._known > 0

    def save(self, state: dict[str, Any]) -> None:
        """As ``save_state``."""
        save_state(self.path, state)
        self._known = self._saved_at()

    def require_unchanged(self) -> None:
        """Raise STORE_MISMATCH if another process went on with the training meanwhile."""
        require(
            self._saved_at() == self._known,
            f"another process went on with {self.path.parent} meanwhile; give the same command "
            "again",
            ErrorCode.STORE_MISMATCH,
        )


def require_same(out: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise STORE_MISMATCH with the settings that differ from those of the training found."""
    require(
        before == now,
        f"{out} holds a training with other settings: {differences(before, now)}; "
        "continue with those or choose another folder",
        ErrorCode.STORE_MISMATCH,
    )


def require_finite(out: Path, loss: float, updates: int) -> None:
    """Raise LEARNING_DIVERGED unless the loss is a number; what ``out`` holds is of before."""
    require(
        math.isfinite(loss),
        f"the loss is {loss} after {updates} updates; what {out} holds is of before",
        ErrorCode.LEARNING_DIVERGED,
    )
