"""Complete a bag whose recording was cut off: the last file as far as it goes, and the metadata."""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from rosbags.interfaces import Connection, ConnectionExtRosbag2
from rosbags.rosbag2 import Reader, ReaderError, WriterError
from rosbags.rosbag2.metadata import parse_qos

from sinew_core.bags.folder import METADATA, BagFolder, is_unfinished, storage_of
from sinew_core.bags.mcap_file import McapFile
from sinew_core.bags.message_types import MessageTypes
from sinew_core.bags.metadata import FileSummary, Topic, render_metadata
from sinew_core.bags.salvage import JOURNALS, Salvaged, salvage, settle
from sinew_core.bags.split import Split
from sinew_core.bags.sqlite_file import SqliteFile
from sinew_core.errors import BagError

DAMAGED = ".damaged"
"""Suffix that a damaged file gets beside the one with what could be read of it."""
_SALVAGE = "salvage"
_NUMBERED = re.compile(r".+_(\d+)$")


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """What a recovery has done.

    Attributes:
        n_files: files of the bag.
        n_messages: messages of the bag.
        n_salvaged: those among them that came out of files that were not finished.
    """

    n_files: int
    n_messages: int
    n_salvaged: int


def recover_bag(path: Path) -> Recovered:
    """Make a bag whole again, in place; a second time changes nothing.

    Raises:
        BagError: if it is no bag, is being recorded, holds no message, or cannot be written on.
    """
    folder = BagFolder(path)
    try:
        return _Recovery(folder).run()
    except (OSError, sqlite3.Error, WriterError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BagError(
            f"bag '{path}' cannot be recovered ({why}): {_remedy(why)}, and try again; nothing is "
            "lost"
        ) from None
    finally:
        folder.release()


class _Recovery:
    """One recovery of a locked folder."""

    def __init__(self, folder: BagFolder) -> None:
        self._folder = folder
        self._path = folder.path
        self._scratch = folder.open_path / _SALVAGE
        self._types = MessageTypes()
        self._known = _read_metadata(folder.path / METADATA)
        self._topics = {topic.name: topic for topic in self._known.topics}
        self._n_salvaged = 0

    def run(self) -> Recovered:
        """Salvage, list, write the metadata, and only then drop what the recording left."""
        left = sorted(f for f in self._folder.open_path.glob("*/*") if storage_of(f))
        left = [file for file in left if file.parent != self._scratch]
        if not left and not any(map(_storage_within, _entries(self._path))):
            raise BagError(f"'{self._path}' holds no files of a bag: give the folder of one")
        if self._known.compression:
            raise BagError(
                f"'{self._path}' is compressed ({self._known.compression}): recover it with "
                "`ros2 bag reindex`"
            )
        was_unfinished = is_unfinished(self._path)
        self._folder.open_path.mkdir(exist_ok=True)
        try:
            return self._recover(left, was_unfinished=was_unfinished)
        except BaseException:
            if not was_unfinished:
                shutil.rmtree(self._folder.open_path, ignore_errors=True)
            raise

    def _recover(self, left: list[Path], *, was_unfinished: bool) -> Recovered:
        present = [file for file in _entries(self._path) if storage_of(file)]
        settled = [file for file in present if storage_of(file) == "sqlite3" and settle(file)]
        broken = [file for file in present if not _is_readable(file)]
        incomplete = settled or broken or was_unfinished or not self._known.lists(self._path)
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir()
        aside = [file for file in _entries(self._path) if file.suffix == DAMAGED]
        for file in (*left, *filter(_storage_within, aside)):
            name = file.name.removesuffix(DAMAGED)
            # Published already, where a recovery or the recording was cut off after that.
            if file.exists() and not (self._path / name).exists():
                self._publish(self._rewrite(file, name))
        lost = [file for file in broken if not self._replace(file)]
        files = self._list_files(without=lost)
        if incomplete:
            self._complete(files)
        for file in lost:
            _put_aside(file)
        self._folder.end()
        return Recovered(
            n_files=len(files),
            n_messages=sum(file.message_count for file in files),
            n_salvaged=self._n_salvaged,
        )

    def _complete(self, files: list[FileSummary]) -> None:
        storages = sorted({storage_of(self._path / file.path) for file in files})
        if not sum(file.message_count for file in files):
            raise BagError(f"'{self._path}' holds no whole message: there is nothing to recover")
        if len(storages) > 1:
            raise BagError(
                f"'{self._path}' holds files of {' and '.join(storages)}: keep those of one bag"
            )
        self._folder.write_metadata(
            render_metadata(storages[0], self._topics.values(), files, self._known.custom_data)
        )

    def _replace(self, file: Path) -> bool:
        """Put a broken file aside once there is one with what could be read of it."""
        made = self._rewrite(file, file.name)
        if made is not None:
            _put_aside(file)
            self._publish(made)
        return made is not None

    def _publish(self, made: Path | None) -> None:
        if made is not None:
            self._folder.publish(made)

    def _rewrite(self, file: Path, name: str) -> Path | None:
        """Write what can be read of a file into a complete one of this name; None for nothing."""
        storage = storage_of(Path(name))
        messages = salvage(file, storage, self._scratch)
        first = next(messages, None)
        if first is None:
            return None
        split = Split(self._scratch / Path(name).stem, storage)
        added: set[str] = set()
        try:
            for message in itertools.chain((first,), messages):
                if message.topic not in added:
                    added.add(message.topic)
                    definition = self._types.learn(message.msgtype, message.text)
                    split.add(self._topic(message, definition.type_hash), definition)
                split.write(message.topic, message.data, message.time_ns)
                self._n_salvaged += 1
            split.finish()
        except BaseException:
            split.abort()
            raise
        return split.file

    def _topic(self, message: Salvaged, type_hash: str) -> Topic:
        return Topic(
            name=message.topic, msgtype=message.msgtype, type_hash=type_hash, qos=message.qos
        )

    def _list_files(self, *, without: list[Path]) -> list[FileSummary]:
        """Return the files of the bag in their order, and gather their topics."""
        files = sorted(filter(storage_of, _entries(self._path)), key=_number)
        return [self._summarise(file) for file in files if file not in without]

    def _summarise(self, file: Path) -> FileSummary:
        counts: dict[str, int] = {}
        with Reader(file) as reader:
            for connection in reader.connections:
                counts[connection.topic] = counts.get(connection.topic, 0) + connection.msgcount
                if connection.topic not in self._topics:
                    self._topics[connection.topic] = self._describe(connection)
            return FileSummary(
                path=file.name,
                start_ns=reader.start_time,
                end_ns=max(reader.start_time, reader.end_time - 1),
                counts=counts,
            )

    def _describe(self, connection: Connection) -> Topic:
        msgtype, text = connection.msgtype, connection.msgdef.data
        extension = connection.ext
        assert isinstance(extension, ConnectionExtRosbag2)
        return Topic(
            name=connection.topic,
            msgtype=msgtype,
            type_hash=connection.digest or self._types.learn(msgtype, text).type_hash,
            qos=tuple(extension.offered_qos_profiles),
        )


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What the metadata of the interrupted recording says; empty where there are none."""

    topics: tuple[Topic, ...] = ()
    paths: tuple[str, ...] = ()
    custom_data: dict[str, str] = field(default_factory=dict)
    compression: str = ""

    def lists(self, path: Path) -> bool:
        """Tell whether the metadata name exactly the files that are there."""
        return sorted(self.paths) == sorted(f.name for f in _entries(path) if storage_of(f))


def _read_metadata(file: Path) -> _Known:
    """Read what can be used; damaged metadata are made anew from the files."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))["rosbag2_bagfile_information"]
        topics = [entry["topic_metadata"] for entry in content["topics_with_message_count"]]
        return _Known(
            topics=tuple(
                Topic(
                    name=str(topic["name"]),
                    msgtype=str(topic["type"]),
                    type_hash=str(topic.get("type_description_hash", "")),
                    qos=tuple(parse_qos(topic.get("offered_qos_profiles", []))),
                )
                for topic in topics
            ),
            paths=tuple(str(path) for path in content["relative_file_paths"]),
            compression=str(content.get("compression_mode") or ""),
            custom_data={str(k): str(v) for k, v in (content.get("custom_data") or {}).items()},
        )
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError, ReaderError):
        return _Known()


