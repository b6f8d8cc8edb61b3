"""Episodes small enough to be sent from process to process."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from vpg_ros.action import Action, Transition
from vpg_ros.geometry import Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Outcome

_LEVEL = 1  # of compression: 3 ms a heightmap would be longer than its way


@dataclass(frozen=True)
class PackedMap:
    """A heightmap, compressed: height as float16 (exact to 0.03 mm here), colour as it is or "".

    stamp: s, when it was seen. exact: whether height is float32 instead, as it was.
    """

    height: bytes
    colour: bytes
    stamp: float
    exact: bool


@dataclass(frozen=True)
class PackedStep:
    """What a transition holds besides its heightmaps."""

    action: Action
    outcome: Outcome
    reward: float
    done: bool


@dataclass(frozen=True)
class PackedEpisode:
    """An episode: one map more than steps, each but the first left by a step."""

    name: str
    workspace: Workspace
    maps: tuple[PackedMap, ...]
    steps: tuple[PackedStep, ...]


def pack(
    transitions: Sequence[Transition], colour: bool, exact: bool = False
) -> PackedEpisode | None:
    """The transitions of one episode from its first on, with or without colour; None of none.

    exact: whether heights come through bit for bit, rather than as exactly as a learner needs.
    """
    if not transitions:
        return None
    first = transitions[0]
    maps = (first.before, *(each.after for each in transitions))
    return PackedEpisode(
        first.episode,
        first.before.workspace,
        tuple(_pack_map(each, colour, exact) for each in maps),
        tuple(PackedStep(t.action, t.outcome, t.reward, t.done) for t in transitions),
    )


def unpack(episode: PackedEpisode) -> Iterator[Transition]:
    """Inverse of ``pack``; colour that was left out is black."""
    maps = (_unpack_map(each, episode.workspace) for each in episode.maps)
    for number, ((before, after), step) in enumerate(
        zip(pairwise(maps), episode.steps, strict=True)
    ):
        yield Transition(
            episode.name,
            number,
            before,
            step.action,
            step.outcome,
            step.reward,
            after,
            step.done,
        )


def _pack_map(heightmap: Heightmap, colour: bool, exact: bool) -> PackedMap:
    height = heightmap.height.astype(_dtype(exact))
    return PackedMap(
        zlib.compress(height.tobytes(), _LEVEL),
        zlib.compress(heightmap.colour.tobytes(), _LEVEL) if colour else b"",
        heightmap.stamp,
        exact,
    )


def _unpack_map(packed: PackedMap, workspace: Workspace) -> Heightmap:
    shape = workspace.shape
    height = np.frombuffer(zlib.decompress(packed.height), _dtype(packed.exact)).reshape(shape)
    colour = np.zeros((*shape, 3), np.uint8)
    if packed.colour:
        colour = np.frombuffer(zlib.decompress(packed.colour), np.uint8).reshape((*shape, 3))
    return Heightmap(colour, height.astype(np.float32), workspace, packed.stamp)


def _dtype(exact: bool) -> type[np.floating[Any]]:
    return np.float32 if exact else np.float16
