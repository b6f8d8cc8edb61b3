"""Data sets made by one command each: the same settings give the same transitions."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from itertools import chain, groupby, islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.atomic import write_json
from vpg_ros.choices import CAMERAS
from vpg_ros.errors import ErrorCode, VpgError, require, require_seed
from vpg_ros.learning.config import SceneMix, TrainingConfig
from vpg_ros.learning.lock import alone
from vpg_ros.learning.offline.behaviour import BEHAVIOURS, shares_of, weights_of
from vpg_ros.learning.offline.card import DataCard
from vpg_ros.learning.rollout import Rollout, number_of
from vpg_ros.learning.store import SegmentWriter, info, read_transitions
from vpg_ros.learning.store.salvage import count_readable
from vpg_ros.learning.train import Trainer
from vpg_ros.policy import Policy

REPLAY = "replay"
WITHOUT_HELP = "expert-no-push"
KINDS = (*BEHAVIOURS, REPLAY)
CARD = "card.json"
TRAINING = "training"  # folder of a replay's training
# Half clutter, half tight groups: what the shares of scripted behaviour are tuned for.
SCENES = (SceneMix("random", 0.5, 4, 14), SceneMix("tight", 0.5, 3, 10))

Report = Callable[[int], None]


@dataclass(frozen=True)
class DatasetSpec:
    """What is in a data set.

    kind: one of KINDS. actions: transitions stored. seed: of scenes and draws. camera: as of
    TableEnv. A data set of more actions begins with those of one of fewer, but for "replay".
    """

    kind: str
    actions: int
    seed: int = 0
    camera: str = "ortho"

    def __post_init__(self) -> None:
        kinds = ", ".join(KINDS)
        require(self.kind in KINDS, f"kind is {self.kind!r}; it must be one of {kinds}")
        require(self.actions > 0, f"actions is {self.actions}; it must be > 0")
        require_seed(self.seed)
        cameras = ", ".join(CAMERAS)
        require(self.camera in CAMERAS, f"camera is {self.camera!r}; it must be one of {cameras}")


def make_dataset(spec: DatasetSpec, out: Path, report: Report = lambda count: None) -> DataCard:
    """Write a data set to the folder ``out`` and its card to card.json there.

    Continues one that was stopped or killed, from the beginning of its last episode, and waits for
    another process that makes or reads it. report: hears how many transitions are stored, of every
    one. What was cut off, or damaged since, is made again; of more actions than are asked for all
    are kept. Raises STORE_MISMATCH where ``out`` or a folder in it holds another data set,
    STORE_UNREADABLE where a replay was cut off, or more is readable behind a damage than would be
    made again, and DISK_FULL.
    """
    with alone(out):
        _require_kind(spec, out)
        _require_none_within(out)
        make = _train if spec.kind == REPLAY else _act
        make(spec, out, report)
        card = DataCard()
        found = info(out, card.add)
        require(
            found.unreadable == 0 and found.transitions >= spec.actions,
            f"{out} holds {found.transitions} readable transitions of {spec.actions}; save them "
            "with `vpg dataset repair`, or make the data set in another folder",
            ErrorCode.STORE_UNREADABLE,
        )
        there = replace(spec, actions=found.transitions)
        write_json(out / CARD, {"spec": asdict(there), **card.figures()})
    return card


def _require_kind(spec: DatasetSpec, out: Path) -> None:
    """Raise STORE_MISMATCH where transitions of a training would lie beside others."""
    found: Any = spec.kind
    if spec.kind != REPLAY and (out / TRAINING).exists():
        found = REPLAY
    elif spec.kind == REPLAY and any(out.glob("*.mcap")):
        found = info(out).metadata.get("kind")
    _require_found("kind", found, spec.kind, out)


def _require_none_within(out: Path) -> None:
    """Raise STORE_MISMATCH where a folder in ``out`` holds transitions: they would be read too."""
    for path in out.rglob("*.mcap"):
        require(
            path.parent == out or out / TRAINING in path.parents,
            f"{path.parent} in {out} holds transitions, which would count as those of this data "
            "set; choose another folder",
            ErrorCode.STORE_MISMATCH,
        )


def stored(folder: Path) -> int:
    """How many transitions a data set that was made to its end holds; 0 where there is none.

    0 as well where the card is damaged: what is there is counted again then.
    """
    path = folder / CARD
    if not path.is_file():
        return 0
    try:
        return int(json.loads(path.read_text())["transitions"])
    except (ValueError, KeyError, TypeError):
        return 0


def _train(spec: DatasetSpec, out: Path, report: Report) -> None:
    """A whole training's transitions, in the order it met them."""
    config = TrainingConfig(actions=spec.actions, seed=spec.seed, camera=spec.camera, ahead=False)
    Trainer(config, out / TRAINING, record=True).run(lambda progress: report(progress.actions))


