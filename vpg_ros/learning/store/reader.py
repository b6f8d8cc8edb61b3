"""Read stores, whole or cut off: every transition before the damage, and how much is lost."""

import json
import logging
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from mcap.exceptions import McapError, UnsupportedCompressionError
from mcap.records import Channel, Chunk, McapRecord, Message, Metadata, Schema
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.writer import MCAP0_MAGIC
from mcap_ros2.decoder import DecoderFactory
from zstandard import ZstdError

from vpg_ros.action import Transition
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Workspace
from vpg_ros.learning.store import schema
from vpg_ros.learning.store.codec import decode
from vpg_ros.learning.store.writer import METADATA

# What the MCAP library raises where a file is cut off or damaged.
_DAMAGE = (McapError, ZstdError, ValueError, struct.error, MemoryError, OverflowError)
SET_ASIDE = "transitions-before-"  # and a number: a folder of transitions that were set aside
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoreInfo:
    """What is in a store: one file, or all files of a folder.

    files: paths. transitions, episodes: how many. actions, successes: primitive → how many.
    size, unreadable: bytes. complete: every file was closed and is undamaged. workspace: of the
    transitions, None without any. metadata: of the first file.
    """

    files: tuple[Path, ...]
    transitions: int
    episodes: int
    actions: dict[str, int]
    successes: dict[str, int]
    size: int
    unreadable: int
    complete: bool
    workspace: Workspace | None
    metadata: dict[str, Any]


def read_transitions(
    path: str | Path, workspace: Workspace | None = None, whole: bool = False
) -> Iterator[Transition]:
    """All transitions of a file, or of every ``.mcap`` below a folder, in order of name.

    A file that was cut off, is damaged, or is still being written, ends with the last transition
    before that; a warning that is logged says so, and how many bytes follow. Raises
    STORE_UNREADABLE when there is no store, STORE_MISMATCH when its transitions lack a field or are
    not of ``workspace``, that of the first one if None. whole: raise STORE_UNREADABLE instead of
    that warning where bytes are lost.
    """
    for file in store_files(path):
        scan = Scan(file)
        for transition in scan.transitions(workspace):
            workspace = transition.before.workspace
            yield transition
        if whole and scan.unreadable:
            raise VpgError(ErrorCode.STORE_UNREADABLE, scan.lost)


def info(
    path: str | Path, hear: Callable[[Transition], None] = lambda transition: None
) -> StoreInfo:
    """What is in a store; ``hear`` hears of every transition. Raises as ``read_transitions``."""
    scans = [Scan(file) for file in store_files(path)]
    actions: Counter[str] = Counter()
    successes: Counter[str] = Counter()
    episodes = set()
    workspace = None
    for scan in scans:
        for transition in scan.transitions(workspace):
            workspace = transition.before.workspace
            actions[transition.action.primitive] += 1
            successes[transition.action.primitive] += transition.outcome.success
            episodes.add((scan.path, transition.episode))
            hear(transition)
    return StoreInfo(
        files=tuple(scan.path for scan in scans),
        transitions=actions.total(),
        episodes=len(episodes),
        actions=dict(actions),
        successes=dict(successes),
        size=sum(scan.size for scan in scans),
        unreadable=sum(scan.unreadable for scan in scans),
        complete=all(scan.complete for scan in scans),
        workspace=workspace,
        metadata=scans[0].metadata,
    )


def keep_first(path: Path, count: int) -> tuple[int, int]:
    """How many of a file's first ``count`` transitions it holds, and the bytes that they take.

    Those of the whole file when it holds no more; nothing is changed. Raises as
    ``read_transitions``.
    """
    scan, kept, end = Scan(path), 0, 0
    for _ in scan.stored():
        if kept == count:
            return kept, end
        kept, end = kept + 1, scan.readable
    return kept, scan.readable


def store_files(path: str | Path) -> tuple[Path, ...]:
    """The files of a store in order of name; raises STORE_UNREADABLE where there is none.

    Those in folders below ``path`` that were set aside are no part of it.
    """
    path = Path(path)
    if path.is_file():
        return (path,)
    found = tuple(sorted(each for each in path.rglob("*.mcap") if not _set_aside(each, path)))
    if not found:
        reason = "holds no .mcap file" if path.is_dir() else "does not exist"
        raise VpgError(ErrorCode.STORE_UNREADABLE, f"store is {str(path)!r}, which {reason}")
    return found


def _set_aside(file: Path, store: Path) -> bool:
    """Whether a file lies in a folder of the store that was set aside."""
    names = (parent.name for parent in file.relative_to(store).parents)
    return any(re.fullmatch(rf"{SET_ASIDE}\d+", name) for name in names)


