"""One file of a bag while it is written: `rosbags`' writer, made to hand over what it holds back.

Messages reach the operating system with `flush`, from where they survive the end of this process.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Writer

from sinew_core.bags.message_types import Definition
from sinew_core.bags.metadata import FileSummary, Topic

SUFFIXES = {"mcap": ".mcap", "sqlite3": ".db3"}
"""Suffix of the files of each storage."""
_PLUGINS = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}


class Split:
    """One open file, in a folder of its own that has the file's name."""

    def __init__(self, folder: Path, storage: str) -> None:
        """Create folder and file."""
        self.file = folder / f"{folder.name}{SUFFIXES[storage]}"
        self._writer = Writer(folder, version=9, storage_plugin=_PLUGINS[storage])
        self._writer.open()
        database = self._writer.storage
        if isinstance(database, Sqlite3Writer):
            # A commit outlives this process without; the whole file is synced once it is complete.
            database.conn.execute("PRAGMA synchronous=OFF")
        self._connections: dict[str, Connection] = {}
        self._n_bytes = 0

    @property
    def n_bytes(self) -> int:
        """Bytes of all messages so far."""
        return self._n_bytes

    @property
    def start_ns(self) -> int:
        """Lowest log time so far."""
        return self._writer.min_timestamp

    def add(self, topic: Topic, definition: Definition) -> None:
        """Declare a topic."""
        self._connections[topic.name] = self._writer.add_connection(
            topic.name,
            topic.msgtype,
            msgdef=definition.text,
            # The writer asks for a hash, and MCAP files hold none.
            rihs01=definition.type_hash or "RIHS01_",
            offered_qos_profiles=topic.qos,
        )

    def write(self, topic: str, data: bytes, time_ns: int) -> None:
        """Write one message of a topic declared before."""
        self._writer.write(self._connections[topic], time_ns, data)
        self._n_bytes += len(data)

    def flush(self) -> None:
        """Hand all messages so far to the operating system, in a form that can be recovered."""
        storage = self._writer.storage
        if isinstance(storage, McapWriter):
            if storage.chunk.msgs:
                storage.close_chunk()
                storage.bio.flush()
        elif isinstance(storage, Sqlite3Writer):
            storage.conn.commit()

    def finish(self) -> FileSummary:
        """Write indexes and summary; the file is complete then, in its temporary place."""
        writer, storage = self._writer, self._writer.storage
        if isinstance(storage, McapWriter) and not storage.chunk.msgs:
            # A chunk of declarations alone would have no times; the summary has them, too.
            storage.chunk.bio.seek(0)
            storage.chunk.bio.truncate()
            if not sum(writer.counts.values()):
                storage.message_start_time = 0
        writer.close()
        counts = {name: writer.counts[c.id] for name, c in self._connections.items()}
        # Connections and writer refer to each other, and would stay until garbage is collected.
        writer.connections.clear()
        self._connections.clear()
        return FileSummary(
            path=self.file.name,
            start_ns=writer.min_timestamp,
            end_ns=writer.max_timestamp,
            counts=counts,
        )

    def abort(self) -> None:
        """Leave the file as it is; what was flushed can be recovered."""
        with contextlib.suppress(Exception):
            self._writer.abort()
