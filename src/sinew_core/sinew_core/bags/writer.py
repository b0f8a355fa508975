"""Write rosbag2 bags so that a crash at any moment costs at most the messages not yet flushed.

A bag is a row of short files. Each is complete, synced and named in `metadata.yaml` as soon as it
is closed; that text is replaced as a whole. So a recording that was killed can be read as it is,
and `recover_bag` adds what was flushed of the last file.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from rosbags.interfaces import Qos
from rosbags.rosbag2 import WriterError

from sinew_core.bags.folder import BagFolder, recover_command
from sinew_core.bags.message_types import Definition, MessageTypes
from sinew_core.bags.metadata import FileSummary, Topic, render_metadata
from sinew_core.bags.split import SUFFIXES, Split
from sinew_core.errors import BagError, ConfigError, suggest

NS_PER_S = 1_000_000_000
MAX_SPLIT_BYTES = 512 * 2**20
"""Messages in one file at most, whatever its duration."""


class BagWriter:
    """Write one bag, message by message, from one thread.

    Attributes:
        path: folder of the bag.
        storage: `mcap` or `sqlite3`.
        counts: messages written of each topic.
        n_bytes: bytes of all messages written.
    """

    def __init__(
        self,
        path: Path,
        *,
        storage: str = "mcap",
        split_s: float = 5.0,
        flush_s: float = 0.5,
        types: MessageTypes | None = None,
        custom_data: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the folder, which must not exist.

        Args:
            path: folder of the bag.
            storage: `mcap` or `sqlite3`.
            split_s: span of one file, in log time and by the clock, whichever ends first.
            flush_s: age, by the clock, at which messages are handed to the operating system.
            types: message types; Jazzy's if None.
            custom_data: texts for `metadata.yaml`.
            clock: a steady clock, in s.

        Raises:
            BagError: if the folder exists or cannot be made.
            ConfigError: if there is no such storage, or a span is not positive.
        """
        if storage not in SUFFIXES:
            raise ConfigError(f"storage is '{storage}': {suggest(storage, SUFFIXES)}")
        if not (split_s > 0.0 and flush_s > 0.0):
            raise ConfigError(f"split_s {split_s} and flush_s {flush_s} must be greater than 0")
        self.path = path
        self.storage = storage
        self.counts: Counter[str] = Counter()
        self.n_bytes = 0
        self.custom_data = dict(custom_data or {})
        self._split_s, self._split_ns, self._flush_s = split_s, int(split_s * NS_PER_S), flush_s
        self._types = types or MessageTypes()
        self._clock = clock
        self._topics: dict[str, tuple[Topic, Definition]] = {}
        self._files: list[FileSummary] = []
        self._n_splits = 0
        self._split: Split | None = None
        self._begun_s = self._flushed_s = 0.0
        self._closed = False
        self._name = path.resolve().name
        self._folder = BagFolder.create(path)

    @property
    def n_files(self) -> int:
        """Finished files."""
        return len(self._files)

    def add_topic(self, topic: str, msgtype: str, qos: Sequence[Qos] = ()) -> None:
        """Declare a topic, which is listed in the bag even if it has no messages.

        Raises:
            BagError: if its type is unknown, or not the one declared before.
        """
        if topic in self._topics:
            known = self._topics[topic][0].msgtype
            if known != msgtype:
                raise BagError(f"topic {topic} is {known}, not {msgtype}: record it under one type")
            return
        definition = self._types.define(msgtype)
        made = Topic(name=topic, msgtype=msgtype, type_hash=definition.type_hash, qos=tuple(qos))
        self._topics[topic] = made, definition
        if self._split is not None:
            with self._guarded():
                self._split.add(made, definition)

    def write(self, topic: str, msgtype: str, data: bytes, time_ns: int) -> None:
        """Write one serialised message, byte for byte, with its log time.

        Raises:
            BagError: if it cannot be written; what is done stays, and the bag takes no more.
        """
        self._require_open()
        if not 0 <= time_ns < 2**63:
            raise BagError(f"{topic}: log time {time_ns} ns is none: give 0 or more, below 2^63")
        known = self._topics.get(topic)
        if known is None or known[0].msgtype != msgtype:
            self.add_topic(topic, msgtype)
        with self._guarded():
            now_s = self._clock()
            if self._split is not None and self._is_full(self._split, time_ns):
                self._finish_split()
            split = self._split or self._begin_split(now_s)
            split.write(topic, data, time_ns)
            self.counts[topic] += 1
            self.n_bytes += len(data)
            self._keep_time(now_s)

    def tick(self) -> None:
        """Flush and split by the clock, where no message comes to do so.

        Raises:
            BagError: as `write`.
        """
        self._require_open()
        with self._guarded():
            self._keep_time(self._clock())

    def close(self) -> None:
        """Finish the last file; the bag is complete.

        Raises:
            BagError: if it cannot be finished.
        """
        if self._closed:
            return
        with self._guarded():
            if self._split is None and not self._files:
                self._begin_split(self._clock())
            if self._split is not None:
                self._finish_split()
            self._write_metadata()
            self._folder.end()
            self._give_up()

    def discard(self) -> None:
        """Delete the bag."""
        self._give_up()
        self._folder.remove()

    def __enter__(self) -> BagWriter:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete the bag, also when the caller has failed: what was recorded stays."""
        self.close()

    def _is_full(self, split: Split, time_ns: int) -> bool:
        """Tell whether a message of this time belongs into the next file."""
        away_ns = abs(time_ns - split.start_ns)
        return away_ns >= self._split_ns or split.n_bytes >= MAX_SPLIT_BYTES

    def _keep_time(self, now_s: float) -> None:
        if self._split is None:
            return
        if now_s - self._begun_s >= self._split_s:
            self._finish_split()
        elif now_s - self._flushed_s >= self._flush_s:
            self._flushed_s = now_s
            self._split.flush()

    def _begin_split(self, now_s: float) -> Split:
        folder = self._folder.open_path / f"{self._name}_{self._n_splits}"
        self._n_splits += 1
        self._split = Split(folder, self.storage)
        self._begun_s = self._flushed_s = now_s
        for topic, definition in self._topics.values():
            self._split.add(topic, definition)
        return self._split

    def _finish_split(self) -> None:
        split = self._split
        if split is None:
            return
        summary = split.finish()
        self._split = None
        self._folder.publish(split.file)
        self._files.append(summary)
        self._write_metadata()

    def _write_metadata(self) -> None:
        topics = [topic for topic, _ in self._topics.values()]
        self._folder.write_metadata(
            render_metadata(self.storage, topics, self._files, self.custom_data)
        )

    def _require_open(self) -> None:
        if self._closed:
            raise BagError(f"bag '{self.path}' is closed: begin another one")

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn what the disk refuses into one line that says what is kept."""
        try:
            yield
        except (OSError, sqlite3.Error, WriterError) as error:
            self._give_up()
            why = getattr(error, "strerror", None) or str(error)
            raise BagError(
                f"bag '{self.path}' cannot be written on ({why}): finished files are kept; see to "
                f"the disk, then `{recover_command(self.path)}` brings what is left of the last one"
            ) from None

    def _give_up(self) -> None:
        """Let go of the files, whatever their state."""
        self._closed = True
        split, self._split = self._split, None
        if split is not None:
            split.abort()
        self._folder.release()
