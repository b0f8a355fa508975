"""Databases of other recorders: what they left in a log, or lost, in schemas old and new."""

from __future__ import annotations

import os
import shutil
import sqlite3

import pytest

from bag_samples import STATE_TYPE, STATES, read_all, states
from sinew_core.bags.reader import read_recording
from sinew_core.bags.recovery import recover_bag
from sinew_core.errors import BagError

MESSAGES = states(500)
JOINTS = [f"joint_{i}" for i in range(7)]
TABLES = """
CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,
    timestamp INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
    serialization_format TEXT NOT NULL{});
CREATE INDEX timestamp_idx ON messages (timestamp ASC);
"""
HUMBLE = """
CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
INSERT INTO schema VALUES(3, 'humble');
"""
each_schema = pytest.mark.parametrize("schema", [1, 2, 3])


def record(folder, schema, msgtype=STATE_TYPE):
    """Write `b_0.db3` in a schema that has no definitions of types, and leave its log beside it."""
    folder.mkdir()
    database = sqlite3.connect(folder / "b_0.db3")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA wal_autocheckpoint=0")
    database.executescript(TABLES.format(", offered_qos_profiles TEXT" if schema > 1 else ""))
    if schema == 3:
        database.executescript(HUMBLE)
    topic = (1, STATES, msgtype, "cdr", "")[: 4 + (schema > 1)]
    database.execute(f"INSERT INTO topics VALUES({', '.join('?' * len(topic))})", topic)
    rows = [(1, time_ns, data) for _, _, data, time_ns in MESSAGES]
    database.executemany("INSERT INTO messages(topic_id, timestamp, data) VALUES(?,?,?)", rows)
    database.commit()
    return database


@pytest.fixture
def killed(tmp_path):
    """A recording that was killed: all of it is in the log yet."""

    def make(schema):
        database = record(tmp_path / "live", schema)
        shutil.copytree(tmp_path / "live", tmp_path / "bag")
        database.close()
        assert (tmp_path / "bag" / "b_0.db3-wal").stat().st_size > 100_000
        return tmp_path / "bag"

    return make


@pytest.fixture
def whole(tmp_path):
    """A recording that was ended, without metadata."""

    def make(schema, msgtype=STATE_TYPE):
        record(tmp_path / "bag", schema, msgtype).close()
        assert [f.name for f in (tmp_path / "bag").iterdir()] == ["b_0.db3"]
        return tmp_path / "bag"

    return make


def content(path):
    return {f.name: f.read_bytes() for f in path.iterdir() if not f.name.endswith("-shm")}


@each_schema
def test_a_log_is_taken_over_and_the_database_stays_what_it_is(killed, schema):
    path = killed(schema)
    assert recover_bag(path).n_messages == 500
    assert sorted(f.name for f in path.iterdir()) == ["b_0.db3", "metadata.yaml"]
    assert read_all(path) == MESSAGES
    assert read_recording(path, JOINTS).time_s.size == 500
    before = content(path)
    recover_bag(path)
    assert content(path) == before


@each_schema
def test_a_database_that_was_cut_gives_what_comes_before(whole, schema):
    path = whole(schema)
    file = path / "b_0.db3"
    size = file.stat().st_size
    os.truncate(file, size // 2)
    found = recover_bag(path)
    assert 150 < found.n_messages == found.n_salvaged < 350
    assert read_all(path) == MESSAGES[: found.n_messages]
    assert (path / "b_0.db3.damaged").stat().st_size == size // 2


def test_a_page_of_which_only_a_part_is_there_is_not_read(whole):
    path = whole(3)
    # Rows of a page begin at its end, so the part that lacks is one of a message.
    os.truncate(path / "b_0.db3", (path / "b_0.db3").stat().st_size - 200)
    with pytest.raises(BagError, match=r"b_0\.db3 has .* bytes of .* recover"):
        read_recording(path / "b_0.db3", JOINTS)
    found = recover_bag(path)
    assert 450 < found.n_messages < 500
    assert read_all(path) == MESSAGES[: found.n_messages]


def test_a_type_that_nobody_knows_is_recovered_without_its_definition(whole):
    path = whole(3, "odd_msgs/msg/Odd")
    file = path / "b_0.db3"
    os.truncate(file, file.stat().st_size // 2)
    n_messages = recover_bag(path).n_messages
    with sqlite3.connect(file) as database:
        rows = database.execute("SELECT timestamp, data FROM messages").fetchall()
    database.close()
    assert rows == [(time_ns, data) for _, _, data, time_ns in MESSAGES[:n_messages]]


def test_what_holds_no_whole_message_is_left_as_it_was(whole):
    path = whole(3)
    os.truncate(path / "b_0.db3", 4096)
    before = content(path)
    for _ in range(2):
        with pytest.raises(BagError, match="no whole message"):
            recover_bag(path)
        assert content(path) == before


def test_a_file_without_a_message_is_put_aside_where_others_have_some(whole):
    path = whole(3)
    (path / "b_1.db3").write_bytes((path / "b_0.db3").read_bytes()[:4096])
    assert recover_bag(path).n_files == 1
    assert read_all(path) == MESSAGES
    assert (path / "b_1.db3.damaged").stat().st_size == 4096


def test_a_file_that_was_put_aside_without_another_is_recovered(whole):
    path = whole(3)
    (path / ".open").mkdir()
    (path / "b_0.db3").rename(path / "b_0.db3.damaged")
    assert recover_bag(path).n_messages == 500
    assert read_all(path) == MESSAGES


def test_a_database_that_is_being_written_is_left_alone(tmp_path):
    database = record(tmp_path / "bag", 3)
    database.execute("BEGIN IMMEDIATE")
    with pytest.raises(BagError, match=r"locked.*end the recording"):
        recover_bag(tmp_path / "bag")
    database.rollback()
    assert database.execute("SELECT COUNT(*) FROM messages").fetchone() == (500,)
    database.close()
    assert [f.name for f in (tmp_path / "bag").iterdir()] == ["b_0.db3"]