@dataclass
class Scan:
    """One pass through one file.

    readable: bytes up to the end of the last whole record. count: transitions read. metadata: what
    the writer was told.
    """

    path: Path
    readable: int = 0
    count: int = 0
    complete: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

    @property
    def unreadable(self) -> int:
        """Bytes after the last whole record."""
        return self.size - self.readable

    @property
    def lost(self) -> str:
        """What was lost, in a sentence."""
        what = f"its last {self.unreadable} bytes are not read"
        return f"{self.path} was cut off or is damaged: {what}"

    def transitions(self, workspace: Workspace | None) -> Iterator[Transition]:
        """The file's transitions, all of ``workspace`` if one is given, else of the first one's."""
        for transition in self.stored():
            workspace = workspace or transition.before.workspace
            for heightmap in (transition.before, transition.after):
                if heightmap.workspace != workspace:
                    found = f"{self.path} holds a transition of {heightmap.workspace}"
                    raise VpgError(ErrorCode.STORE_MISMATCH, f"{found}; it must be of {workspace}")
            yield transition
        if self.unreadable:
            _log.warning(self.lost)
        elif not self.complete:
            _log.warning("%s was not closed; all that was written to it is read", self.path)

    def stored(self, drop: Callable[[str], None] | None = None) -> Iterator[Transition]:
        """Every transition; other topics of a recording are passed over.

        drop: hears of one that lacks a field, instead of STORE_MISMATCH being raised.
        """
        decoders, others = DecoderFactory(), set[str]()
        wanted: dict[int, Callable[[bytes], Any]] = {}
        schemas: dict[int, Schema] = {}
        for record in self.records():
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                kind = schemas.get(record.schema_id)
                decoder = decoders.decoder_for(record.message_encoding, kind)
                if kind is not None and kind.name == schema.NAME and decoder is not None:
                    wanted[record.id] = decoder
                else:
                    others.add(kind.name if kind is not None else record.topic)
            elif isinstance(record, Message) and record.channel_id in wanted:
                transition = self._decoded(wanted[record.channel_id], record.data, drop)
                if transition is not None:
                    yield transition
                self.count += 1
            elif isinstance(record, Metadata) and record.name == METADATA:
                with suppress(ValueError):  # damaged: unlike chunks it has no checksum
                    self.metadata = {k: json.loads(v) for k, v in record.metadata.items()}
        if others and not wanted:
            sentence = f"{self.path} holds {', '.join(sorted(others))} and no {schema.NAME}"
            raise VpgError(ErrorCode.STORE_MISMATCH, sentence)

    def _decoded(
        self,
        decoder: Callable[[bytes], Any],
        data: bytes,
        drop: Callable[[str], None] | None,
    ) -> Transition | None:
        """One transition; what is raised, or ``drop`` hears, says which one it is."""
        try:
            return decode(decoder, data)
        except VpgError as error:
            sentence = f"{self.path}, transition {self.count}: {error.message}"
            if drop is None:
                raise VpgError(error.code, sentence) from None
            drop(sentence)
            return None

    def records(self) -> Iterator[McapRecord]:
        """Every whole record, up to the file's end or its first damage."""
        with self.path.open("rb") as stream:
            self.check_magic(stream)
            yield from self.records_from(stream)

    def records_from(self, stream: IO[bytes]) -> Iterator[McapRecord]:
        """Every whole record from where the stream is, up to the file's end or the next damage."""
        start = stream.tell() == 0
        limit = self.size
        reader = StreamReader(stream, not start, emit_chunks=True, record_size_limit=limit)
        try:
            for record in reader.records:
                contents = [record]
                if isinstance(record, Chunk):
                    contents = breakup_chunk(record, validate_crc=True)
                self.readable = stream.tell()
                yield from contents
        except UnsupportedCompressionError as error:
            sentence = f"{self.path} cannot be read here: {error}"
            raise VpgError(ErrorCode.STORE_UNREADABLE, sentence) from None
        except _DAMAGE:
            return
        self.readable, self.complete = self.size, True

    def check_magic(self, stream: IO[bytes]) -> None:
        """Raise STORE_UNREADABLE unless the file begins as MCAP does, as far as it goes."""
        if not MCAP0_MAGIC.startswith(stream.read(len(MCAP0_MAGIC))):
            raise VpgError(ErrorCode.STORE_UNREADABLE, f"{self.path} is no MCAP file")
        stream.seek(0)
