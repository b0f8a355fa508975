"""Read an MCAP file: indexed or not, in chunks or not, chunks plain, zstd or lz4.

The format: https://mcap.dev/spec. One pass over the outermost records checks that every length
fits the file; chunks are decompressed when their messages are wanted.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sinew_core.bags.storage import LATEST_NS, Block, Channel, DamagedError, Integers, unpack

_MAGIC = b"\x89MCAP0\r\n"
_HEADER, _FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK = 1, 2, 3, 4, 5, 6
_INDEX, _STATISTICS = 7, 0x0B
_RECORD = struct.Struct("<BQ")
_MESSAGE_HEAD = struct.Struct("<BQHIQ")
"""Operation and length of a record, then channel, sequence and log time of a message."""
_HEADS = np.dtype(
    [("kind", "u1"), ("size", "<u8"), ("channel", "<u2"), ("sequence", "<u4"), ("time", "<u8")]
)
"""The same as an array."""
_INDEX_ENTRY = np.dtype([("time", "<u8"), ("offset", "<u8")])
_MESSAGE_BYTES = 22
_FOOTER_RECORD = struct.Struct("<BQQQI")
_CHUNK_HEAD = struct.Struct("<QQQI")
_STATISTICS_HEAD = struct.Struct("<QHIIIIQQ")
_COUNT = struct.Struct("<HQ")
_RUN_BYTES = 1 << 22
"""Messages outside chunks are read in pieces of this size."""


class _Part(NamedTuple):
    """A chunk, or a run of messages outside chunks.

    `indices` are place and size of the indices of a chunk's messages, one per channel.
    """

    start_ns: int
    offset: int
    size: int
    is_chunk: bool
    indices: list[tuple[int, int]]


class McapFile:
    """An open file."""

    def __init__(self, path: Path) -> None:
        """Open the file and find its parts.

        Raises:
            DamagedError: if a record does not fit the file, or its end is missing.
            OSError: if it cannot be read.
        """
        self._name = path.name
        self._file = path.open("rb")
        self._size = os.fstat(self._file.fileno()).st_size
        self._schemas: dict[int, str] = {}
        self._channels: dict[int, Channel] = {}
        self._parts: list[_Part] = []
        self._statistics: tuple[int, dict[int, int]] | None = None
        try:
            self._check_ends()
            self._scan()
            self._complete()
        except BaseException:
            self._file.close()
            raise
        self.channels = list(self._channels.values())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def counts(self) -> dict[int, int]:
        """Return the number of messages by channel."""
        assert self._statistics is not None
        return dict(self._statistics[1])

    def blocks(self, channels: Collection[int], *, ordered: bool) -> Iterator[Block]:
        """Return the messages of these channels, one part of the file at a time.

        Raises:
            DamagedError: where a part is not what it says, or messages are missing at the end.
        """
        wanted = frozenset(channels)
        parts = sorted(self._parts) if ordered else self._parts
        found = 0
        for part, after in zip(parts, [*parts[1:], None], strict=True):
            block = self._block(part, wanted, after.start_ns if after else LATEST_NS)
            found += block.channel.size
            yield block
        expected = sum(n for channel, n in self.counts().items() if channel in wanted)
        if found != expected:
            raise DamagedError(f"{self._name} has {found} messages where it claims {expected}")

    def _check_ends(self) -> None:
        least = 2 * len(_MAGIC) + _FOOTER_RECORD.size
        if self._read(0, min(len(_MAGIC), self._size)) != _MAGIC:
            raise DamagedError(f"{self._name} does not begin as MCAP")
        if self._size < least or self._read(self._size - 8, 8) != _MAGIC:
            raise DamagedError(f"{self._name} does not end as MCAP")
        start = self._size - 8 - _FOOTER_RECORD.size
        footer = self._read(start, _FOOTER_RECORD.size)
        kind, size, summary, _, crc = _FOOTER_RECORD.unpack(footer)
        if (kind, size) != (_FOOTER, 20) or summary > start:
            raise DamagedError(f"{self._name} does not end with a footer of MCAP")
        if summary and crc:
            text = self._read(summary, start - summary)
            if zlib.crc32(footer[:-4], zlib.crc32(text)) != crc:
                raise DamagedError(f"the summary of {self._name} has another checksum")
        self._end = start

    def _scan(self) -> None:
        """Find parts, channels and counts among the outermost records."""
        at = len(_MAGIC)
        run: list[int] = []
        while at < self._end:
            head = self._read(at, min(_MESSAGE_HEAD.size, self._end - at))
            kind, size = self._record(head, 0)
            after = at + _RECORD.size + size
            if after > self._end or (kind == _MESSAGE and size < _MESSAGE_BYTES):
                raise DamagedError(f"a record at {at} of {self._name} claims {size} bytes")
            if kind == _MESSAGE:
                run = self._extend(run, at, after, _MESSAGE_HEAD.unpack(head)[4])
            elif kind == _CHUNK:
                start_ns = _CHUNK_HEAD.unpack(self._inside(at, size, _CHUNK_HEAD.size))[0]
                self._parts.append(_Part(start_ns, at + _RECORD.size, size, True, []))
            elif kind == _INDEX and self._parts:
                self._parts[-1].indices.append((at + _RECORD.size, size))
            elif kind == _STATISTICS:
                self._read_statistics(self._inside(at, size, size))
            elif kind in (_SCHEMA, _CHANNEL):
                self._define(kind, self._inside(at, size, size))
            at = after
        self._extend(run, at, at, 0)

    def _extend(self, run: list[int], at: int, after: int, time_ns: int) -> list[int]:
        """Add a message at `at` to the run [start, end, earliest]; close runs that are complete."""
        if run and (run[1] != at or run[1] - run[0] > _RUN_BYTES or after == at):
            self._parts.append(_Part(run[2], run[0], run[1] - run[0], False, []))
            run = []
        return [run[0], after, min(run[2], time_ns)] if run else [at, after, time_ns]

    def _complete(self) -> None:
        """Count and find channels by reading everything, where the file has no full summary."""
        if self._statistics and self._statistics[0] == len(self._channels):
            return
        counts: dict[int, int] = {}
        for part in self._parts:
            block = self._block(part, None, 0)
            for channel, n in zip(*np.unique(block.channel, return_counts=True), strict=True):
                counts[int(channel)] = counts.get(int(channel), 0) + int(n)
        self._statistics = len(self._channels), counts

    def _block(self, part: _Part, wanted: frozenset[int] | None, horizon_ns: int) -> Block:
        data = self._read(part.offset, part.size)
        if part.is_chunk:
            data = self._unpacked(data)
        found = None if wanted is None else self._indexed(part, data, wanted)
        if found is None:
            found = np.array(self._messages(data, wanted), np.int64).reshape(-1, 4).T
        channel, time_ns, offset, length = found
        return Block(data, channel, time_ns, offset, length, horizon_ns)

    def _unpacked(self, chunk: bytes) -> bytes:
        size, crc = _CHUNK_HEAD.unpack_from(chunk)[2:]
        compression, at = _string(chunk, _CHUNK_HEAD.size)
        (packed,) = struct.unpack_from("<Q", chunk, at)
        if packed != len(chunk) - at - 8:
            raise DamagedError(f"a chunk of {self._name} claims {packed} bytes")
        data = unpack(chunk[at + 8 :], compression, size, f"a chunk of {self._name}")
        if crc and zlib.crc32(data) != crc:
            raise DamagedError(f"a chunk of {self._name} has another checksum")
        return data

    def _indexed(self, part: _Part, data: bytes, wanted: frozenset[int]) -> Integers | None:
        """Return the columns of `_messages` by the indices; None where they do not fit the data.

        The data are then searched from one record to the next. That an index leaves something out
        shows in the number of messages at the end.
        """
        places = []
        for at, size in part.indices:
            index = self._read(at, size)
            if size < 6 or size % _INDEX_ENTRY.itemsize != 6 % _INDEX_ENTRY.itemsize:
                return None
            channel = int.from_bytes(index[:2], "little")
            if channel in wanted:
                places.append((channel, np.frombuffer(index, _INDEX_ENTRY, offset=6)))
        if not places:
            return None
        channel_of = np.concatenate([np.full(e.size, c, np.int64) for c, e in places])
        entries = np.concatenate([e for _, e in places])
        room = len(data) - _HEADS.itemsize
        if room < 0 or (entries["offset"] > room).any() or (entries["time"] > LATEST_NS).any():
            return None
        offset = entries["offset"].astype(np.int64)
        bytes_of = np.frombuffer(data, np.uint8)
        heads = sliding_window_view(bytes_of, _HEADS.itemsize)[offset].view(_HEADS)[:, 0]
        size_of = heads["size"]
        fits = (heads["kind"] == _MESSAGE) & (heads["channel"] == channel_of)
        fits &= (heads["time"] == entries["time"]) & (size_of >= _MESSAGE_BYTES)
        fits &= size_of <= (len(data) - _RECORD.size - offset).astype(np.uint64)
        if not fits.all():
            return None
        start = offset + _RECORD.size + _MESSAGE_BYTES
        length = size_of.astype(np.int64) - _MESSAGE_BYTES
        order = np.argsort(offset, kind="stable")
        columns = (channel_of, entries["time"].astype(np.int64), start, length)
        return np.array([column[order] for column in columns])

    def _messages(self, data: bytes, wanted: frozenset[int] | None) -> list[int]:
        """Return channel, log time, offset and length of each message, in one row."""
        found: list[int] = []
        at, end = 0, len(data)
        while at < end:
            kind, size = self._record(data, at)
            after = at + _RECORD.size + size
            if after > end:
                raise DamagedError(f"a record of {size} bytes leaves its chunk in {self._name}")
            if kind == _MESSAGE and size >= _MESSAGE_BYTES:
                _, _, channel, _, time_ns = _MESSAGE_HEAD.unpack_from(data, at)
                if wanted is None or channel in wanted:
                    if time_ns > LATEST_NS:
                        raise DamagedError(f"a message of {self._name} has time {time_ns} ns")
                    start = at + _RECORD.size + _MESSAGE_BYTES
                    found += (channel, time_ns, start, after - start)
            elif kind in (_SCHEMA, _CHANNEL):
                self._define(kind, data[at + _RECORD.size : after])
            elif kind in (_MESSAGE, _CHUNK):
                raise DamagedError(f"{self._name} has a chunk in a chunk or a message cut short")
            at = after
        return found

    def _record(self, data: bytes, at: int) -> tuple[int, int]:
        if at + _RECORD.size > len(data):
            raise DamagedError(f"{self._name} ends within a record")
        kind, size = _RECORD.unpack_from(data, at)
        return kind, size

    def _define(self, kind: int, record: bytes) -> None:
        (number,) = struct.unpack_from("<H", record)
        if kind == _SCHEMA:
            self._schemas.setdefault(number, _string(record, 2)[0])
            return
        (schema,) = struct.unpack_from("<H", record, 2)
        topic, at = _string(record, 4)
        encoding, _ = _string(record, at)
        msgtype = self._schemas.get(schema, "") if encoding == "cdr" else encoding
        self._channels.setdefault(number, Channel(number, topic, msgtype))

    def _read_statistics(self, record: bytes) -> None:
        head = _STATISTICS_HEAD.unpack_from(record)
        counts = dict(_COUNT.iter_unpack(record[_STATISTICS_HEAD.size + 4 :]))
        self._statistics = head[2], counts

    def _inside(self, at: int, size: int, wanted: int) -> bytes:
        """Return the first bytes of a record's content."""
        if wanted > size:
            raise DamagedError(f"a record at {at} of {self._name} is too short")
        return self._read(at + _RECORD.size, wanted)

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        data = self._file.read(size)
        if len(data) != size:
            raise DamagedError(f"{self._name} ends at {at + len(data)} within {size} bytes")
        return data


def _string(data: bytes, at: int) -> tuple[str, int]:
    (size,) = struct.unpack_from("<I", data, at)
    end = at + 4 + size
    if end > len(data):
        raise DamagedError(f"a text claims {size} bytes")
    return data[at + 4 : end].decode(), end
