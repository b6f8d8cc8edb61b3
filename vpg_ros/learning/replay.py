"""Replay: what was experienced, small enough to keep all of it, and on disk in shards."""

import io
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Transition
from vpg_ros.atomic import make_folder, write_atomically
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.rewards import scene_changed, worked
from vpg_ros.policy.baselines import RandomPolicy

# What numpy and zipfile raise for a file that is missing, cut off or damaged; RuntimeError is for
# flags that no shard has, and the last two are for a damaged header of an array.
_DAMAGE = (
    *(OSError, ValueError, KeyError, EOFError, RuntimeError, BadZipFile, zlib.error),
    *(TokenError, SyntaxError),
)
_LATER = {"worked", "accidents", "aimed"}  # fields that shards of earlier versions lack
HeightArray = NDArray[np.float16]


@dataclass(frozen=True)
class Experience:
    """What learning needs of one transition.

    height, next_height: rows×columns float16, m above the table, NaN where unseen (half precision
    is exact to 0.03 mm here). colour, next_colour: rows×columns×3 uint8, or 0×0×3 where colour is
    not learned from. changed: whether the scene did. worked: whether the action did what its
    primitive is for. accidents: as in Outcome. aimed: whether values chose its place, rather than
    chance. The rest as in Transition.
    """

    height: HeightArray
    colour: NDArray[np.uint8]
    primitive: str
    rotation: int
    row: int
    column: int
    reward: float
    changed: bool
    done: bool
    next_height: HeightArray
    next_colour: NDArray[np.uint8]
    worked: bool = False
    accidents: int = 0
    aimed: bool = False

    @staticmethod
    def of(transition: Transition, colour: bool) -> "Experience":
        """The experience in a transition, with or without colour."""
        action, before, after = transition.action, transition.before, transition.after
        none = np.zeros((0, 0, 3), np.uint8)
        return Experience(
            before.height.astype(np.float16),
            before.colour if colour else none,
            action.primitive,
            action.rotation,
            action.row,
            action.column,
            transition.reward,
            scene_changed(before, after),
            transition.done,
            after.height.astype(np.float16),
            after.colour if colour else none,
            worked(action, transition.outcome, before, after),
            transition.outcome.accidents,
            action.policy != RandomPolicy.name,
        )

    def before(self, workspace: Workspace) -> Heightmap:
        """The scene acted on; black where colour is not learned from."""
        return _heightmap(self.height, self.colour, workspace)

    def after(self, workspace: Workspace) -> Heightmap:
        """The scene left; black where colour is not learned from."""
        return _heightmap(self.next_height, self.next_colour, workspace)


def _heightmap(height: HeightArray, colour: NDArray[np.uint8], workspace: Workspace) -> Heightmap:
    black = np.zeros((*height.shape, 3), np.uint8)
    return Heightmap(colour if colour.size else black, height.astype(np.float32), workspace)


class Replay:
    """Experiences in the order they were made.

    errors: how wrong the value of each was when it was last learned from, infinite before.
    """

    def __init__(self) -> None:
        self._items: list[Experience] = []
        self.errors: list[float] = []
        self._shards: list[int] = []  # number of experiences in each shard on disk

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Experience:
        return self._items[index]

    def add(self, experience: Experience) -> None:
        """Append one."""
        self._items.append(experience)
        self.errors.append(math.inf)

    def note_errors(self, indices: Sequence[int], errors: Sequence[float]) -> None:
        """Remember how wrong the values of some experiences are."""
        for index, error in zip(indices, errors, strict=True):
            self.errors[index] = error

    def sample(
        self,
        count: int,
        rng: np.random.Generator,
        newest: int = 0,
        newest_share: float = 0.0,
        priority: float = 0.0,
    ) -> list[int]:
        """Indices of ``count`` experiences, a share of them drawn from the ``newest``.

        The others are drawn uniformly or, with a ``priority`` above 0, in proportion to the
        −priority'th power of their rank by error (Schaul et al. 2016).
        """
        recent = round(count * newest_share)
        low = max(0, len(self) - newest)
        return [
            *(int(i) for i in rng.integers(low, len(self), recent)),
            *self._draw(count - recent, rng, priority),
        ]

    def _draw(self, count: int, rng: np.random.Generator, priority: float) -> list[int]:
        if priority == 0:
            return [int(i) for i in rng.integers(0, len(self), count)]
        by_error = np.argsort(-np.array(self.errors), kind="stable")
        weights = np.arange(1, len(self) + 1, dtype=float) ** -priority
        ranks = rng.choice(len(self), size=count, p=weights / weights.sum())
        return [int(i) for i in by_error[ranks]]

    def save(self, folder: Path) -> None:
        """Write what is not on disk yet as one more shard; earlier shards stay as they are.

        Raises as ``write_atomically``.
        """
        start = sum(self._shards)
        if start == len(self):
            return
        make_folder(folder, "replay")
        write_atomically(_shard(folder, len(self._shards)), _pack(self._items[start:]))
        self._shards.append(len(self) - start)

    def load(self, folder: Path, count: int) -> None:
        """Read the first ``count`` experiences that ``save`` wrote to ``folder``.

        Raises STORE_UNREADABLE naming the shard that is missing or damaged.
        """
        while len(self) < count:
            items = _unpack(_shard(folder, len(self._shards)))
            self._items += items
            self.errors += [math.inf] * len(items)
            self._shards.append(len(items))


def _shard(folder: Path, index: int) -> Path:
    return folder / f"{index:05d}.npz"


def _pack(items: list[Experience]) -> bytes:
    """The bytes of an .npz with one array a field."""
    names = Experience.__dataclass_fields__
    columns = {n: np.stack([np.asarray(getattr(item, n)) for item in items]) for n in names}
    file = io.BytesIO()
    np.savez_compressed(file, **columns)  # type: ignore[arg-type]
    return file.getvalue()


def _unpack(path: Path) -> list[Experience]:
    try:
        with np.load(path) as data:
            names = Experience.__dataclass_fields__.keys() - (_LATER - set(data))
            columns = {name: data[name] for name in names}
    except _DAMAGE as error:
        raise VpgError(
            ErrorCode.STORE_UNREADABLE, f"replay shard {path} is missing or damaged: {error}"
        ) from error
    count = len(columns["row"])
    # Scalars come back as Python's own, arrays as views.
    rows = (
        {k: v[i].item() if v.ndim == 1 else v[i] for k, v in columns.items()} for i in range(count)
    )
    return [Experience(**row) for row in rows]
