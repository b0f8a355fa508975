"""Read the messages of files that were never finished, as far as they are whole.

Sources: the MCAP specification (records are an opcode, a length and a body), and the tables of
rosbag2's sqlite3 storage: schema version 4, and those before it without definitions of types.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rosbags.interfaces import Qos
from rosbags.rosbag2 import ReaderError
from rosbags.rosbag2.metadata import parse_qos
from rosbags.rosbag2.storage_mcap import decompress

from sinew_core.bags.sqlite_file import page_bytes

_MAGIC = b"\x89MCAP0\r\n"
_RECORD = struct.Struct("<BQ")
_MESSAGE = struct.Struct("<HIQQ")
_CHUNK = struct.Struct("<QQQI")
_FOOTER_RECORD = struct.Struct("<BQQQI8s")
"""With the magic bytes after it, which end a file."""
_FOOTER, _SCHEMA, _CHANNEL, _MESSAGE_RECORD = 0x02, 0x03, 0x04, 0x05
_CHUNK_RECORD, _DATA_END = 0x06, 0x0F
_MAX_RECORD_BYTES = 2**30
# What a cut in the middle of anything, or bytes that were never written, lead to.
_DAMAGE = (ValueError, EOFError, struct.error, ReaderError, KeyError, TypeError, AttributeError)
JOURNALS = ("-journal", "-wal", "-shm")
"""What a database that is open, or was left, has beside it: FILE-wal and so on."""


class Salvaged(NamedTuple):
    """One message and what its topic was declared as.

    `text` is the type's definition, empty where the file has none.
    """

    topic: str
    msgtype: str
    text: str
    qos: tuple[Qos, ...]
    time_ns: int
    data: bytes


def salvage(file: Path, storage: str, scratch: Path) -> Iterator[Salvaged]:
    """Return the messages of a file in their order, up to the first thing that is damaged.

    A chunk that is whole but damaged is left out.

    `scratch` is an empty folder for a copy, where one is needed.
    """
    if storage == "sqlite3":
        return _salvage_sqlite3(_whole_pages(file, scratch))
    return _salvage_mcap(file)


class _Channel(NamedTuple):
    topic: str
    msgtype: str
    text: str
    qos: tuple[Qos, ...]


class _Defined(NamedTuple):
    """Name and text of each schema, and each channel, by their numbers."""

    schemas: dict[int, tuple[str, str]]
    channels: dict[int, _Channel]


def _salvage_mcap(file: Path) -> Iterator[Salvaged]:
    defined = _Defined({}, {})
    with file.open("rb") as source:
        if source.read(len(_MAGIC)) != _MAGIC:
            return
        _read_summary(source, defined)
        source.seek(len(_MAGIC))
        records = _records(source)
        while True:
            try:
                opcode, body = next(records)
                if opcode != _MESSAGE_RECORD:
                    _define(opcode, body, defined)
                else:
                    key, _, time_ns, _ = _MESSAGE.unpack_from(body)
                    message = Salvaged(*defined.channels[key], time_ns, body[_MESSAGE.size :])
            except (StopIteration, *_DAMAGE):
                return
            if opcode == _MESSAGE_RECORD:
                yield message
            elif opcode == _DATA_END:
                return


def _read_summary(source: BinaryIO, defined: _Defined) -> None:
    """Take what the end of a finished file repeats: the chunk that defines it may be damaged."""
    with contextlib.suppress(OSError, *_DAMAGE):
        source.seek(-_FOOTER_RECORD.size, os.SEEK_END)
        opcode, _, start, _, _, magic = _FOOTER_RECORD.unpack(source.read())
        if opcode == _FOOTER and magic == _MAGIC and start:
            source.seek(start)
            for kind, body in _records(source):
                _define(kind, body, defined)


def _define(opcode: int, body: bytes, defined: _Defined) -> None:
    if opcode == _SCHEMA:
        key, schema = _parse_schema(body)
        defined.schemas[key] = schema
    elif opcode == _CHANNEL:
        key, channel = _parse_channel(body, defined.schemas)
        defined.channels[key] = channel


def _records(source: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Return opcode and body of each record, those within chunks included.

    Raises:
        ValueError: at the first record that is not whole.
    """
    while True:
        head = source.read(_RECORD.size)
        if not head:
            return
        opcode, size = _RECORD.unpack(head)
        if opcode == 0 or size > _MAX_RECORD_BYTES:
            raise ValueError("no record")
        if opcode == _CHUNK_RECORD:
            yield from _chunk(source, size)
        else:
            yield opcode, _read(source, size)


