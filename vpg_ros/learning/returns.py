"""Returns: what a scene or an action comes to, as the learner keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vpg_ros.policy.distribution import Distribution


@dataclass(frozen=True)
class Returns:
    """A discrete distribution of returns, as fractions of the largest one.

    atoms: the outcomes. probabilities: of each, summing to 1.
    """

    atoms: tuple[float, ...]
    probabilities: tuple[float, ...]

    @staticmethod
    def certain(value: float) -> "Returns":
        """One outcome."""
        return Returns((value,), (1.0,))

    @staticmethod
    def of(distribution: Distribution) -> "Returns":
        """One distribution, of K outcomes."""
        return Returns(
            tuple(distribution.atoms.tolist()), tuple(distribution.probabilities.tolist())
        )

    @property
    def mean(self) -> float:
        """The expected return."""
        return sum(a * p for a, p in zip(self.atoms, self.probabilities, strict=True))

    def after(self, earned: float, gamma: float, nothing: float = 0.0) -> "Returns":
        """What an action that earned something comes to when these returns follow, discounted.

        nothing: the value of earning nothing. Losses, which lie below it, are not discounted: they
        are no smaller for being put off.
        """
        atoms = (earned + _discounted(atom, gamma, nothing) for atom in self.atoms)
        return Returns(tuple(atoms), self.probabilities)

    def to_plain(self) -> Any:
        """Plain Python types: a number where there is but one outcome."""
        return self.atoms[0] if len(self.atoms) == 1 else (self.atoms, self.probabilities)

    @staticmethod
    def from_plain(data: Any) -> "Returns":
        """Inverse of ``to_plain``."""
        if isinstance(data, float):
            return Returns.certain(data)
        atoms, probabilities = data
        return Returns(tuple(atoms), tuple(probabilities))


def _discounted(value: float, gamma: float, nothing: float) -> float:
    # Where there are no losses, what rounds to below 0 is as good as 0.
    if nothing > 0 and value < nothing:
        return value
    return nothing + gamma * (value - nothing)


def stacked(returns: Sequence[Returns], device: torch.device) -> Distribution:
    """N×M: N distributions, all with as many outcomes as the widest has, the added ones never."""
    width = max(len(each.atoms) for each in returns)
    gaps = [(0.0,) * (width - len(each.atoms)) for each in returns]
    atoms = [each.atoms + gap for each, gap in zip(returns, gaps, strict=True)]
    shares = [each.probabilities + gap for each, gap in zip(returns, gaps, strict=True)]
    return Distribution(torch.tensor(atoms, device=device), torch.tensor(shares, device=device))