def _act(spec: DatasetSpec, out: Path, report: Report) -> None:
    """Play episodes until there are enough transitions; nothing where there are."""
    found = _found(spec, out)
    if found.transitions >= spec.actions and not found.damaged:
        return
    require(
        found.readable <= max(spec.actions, found.transitions),
        f"{out} is damaged, and of its {found.readable} readable transitions all behind the damage "
        f"would be lost; ask for {found.readable} at least, to have them made again, or save them "
        "with `vpg dataset repair`",
        ErrorCode.STORE_UNREADABLE,
    )
    config = TrainingConfig(
        warm_up=0, exploration=0.0, seed=spec.seed, camera=spec.camera, scenes=SCENES
    )
    acting, episode = _Acting(spec, config), found.episode
    kept = found.transitions if found.transitions >= spec.actions else found.whole
    with closing(SegmentWriter(out, kept, _identity(spec))) as writer, closing(acting):
        while writer.count < spec.actions:
            for transition in islice(acting.episode(episode), spec.actions - writer.count):
                writer.write(transition)
                report(writer.count)
            episode += 1


class _Acting:
    """Plays the episodes of a data set, each one a function of the seed and its number."""

    def __init__(self, spec: DatasetSpec, config: TrainingConfig) -> None:
        self._spec = spec
        self._rollout = Rollout(config, lambda: self._policy)
        self._policy: Policy

    def episode(self, number: int) -> Iterator[Transition]:
        """The transitions of one episode that belong to the data set."""
        draws = np.random.default_rng((self._spec.seed, number, 1))
        self._policy = BEHAVIOURS[self._spec.kind](int(draws.integers(2**31)))
        transitions = self._rollout.episode(number, 0)
        return without_help(transitions) if self._spec.kind == WITHOUT_HELP else transitions

    def close(self) -> None:
        """Free the simulation."""
        self._rollout.close()


def without_help(episode: Iterable[Transition]) -> Iterator[Transition]:
    """An episode less the actions that helped: those whose next one picked, not picking themselves.

    So that no push in it is followed at once by the pick that it led to; what precedes another push
    stays, as the first one of two before a pick.
    """
    for now, then in pairwise(chain(episode, [None])):
        assert now is not None
        if _picks(now) or then is None or not (_picks(then) and then.outcome.success):
            yield now


def _picks(transition: Transition) -> bool:
    return primitives.get(transition.action.primitive).picks


class _Found(NamedTuple):
    """What is there of a data set.

    transitions: all before the first damage. whole: of episodes that surely are. episode: number of
    the one after these. damaged: whether bytes are unreadable. readable: transitions on both sides
    of damages.
    """

    transitions: int = 0
    whole: int = 0
    episode: int = 0
    damaged: bool = False
    readable: int = 0


def _found(spec: DatasetSpec, out: Path) -> _Found:
    """What is in ``out``, whose last episode may have been stopped in the middle."""
    if not any(out.glob("*.mcap")):
        return _Found()
    _require_same(spec, info(out).metadata, out)
    names, damaged = [], False
    try:
        for each in read_transitions(out, whole=True):
            names.append(each.episode)
    except VpgError as error:
        if error.code is not ErrorCode.STORE_UNREADABLE:
            raise
        damaged = True
    readable = count_readable(out) if damaged else len(names)
    if not names:
        return _Found(damaged=damaged, readable=readable)
    number = number_of(names[-1], spec.seed)
    return _Found(len(names), names.index(names[-1]), number, damaged, readable)


def _identity(spec: DatasetSpec) -> dict[str, Any]:
    """What all transitions of a data set have in common, however many there are."""
    settings = {name: value for name, value in asdict(spec).items() if name != "actions"}
    shares = shares_of(spec.kind)
    return settings | {"weights": weights_of(spec.kind)} | ({"shares": shares} if shares else {})


def _require_same(spec: DatasetSpec, found: dict[str, Any], out: Path) -> None:
    """Raise STORE_MISMATCH where ``out`` holds another data set.

    Those of earlier versions name no shares: they are taken to be of the present ones.
    """
    for name, wanted in _identity(spec).items():
        _require_found(name, found.get(name, wanted if name == "shares" else None), wanted, out)


def _require_found(name: str, found: Any, wanted: Any, out: Path) -> None:
    require(
        found == wanted,
        f"{out} holds a data set of {name} {found!r}, not {wanted!r}; "
        "continue that one or choose another folder",
        ErrorCode.STORE_MISMATCH,
    )


def episodes(transitions: Iterator[Transition]) -> Iterator[list[Transition]]:
    """Transitions episode by episode."""
    for _, steps in groupby(transitions, lambda each: each.episode):
        yield list(steps)
