"""Read an sqlite3 file of a bag (`.db3`), of any version of the schema."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from sinew_core.bags.storage import LATEST_NS, Block, Channel, DamagedError, places

_ROWS = 512
_STEPS = 100_000
_STEPS_PER_BYTE = 4
"""A row takes some 20 steps of the database and 30 bytes; with sorting three times as many."""
_LEAST_ROW_BYTES = 4


def page_bytes(header: bytes) -> int:
    """Return the size of a database's pages, by the bytes that it begins with."""
    size = int.from_bytes(header[16:18], "big")
    return 1 << 16 if size == 1 else size


class SqliteFile:
    """An open file.

    A damaged tree of pages can lead through the same rows again and again; what is read is
    therefore counted against the size of the file.
    """

    def __init__(self, path: Path) -> None:
        """Open the file and read its topics.

        Raises:
            DamagedError: if it is no database of a bag.
            sqlite3.Error: if it cannot be read.
        """
        self._name = path.name
        self._size = path.stat().st_size
        log = path.with_name(path.name + "-wal")
        # A recording that was killed may have its last messages in the write-ahead log.
        logged = log.exists() and log.stat().st_size
        options = "mode=ro" if logged else "mode=ro&immutable=1"
        if logged:
            self._size += log.stat().st_size
        else:
            self._check_size(path)
        self._steps_left = 0
        self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?{options}", uri=True)
        self._connection.set_progress_handler(self._tire, _STEPS)
        try:
            self.channels = self._read_channels()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def counts(self) -> dict[int, int]:
        """Return the number of messages by channel."""
        query = "SELECT topic_id, COUNT(*) FROM messages GROUP BY topic_id"
        return {c: n for c, n in self._execute(query) if isinstance(c, int)}

    def blocks(self, channels: Collection[int], *, ordered: bool) -> Iterator[Block]:
        """Return the messages of these channels.

        Raises:
            DamagedError: for rows that are no messages, or more than fit the file.
        """
        wanted = ",".join(str(int(channel)) for channel in channels)
        query = f"SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({wanted})"
        cursor = self._execute(query + " ORDER BY timestamp" * ordered)
        left = self._size
        while rows := cursor.fetchmany(_ROWS):
            block = self._block(rows, ordered=ordered)
            left -= int(block.length.sum()) + _LEAST_ROW_BYTES * len(rows)
            if left < 0:
                raise DamagedError(f"{self._name} has more messages than fit it")
            yield block

    def _check_size(self, path: Path) -> None:
        """Refuse a database that was cut between two pages, where nothing else may show it.

        The header: https://www.sqlite.org/fileformat.html, section 1.3.
        """
        with path.open("rb") as file:
            header = file.read(100)
        if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
            raise DamagedError(f"{self._name} does not begin as a database")
        pages, is_valid = int.from_bytes(header[28:32], "big"), header[24:28] == header[92:96]
        claimed = pages * page_bytes(header)
        if is_valid and claimed > self._size:
            raise DamagedError(f"{self._name} has {self._size} bytes of {claimed}")

    def _block(self, rows: list[tuple[int, int, bytes]], *, ordered: bool) -> Block:
        channel, time_ns, data = zip(*rows, strict=True)
        kinds = set(map(type, channel)), set(map(type, time_ns)), set(map(type, data))
        if kinds != ({int}, {int}, {bytes}):
            raise DamagedError(f"{self._name} has rows that are no messages")
        for each in (min(time_ns), max(time_ns)):
            if not 0 <= each <= LATEST_NS:
                raise DamagedError(f"a message of {self._name} has time {each} ns")
        offset, length = places(data)
        horizon_ns = time_ns[-1] if ordered else 0
        return Block(
            b"".join(data),
            np.array(channel, np.int64),
            np.array(time_ns, np.int64),
            offset,
            length,
            horizon_ns,
        )

    def _read_channels(self) -> list[Channel]:
        query = "SELECT id, name, type, serialization_format FROM topics"
        channels = []
        for number, topic, msgtype, encoding in self._execute(query):
            if not (isinstance(topic, str) and isinstance(msgtype, str)):
                raise DamagedError(f"a topic of {self._name} has no name or type")
            channels.append(Channel(number, topic, msgtype if encoding == "cdr" else str(encoding)))
        return channels

    def _execute(self, query: str) -> sqlite3.Cursor:
        self._steps_left = 100 + _STEPS_PER_BYTE * self._size // _STEPS
        return self._connection.execute(query)

    def _tire(self) -> bool:
        """Stop a query that takes more steps than the file can need."""
        self._steps_left -= 1
        return self._steps_left < 0