def _remedy(why: str) -> str:
    return "end the recording" if "locked" in why else "free some space, or allow writing"


def _entries(path: Path) -> list[Path]:
    return sorted(file for file in path.iterdir() if file.is_file())


def _storage_within(file: Path) -> str:
    """Return the storage of a file, or of the one that was put aside as it."""
    return storage_of(file.with_name(file.name.removesuffix(DAMAGED)))


def _put_aside(file: Path) -> None:
    """Rename a file, and first the journals without which a database is not whole."""
    aside = file.with_name(file.name + DAMAGED)
    for end in JOURNALS:
        journal = file.with_name(file.name + end)
        if journal.exists():
            journal.replace(aside.with_name(aside.name + end))
    file.replace(aside)


def _number(file: Path) -> tuple[int, str]:
    found = _NUMBERED.match(file.stem)
    return int(found[1]) if found else 0, file.name


def _is_readable(file: Path) -> bool:
    """Tell whether a file is whole, by the reader that bags are read with as well as rosbags'.

    Only who reads all messages finds a chunk of another checksum, or a page that is damaged.
    """
    try:
        own = SqliteFile(file) if storage_of(file) == "sqlite3" else McapFile(file)
        with contextlib.closing(own):
            for _ in own.blocks([channel.id for channel in own.channels], ordered=False):
                pass
        with Reader(file):
            return True
    # Files that are cut off or damaged fail in whatever the formats' readers are made of.
    except Exception:
        return False
