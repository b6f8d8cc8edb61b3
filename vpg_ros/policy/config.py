"""What a value network was built for; travels in its checkpoint as JSON."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from vpg_ros import primitives
from vpg_ros.choices import FLAT, STRATEGIES, TRUNKS
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.primitives import DEFAULT_REPERTOIRE

INPUT_ROTATIONS = 8  # the heightmap is turned by k · 2π/16, k < 8; outputs hold the other half


# Cells a side over which values are averaged: what stands alone among worse values is more often an
# error of the network than a place that only a perfect aim would find, and of the places along a
# plank, which differ little in value, those at its middle are the best on average.
SMOOTHING = 7


@dataclass(frozen=True)
class ActingConfig:
    """How the values that a network has learned are meant when it acts.

    smoothing: cells a side over which they are averaged, an odd number. nothing: the value of an
    action that comes to nothing; above 0 where accidents, which are worth 0, cost something.
    """

    smoothing: int = SMOOTHING
    nothing: float = 0.0


@dataclass(frozen=True)
class NetworkConfig:
    """Shape and meaning of a value network.

    primitives: (name, rotations) in the order of the output channels; each takes
    rotations / INPUT_ROTATIONS channels for each rotated input. resolution: m a pixel of the
    heightmaps it reads. cell: pixels a cell side (space-to-depth). widths: channels of the three
    levels. head: name of the value head. colour: whether colour is an input beside height. trunks:
    "shared" by all primitives, or "separate". strategy: how an action is chosen from what they
    value, of choices.STRATEGIES; the hierarchical one has a network of its own.
    """

    primitives: tuple[tuple[str, int], ...]
    resolution: float = 0.002
    cell: int = 2
    widths: tuple[int, int, int] = (16, 32, 64)
    head: str = "scalar"
    colour: bool = False
    trunks: str = "shared"
    strategy: str = FLAT

    def __post_init__(self) -> None:
        for name, allowed in (("trunks", TRUNKS), ("strategy", STRATEGIES)):
            value = getattr(self, name)
            require(
                value in allowed, f"{name} is {value!r}; it must be one of {', '.join(allowed)}"
            )

    @staticmethod
    def of_repertoire(
        names: tuple[str, ...] = DEFAULT_REPERTOIRE,
        head: str = "scalar",
        colour: bool = False,
        trunks: str = "shared",
        strategy: str = FLAT,
    ) -> "NetworkConfig":
        """The configuration for the primitives ``names``; raises as ``repertoire``."""
        chosen = primitives.repertoire(names)
        pairs = tuple((name, primitives.get(name).rotations) for name in chosen)
        return NetworkConfig(pairs, head=head, colour=colour, trunks=trunks, strategy=strategy)

    def only(self, name: str) -> "NetworkConfig":
        """The configuration of a network for one of the primitives."""
        pairs = tuple(pair for pair in self.primitives if pair[0] == name)
        return replace(self, primitives=pairs, trunks="shared", strategy=FLAT)

    @property
    def names(self) -> tuple[str, ...]:
        """Primitive names in order."""
        return tuple(name for name, _ in self.primitives)

    @property
    def input_channels(self) -> int:
        """Height of every pixel of a cell, share of the cell unseen, and mean colour if asked."""
        return self.cell**2 + 1 + (3 if self.colour else 0)

    @property
    def outputs(self) -> int:
        """Values for each cell and input rotation."""
        return sum(rotations // INPUT_ROTATIONS for _, rotations in self.primitives)

    def channels(self, name: str) -> range:
        """Output channels of a primitive: channel i holds rotation k + i · INPUT_ROTATIONS."""
        start = 0
        for other, rotations in self.primitives:
            count = rotations // INPUT_ROTATIONS
            if other == name:
                return range(start, start + count)
            start += count
        raise VpgError(
            ErrorCode.UNKNOWN_PRIMITIVE,
            f"primitive is {name!r}; this network values {', '.join(self.names)}",
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; inverse of ``from_json``."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> "NetworkConfig":
        """Inverse of ``to_json``; raises KeyError, TypeError or ValueError on other data."""
        pairs = tuple((str(name), int(rotations)) for name, rotations in data["primitives"])
        first, second, third = (int(width) for width in data["widths"])
        return NetworkConfig(
            pairs,
            float(data["resolution"]),
            int(data["cell"]),
            (first, second, third),
            str(data["head"]),
            bool(data["colour"]),
            str(data.get("trunks", "shared")),
            str(data.get("strategy", FLAT)),
        )

    def check_primitives(self) -> None:
        """Raise CHECKPOINT_MISMATCH unless the registry has these primitives, rotations too."""
        known = {name: primitives.get(name).rotations for name in primitives.names()}
        for name, rotations in self.primitives:
            require(
                known.get(name) == rotations,
                f"the checkpoint values primitive {name!r} at {rotations} rotations; "
                f"registered are {', '.join(f'{n} ({r} rotations)' for n, r in known.items())}",
                ErrorCode.CHECKPOINT_MISMATCH,
            )

    def check_resolution(self, resolution: float) -> None:
        """Raise CHECKPOINT_MISMATCH unless heightmaps have the resolution trained on."""
        require(
            abs(resolution - self.resolution) < 1e-9,
            f"workspace.resolution is {resolution} m per pixel; "
            f"the checkpoint was trained for {self.resolution}",
            ErrorCode.CHECKPOINT_MISMATCH,
        )