def _chunk(source: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Return the records of a chunk: before a cut, where it is cut off; none if it is damaged."""
    _, _, raw_size, check = _CHUNK.unpack(_read(source, _CHUNK.size))
    (length,) = struct.unpack("<I", _read(source, 4))
    compression = _read(source, length).decode()
    (stored,) = struct.unpack("<Q", _read(source, 8))
    if _CHUNK.size + 12 + length + stored != size:
        raise ValueError("no chunk")
    body = source.read(stored)
    if compression:
        # Damaged bytes fail in whatever the decompressors are made of.
        try:
            body = decompress(body, compression, raw_size, check)
        except Exception:
            return
    elif check and len(body) == stored and zlib.crc32(body) != check:
        return
    # What a chunk without a checksum has after its damage is left out, too, and no more.
    with contextlib.suppress(ValueError):
        yield from _records(BytesIO(body))


def _read(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) != size:
        raise ValueError("cut off")
    return data


def _parse_schema(body: bytes) -> tuple[int, tuple[str, str]]:
    source = BytesIO(body)
    (key,) = struct.unpack("<H", _read(source, 2))
    name, _, text = _string(source), _string(source), _string(source)
    return key, (name, text)


def _parse_channel(body: bytes, schemas: dict[int, tuple[str, str]]) -> tuple[int, _Channel]:
    source = BytesIO(body)
    key, schema = struct.unpack("<HH", _read(source, 4))
    topic, _ = _string(source), _string(source)
    (size,) = struct.unpack("<I", _read(source, 4))
    entries = BytesIO(_read(source, size))
    values: dict[str, str] = {}
    while entries.tell() < size:
        values[_string(entries)] = _string(entries)
    msgtype, text = schemas[schema]
    return key, _Channel(topic, msgtype, text, _qos(values.get("offered_qos_profiles", "")))


def _string(source: BinaryIO) -> str:
    (size,) = struct.unpack("<I", _read(source, 4))
    return _read(source, size).decode()


def _qos(text: str) -> tuple[Qos, ...]:
    return tuple(parse_qos(text))


def settle(file: Path) -> bool:
    """Bring what a database has in its journals into it; tell whether it had any.

    Transactions that are whole are taken over, and one that was cut short is rolled back. A
    database that is damaged stays as it is.

    Raises:
        sqlite3.OperationalError: another program writes into it.
    """
    if not any(file.with_name(file.name + end).exists() for end in JOURNALS):
        return False
    with contextlib.closing(sqlite3.connect(file)) as database:
        try:
            # Only what reads rolls back; a log is taken over where another mode follows.
            database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            database.execute("PRAGMA journal_mode=DELETE").fetchone()
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise
        except sqlite3.DatabaseError:
            pass
    return True


def _salvage_sqlite3(file: Path) -> Iterator[Salvaged]:
    """Open the database for writing, so that a transaction cut short is rolled back."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        try:
            # Without, a database that lacks pages at its end is refused as a whole.
            database.execute("PRAGMA writable_schema=ON")
            texts = _texts(database)
            channels = {
                key: _Channel(topic, msgtype, texts.get(msgtype, ""), _qos(qos))
                for key, topic, msgtype, qos in database.execute(_topics_query(database))
            }
            rows = database.execute("SELECT topic_id, timestamp, data FROM messages ORDER BY id")
            for key, time_ns, data in rows:
                yield Salvaged(*channels[key], time_ns, bytes(data))
        except (sqlite3.DatabaseError, *_DAMAGE):
            return


def _whole_pages(file: Path, scratch: Path) -> Path:
    """Return a database, as a copy without it where only a part of its last page is there.

    The rest of such a page would be read as zeros, and messages with it.
    """
    with file.open("rb") as source:
        size = page_bytes(source.read(18))
    n_bytes = file.stat().st_size
    if not size or not n_bytes % size:
        return file
    copy = Path(shutil.copy(file, scratch / file.name))
    os.truncate(copy, n_bytes - n_bytes % size)
    return copy


def _texts(database: sqlite3.Connection) -> dict[str, str]:
    """Return the definitions of types, none where a schema before version 4 has no such table."""
    query = "SELECT topic_type, encoded_message_definition FROM message_definitions"
    try:
        return {str(msgtype): str(text) for msgtype, text in database.execute(query)}
    # Messages are worth more than the definitions, which are known of most types.
    except (sqlite3.DatabaseError, *_DAMAGE):
        return {}


def _topics_query(database: sqlite3.Connection) -> str:
    """Return what reads the topics; the first schema says nothing of their quality of service."""
    columns = {row[1] for row in database.execute("PRAGMA table_info(topics)")}
    qos = "offered_qos_profiles" if "offered_qos_profiles" in columns else "''"
    return f"SELECT id, name, type, {qos} FROM topics"
