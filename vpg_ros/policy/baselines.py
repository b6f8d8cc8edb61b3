"""Policies without a network: uniformly random, and a hand-made grasp heuristic."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vpg_ros import primitives
from vpg_ros.action import Action
from vpg_ros.heightmap import Heightmap
from vpg_ros.policy.maps import FloatMaps, ValueMaps, admissible_cells
from vpg_ros.policy.policy import Decision, require_seen
from vpg_ros.policy.selection import select, without_tried
from vpg_ros.primitives import DEFAULT_REPERTOIRE

CELL = 2  # pixels, the grid the network decides on too


class RandomPolicy:
    """Uniform over ``names``, then over each one's actions: the admissible ones, if masked."""

    name = "random"
    checkpoint = ""

    def __init__(
        self,
        seed: int = 0,
        names: tuple[str, ...] = DEFAULT_REPERTOIRE,
        masked: bool = True,
    ) -> None:
        self._rng = np.random.default_rng(seed)
        self._names, self._masked = names, masked

    def decide(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> Decision:
        """A random admissible action; its value is 0."""
        require_seen(heightmap)
        names = self._names
        allowed = admissible_cells(heightmap, names, CELL, self._masked)
        admissible = without_tried(allowed, tried, heightmap, CELL)
        order = self._rng.permutation(len(names))
        values: FloatMaps = {
            # A primitive's rank decides first, a draw for each of its actions second.
            name: self._rng.random(admissible[name].shape, dtype=np.float32) + order[i]
            for i, name in enumerate(names)
        }
        maps = ValueMaps(values, admissible, CELL)
        action = replace(select(maps, heightmap), value=0.0, policy=self.name)
        return Decision(action, maps)


class HeuristicPolicy:
    """Grasp the middle of the highest object across its narrow side.

    The object is the connected region within ``DROP`` of the highest point; its minimum-area
    rectangle gives centre and axis. Value falls with the distance from that grasp, in place and
    rotation, so that with tried actions masked the next best place is chosen.
    """

    name = "heuristic"
    checkpoint = ""
    DROP = 0.015  # m below the highest point that still belongs to the same object

    def decide(self, heightmap: Heightmap, tried: Sequence[Action] = ()) -> Decision:
        """The grasp nearest to the ideal one that is admissible."""
        require_seen(heightmap)
        admissible = without_tried(
            admissible_cells(heightmap, ("grasp",), CELL), tried, heightmap, CELL
        )
        values = {"grasp": _grasp_values(heightmap, admissible["grasp"].shape, self.DROP)}
        maps = ValueMaps(values, admissible, CELL)
        return Decision(replace(select(maps, heightmap), policy=self.name), maps)


def _grasp_values(heightmap: Heightmap, shape: tuple[int, ...], drop: float) -> NDArray[np.float32]:
    """1 at the ideal grasp, falling with distance (per 10 cm) and with rotation (per 90°)."""
    (x, y), closing = _narrow_axis(heightmap, drop)
    rotations, rows, columns = shape
    r = np.arange(rows)[:, None] * CELL + CELL // 2 - y
    c = np.arange(columns)[None, :] * CELL + CELL // 2 - x
    distance = np.hypot(r, c) * heightmap.workspace.resolution
    angles = np.array([primitives.get("grasp").angle(k) for k in range(rotations)])
    turn = np.abs((angles - closing + np.pi / 2) % np.pi - np.pi / 2)
    values = 1.0 - distance[None] / 0.1 - turn[:, None, None] / (np.pi / 2)
    return np.asarray(values, dtype=np.float32)


def _narrow_axis(heightmap: Heightmap, drop: float) -> tuple[tuple[float, float], float]:
    """Centre (column, row) and closing angle, rad, of the highest object's rectangle."""
    smooth = cv2.medianBlur(heightmap.filled, 5)
    row, column = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
    near = (smooth > smooth[row, column] - drop) & heightmap.occupied
    _, labels = cv2.connectedComponents(near.astype(np.uint8))
    points = np.argwhere(labels == labels[row, column])[:, ::-1].astype(np.float32)
    centre, (width, height), degrees = cv2.minAreaRect(points)
    closing = np.deg2rad(degrees) + (0.0 if width <= height else np.pi / 2)
    return (float(centre[0]), float(centre[1])), float(closing)
