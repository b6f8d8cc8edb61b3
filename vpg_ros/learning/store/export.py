"""A store as a Minari dataset, the format of Gymnasium's makers for offline learning.

https://minari.farama.org. Observations, actions and infos are those of ``TableGym``.
"""

import math
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from vpg_ros import __version__
from vpg_ros.action import Transition
from vpg_ros.atomic import unwritable
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import Workspace
from vpg_ros.learning import gym_spaces
from vpg_ros.learning.store.reader import read_transitions
from vpg_ros.primitives import DEFAULT_REPERTOIRE

if TYPE_CHECKING:
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_storage import MinariStorage

# Of what precedes an episode's first action.
_INFO_AT_START = {"success": False, "error": "", "accidents": 0}


def export_minari(
    store: Path, out: Path, names: tuple[str, ...] = DEFAULT_REPERTOIRE
) -> tuple[int, int]:
    """Write a dataset to the folder ``out``, which must not exist yet; its episodes and steps.

    names: the repertoire, in which an action's primitive has its place.

    The dataset appears whole or not at all, and is read by ``minari.MinariDataset(out / "data")``.
    An observation is the heightmap that an action was chosen on; an episode's last one is what its
    last action left. An episode that the store ends without ``done`` is truncated. Raises as
    ``read_transitions``, STORE_UNREADABLE for a store without transitions, STORE_MISMATCH for an
    action that is not in the space, TRANSITION_INVALID for a reward that is not finite,
    PARAMETER_INVALID and DISK_FULL.
    """
    _check_minari()
    require(not out.exists(), f"--out is {str(out)!r}, which exists; choose another folder")
    first = next(read_transitions(store), None)
    if first is None:
        sentence = f"{store} holds no transitions; there is nothing to export"
        raise VpgError(ErrorCode.STORE_UNREADABLE, sentence)
    workspace = first.before.workspace
    with _appearing_whole(out) as part:
        storage = _new_storage(part / "data", workspace, names, _dataset_id(out.name))
        _fill(storage, read_transitions(store, workspace), names)
        return storage.total_episodes, storage.total_steps


def _check_minari() -> None:
    try:
        import minari  # noqa: F401
    except ImportError as error:
        sentence = f"exporting takes the package minari: pip install 'vpg_ros[export]' ({error})"
        raise VpgError(ErrorCode.PARAMETER_INVALID, sentence) from None


@contextmanager
def _appearing_whole(out: Path) -> Iterator[Path]:
    """A folder that becomes ``out`` at the end, and vanishes on an error."""
    part = out.absolute().with_name(f".{out.name}.part")  # Minari takes no relative path
    try:
        shutil.rmtree(part, ignore_errors=True)  # of an export that was killed
        part.mkdir(parents=True)
        yield part
        os.replace(part, out)
    except OSError as error:
        raise unwritable(out, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _dataset_id(name: str) -> str:
    """``name`` where Minari takes it as one, else the nearest that it takes."""
    base, version = re.fullmatch(r"(.*?)(-v\d+)?", name, re.DOTALL).groups()  # type: ignore[union-attr]
    return (re.sub(r"[^-\w]", "_", base) or "transitions") + (version or "-v0")


def _new_storage(
    path: Path, workspace: Workspace, names: tuple[str, ...], dataset_id: str
) -> "MinariStorage":
    import minari
    from minari.dataset.minari_storage import MinariStorage

    storage = MinariStorage.new(
        path,
        gym_spaces.observation_space(workspace),
        gym_spaces.action_space(workspace, names),
        jpeg_encoding=False,  # which would change the colours
    )
    about = {
        "dataset_id": dataset_id,
        "minari_version": minari.__version__,
        "description": f"Transitions recorded by vpg_ros {__version__}",
        "workspace": vars(workspace),
        "primitives": list(names),
    }
    storage.update_metadata(about)
    return storage


def _fill(
    storage: "MinariStorage", transitions: Iterable[Transition], names: tuple[str, ...]
) -> None:
    """Write step by step, since an episode can be larger than memory."""
    episode, length = 0, 0
    for now, then in pairwise(chain(transitions, [None])):
        assert now is not None
        ends = then is None or not _continues(now, then)
        storage.update_episodes([_step(episode, now, names, length == 0, ends)])
        length += 1
        if ends:
            # Minari itself counts only the steps that it was given last.
            storage.update_episode_metadata([{"total_steps": length}], [episode])
            episode, length = episode + 1, 0


def _continues(now: Transition, then: Transition) -> bool:
    """Whether ``then`` is the next step of the same episode."""
    return not now.done and (then.episode, then.step) == (now.episode, now.step + 1)


def _step(
    episode: int, transition: Transition, names: tuple[str, ...], begins: bool, ends: bool
) -> "EpisodeBuffer":
    """One step; the first one brings an info more, the last one an observation more."""
    from minari.data_collector import EpisodeBuffer

    require(
        math.isfinite(transition.reward),
        f"reward of step {transition.step} of episode {transition.episode!r} is "
        f"{transition.reward}; it must be finite",
        ErrorCode.TRANSITION_INVALID,
    )
    maps = [transition.before, transition.after] if ends else [transition.before]
    observations = [gym_spaces.observation(heightmap) for heightmap in maps]
    info = gym_spaces.info(transition.outcome)
    infos = [_INFO_AT_START, info] if begins else [info]
    return EpisodeBuffer(
        id=episode,
        observations={key: [each[key] for each in observations] for key in observations[0]},
        actions=[gym_spaces.action_index(transition.action, transition.before.workspace, names)],
        rewards=[float(transition.reward)],
        terminations=[transition.done],
        truncations=[ends and not transition.done],
        infos={key: [each[key] for each in infos] for key in info},
    )
