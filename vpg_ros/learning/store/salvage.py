"""What is whole in a damaged file, on both sides of each damage."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mcap.records import Channel, McapRecord, Schema

from vpg_ros.learning.store import schema
from vpg_ros.learning.store.reader import Scan, store_files

# How chunks of ``TransitionWriter`` begin: opcode, length, times, size, checksum, compression.
_CHUNK, _COMPRESSION, _BEFORE_IT = 0x06, b"\x04\0\0\0zstd", 37


@dataclass
class Salvage(Scan):
    """A pass that goes on after a damage, with the next chunk that is whole.

    damages: a sentence for each.
    """

    damages: list[str] = field(default_factory=list)

    def records(self) -> Iterator[McapRecord]:
        """Every whole record, as far as chunks can be found again after a damage."""
        with self.path.open("rb") as stream:
            self.check_magic(stream)
            declared = False
            for record in self.records_from(stream):
                declared |= isinstance(record, Channel)
                yield record
            while self.unreadable:
                at, start = self.readable, self._next_chunk(stream)
                if start is None:
                    self.damages.append(self.lost)
                    return
                found = f"{start - at} bytes from byte {at} on are unreadable"
                self.damages.append(f"{self.path} is damaged: {found}")
                if self.metadata and not declared:
                    yield from _DECLARATION
                self.readable = start
                stream.seek(start)
                yield from self.records_from(stream)

    def _next_chunk(self, stream: IO[bytes]) -> int | None:
        """Where the first chunk after the damage seems to begin; None where there is none."""
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = self.readable
            while True:
                start = data.find(_COMPRESSION, start + 1 + _BEFORE_IT) - _BEFORE_IT
                if start < 0 or data[start] == _CHUNK:
                    return start if start >= 0 else None


def count_readable(store: Path) -> int:
    """How many transitions of a store are whole, on both sides of its damages."""
    return sum(1 for path in store_files(store) for _ in Salvage(path).stored())


# A file of this package declares them once, in its first chunk: with that damaged, as it does now.
_DECLARATION = (
    Schema(data=schema.DEFINITION.encode(), encoding="ros2msg", id=1, name=schema.NAME),
    Channel(id=1, topic=schema.TOPIC, message_encoding="cdr", metadata={}, schema_id=1),
)
