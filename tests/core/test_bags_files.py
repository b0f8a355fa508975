"""Bags of every storage, compression and split, whole and damaged, through `Bag`."""

import sqlite3
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bag.samples import (
    STATE,
    STRING,
    Message,
    motion,
    split_bag,
    text,
    write_bag,
    write_plain_mcap,
)
from sinew_core.bags.bag import Bag
from sinew_core.bags.commands import decode_text
from sinew_core.bags.storage import DamagedError, unpack, unpack_file
from sinew_core.errors import BagError

TOPICS = {"/joint_states": "state", "/forward_position_controller/commands": "output"}
MESSAGES = motion(40)
CASES = [
    ("mcap", ""), ("mcap", "file"), ("mcap", "message"), ("mcap", "storage"),
    ("sqlite3", ""), ("sqlite3", "file"), ("sqlite3", "message"),
]  # fmt: skip


def read(path, topics=TOPICS):
    bag = Bag(path)
    found = [(m.time_ns, m.kind, m.data) for m in bag.messages(topics)]
    bag.close()
    return found


def expected(messages, topics=TOPICS):
    return [(m.time_ns, topics[m.topic], m.data) for m in messages if m.topic in topics]


def blocks_of(path, topic):
    bag = Bag(path)
    found = []
    for block in bag.blocks(topic):
        rows = zip(block.time_ns.tolist(), block.offset, block.length, strict=True)
        found += [(time_ns, block.data[at : at + size]) for time_ns, at, size in rows]
    bag.close()
    return found


@pytest.mark.parametrize(("storage", "compression"), CASES)
def test_every_storage_and_compression_gives_the_bytes_that_were_written(
    tmp_path, storage, compression
):
    path = write_bag(tmp_path / "bag", MESSAGES, storage, compression)
    assert read(path) == expected(MESSAGES)
    states = [(m.time_ns, m.data) for m in MESSAGES if m.topic == "/joint_states"]
    assert blocks_of(path, "/joint_states") == states
    file = next(p for p in path.iterdir() if p.name != "metadata.yaml")
    assert read(file) == expected(MESSAGES)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_the_files_of_a_split_bag_follow_each_other(tmp_path, storage):
    path = split_bag(tmp_path / "bag", MESSAGES, 3, storage)
    assert len(list(path.iterdir())) == 4
    assert read(path) == expected(MESSAGES)
    bag = Bag(path)
    assert bag.counts == dict.fromkeys(TOPICS, 40)
    bag.close()


@pytest.mark.parametrize("compression", [None, "", "lz4"])
def test_an_mcap_file_without_a_summary_is_read(tmp_path, compression):
    path = write_plain_mcap(tmp_path / "bag.mcap", MESSAGES, compression)
    assert read(path) == expected(MESSAGES)
    bag = Bag(path)
    assert bag.topics["/joint_states"] == STATE
    assert bag.counts == dict.fromkeys(TOPICS, 40)
    bag.close()


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_messages_come_in_the_order_of_their_log_times(tmp_path, storage):
    shuffled = [MESSAGES[i] for i in np.random.default_rng(3).permutation(len(MESSAGES))]
    assert read(write_bag(tmp_path / "bag", shuffled, storage)) == expected(MESSAGES)


def test_only_the_topics_asked_for_are_returned(tmp_path):
    path = write_bag(tmp_path / "bag", MESSAGES)
    assert {kind for _, kind, _ in read(path, {"/joint_states": "state"})} == {"state"}
    assert read(path, {"/other": "state"}) == []


def test_a_journal_beside_a_database_is_read_with_it(tmp_path):
    path = write_bag(tmp_path / "bag", MESSAGES[:2], "sqlite3")
    connection = sqlite3.connect(path / "bag.db3")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    late = MESSAGES[2]
    values = (1, late.time_ns, late.data)
    connection.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES(?,?,?)", values)
    connection.commit()
    assert len(read(path / "bag.db3")) == 3
    connection.close()


def test_what_is_no_bag_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(BagError, match=r"no complete bag at .*nowhere.*: give the folder of a bag"):
        Bag(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(BagError, match=r"give the folder of a bag or a file \.mcap or \.db3"):
        Bag(tmp_path / "notes.txt")
    path = write_bag(tmp_path / "bag", MESSAGES)
    (path / "metadata.yaml").unlink()
    with pytest.raises(BagError, match=r"sinew bag recover .*ros2 bag reindex .*as bag\.mcap"):
        Bag(path)


def test_a_missing_file_of_a_bag_is_named(tmp_path):
    path = split_bag(tmp_path / "bag", MESSAGES, 3, "sqlite3")
    (path / "bag_1.db3").unlink()
    with pytest.raises(BagError, match=r"lacks bag_1\.db3 that its metadata\.yaml names: put"):
        Bag(path)


@pytest.mark.parametrize(
    ("garbled", "found"),
    [
        ("[" * 100_000, "nested more than 32 levels deep"),
        ("- " * 100_000, "nested more than 32 levels deep"),
        ("rosbag2_bagfile_information: [", "no YAML"),
        ("a: 1", "lacks what it should have"),
        ("rosbag2_bagfile_information: 3", "lacks what it should have"),
        ("\udcff", "no YAML"),
        ("x" * (1 << 25) + "x", "more than"),
        ("rosbag2_bagfile_information: {storage_identifier: hdf5, relative_file_paths: []}",
         "storage 'hdf5' is not known, mcap and sqlite3 are"),
        ("rosbag2_bagfile_information: {storage_identifier: mcap, relative_file_paths: 3}",
         "no list of files"),
        ("rosbag2_bagfile_information: {storage_identifier: mcap, relative_file_paths: [], "
         "compression_mode: FILE, compression_format: rar}", "compressed by 'rar'"),
        ("rosbag2_bagfile_information: {storage_identifier: mcap, relative_file_paths: [], "
         "topics_with_message_count: 3}", "no list of topics"),
    ],
    ids=["brackets", "dashes", "cut", "other", "number", "bytes", "long", "store", "files",
         "codec", "topics"],
)  # fmt: skip
def test_garbled_metadata_is_refused_with_what_is_wrong(tmp_path, garbled, found):
    path = write_bag(tmp_path / "bag", MESSAGES[:2])
    (path / "metadata.yaml").write_bytes(garbled.encode(errors="surrogateescape"))
    with pytest.raises(BagError, match=found) as error:
        Bag(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_no_truncation_of_a_file_passes_unnoticed_or_as_another_error(tmp_path, storage):
    path = write_bag(tmp_path / "bag", MESSAGES, storage)
    file = next(p for p in path.iterdir() if p.name != "metadata.yaml")
    whole = file.read_bytes()
    for size in np.linspace(0, len(whole) - 1, 60).astype(int).tolist():
        file.write_bytes(whole[:size])
        with pytest.raises(BagError, match=r"cannot be read to its end .*bag recover"):
            read(path)


def parts_of(data):
    """Return kind, place of the content, and size of the outermost records of an MCAP file."""
    at = 8
    while at < len(data) - 8:
        kind, size = struct.unpack_from("<BQ", data, at)
        yield kind, at + 9, size
        at += 9 + size


def damaged_mcap(tmp_path, change, messages=MESSAGES, compression=""):
    path = write_plain_mcap(tmp_path / "bag.mcap", messages, compression)
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def chunk_of(data):
    return next((at, size) for kind, at, size in parts_of(data) if kind == 6)


def test_a_flipped_bit_in_a_chunk_is_found_by_its_checksum(tmp_path):
    def flip(data):
        at, size = chunk_of(data)
        data[at + size - 5] ^= 1

    with pytest.raises(BagError, match="another checksum"):
        read(damaged_mcap(tmp_path, flip))


def test_a_chunk_that_claims_an_absurd_size_costs_no_memory(tmp_path):
    def explode(data):
        at, _ = chunk_of(data)
        data[at + 16 : at + 24] = struct.pack("<Q", 1 << 40)

    with pytest.raises(BagError, match="claims 1099511627776 bytes, more than 1073741824"):
        read(damaged_mcap(tmp_path, explode))


def test_a_message_after_the_end_of_time_is_refused(tmp_path):
    late = Message("/joint_states", STATE, (1 << 64) - 1, MESSAGES[0].data)
    path = write_plain_mcap(tmp_path / "bag.mcap", [*MESSAGES, late], None)
    with pytest.raises(BagError, match="has time 18446744073709551615 ns"):
        read(path)


def test_a_summary_with_another_checksum_is_refused(tmp_path):
    path = write_bag(tmp_path / "bag", MESSAGES)
    file = path / "bag.mcap"
    data = bytearray(file.read_bytes())
    footer = len(data) - 8 - 29
    summary = struct.unpack_from("<Q", data, footer + 9)[0]
    crc = zlib.crc32(data[summary : len(data) - 12])
    data[-12:-8] = struct.pack("<I", crc)
    file.write_bytes(data)
    assert read(path) == expected(MESSAGES)
    data[-12:-8] = struct.pack("<I", crc ^ 1)
    file.write_bytes(data)
    with pytest.raises(BagError, match=r"summary of bag\.mcap has another checksum"):
        read(path)


def test_an_index_that_does_not_fit_is_not_believed(tmp_path):
    path = write_bag(tmp_path / "bag", MESSAGES)
    file = path / "bag.mcap"
    data = bytearray(file.read_bytes())
    at = next(at for kind, at, _ in parts_of(data) if kind == 7)
    data[at + 14] ^= 0x40
    file.write_bytes(data)
    assert read(path) == expected(MESSAGES)


def test_messages_that_are_missing_from_an_mcap_file_are_missed(tmp_path):
    path = write_bag(tmp_path / "bag", MESSAGES)
    file = path / "bag.mcap"
    data = bytearray(file.read_bytes())
    at = next(at for kind, at, _ in parts_of(data) if kind == 0x0B)
    counts = at + 46
    (claimed,) = struct.unpack_from("<Q", data, counts + 2)
    assert claimed == 40
    data[counts + 2] += 1
    file.write_bytes(data)
    with pytest.raises(BagError, match="messages where it claims 81"):
        read(path)


def test_rows_of_a_database_that_are_no_messages_are_refused(tmp_path):
    path = write_bag(tmp_path / "bag", MESSAGES, "sqlite3")
    connection = sqlite3.connect(path / "bag.db3")
    connection.execute("UPDATE messages SET data = 'text' WHERE id = 7")
    connection.commit()
    connection.close()
    with pytest.raises(BagError, match=r"bag\.db3 has rows that are no messages"):
        read(path)


@pytest.mark.parametrize("time_ns", [-1, 2**62, 2**63 - 1])
def test_a_row_outside_of_time_is_refused(tmp_path, time_ns):
    path = write_bag(tmp_path / "bag", MESSAGES, "sqlite3")
    connection = sqlite3.connect(path / "bag.db3")
    connection.execute("UPDATE messages SET timestamp = ? WHERE id = 7", (time_ns,))
    connection.commit()
    connection.close()
    with pytest.raises(BagError, match=f"a message of bag.db3 has time {time_ns} ns"):
        read(path)


def test_more_rows_than_fit_a_database_are_not_read_for_ever(tmp_path):
    path = write_bag(tmp_path / "bag", MESSAGES, "sqlite3")
    connection = sqlite3.connect(path / "bag.db3")
    connection.execute("ALTER TABLE messages RENAME TO real")
    connection.execute(
        "CREATE VIEW messages AS SELECT a.id, a.topic_id, a.timestamp, a.data "
        "FROM real a, real b, real c, real d"
    )
    connection.commit()
    connection.close()
    with pytest.raises(BagError, match="cannot be read to its end"):
        read(path)


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_decompression_stops_at_the_size_that_is_claimed(compression):
    import lz4.frame
    from backports import zstd

    pack = {"zstd": zstd.compress, "lz4": lz4.frame.compress}[compression]
    packed = pack(bytes(50_000_000))
    with pytest.raises(DamagedError, match="x has 1001 bytes where it claims 1000"):
        unpack(packed, compression, 1000, "x")
    assert unpack(pack(b"abc"), compression, 3, "x") == b"abc"
    with pytest.raises(DamagedError, match="compressed by 'rar', known are zstd and lz4"):
        unpack(packed, "rar", 3, "x")


def test_a_file_that_grows_without_end_is_refused(tmp_path):
    from backports import zstd

    packed = tmp_path / "bag.db3.zstd"
    packed.write_bytes(zstd.compress(bytes(200_000_000)))
    assert packed.stat().st_size < 30_000
    with pytest.raises(DamagedError, match="grows more than 2000 times"):
        unpack_file(packed, tmp_path / "bag.db3")


def test_a_missing_topic_is_named_with_those_of_its_type(tmp_path):
    bag = Bag(write_bag(tmp_path / "bag", MESSAGES))
    bag.require("state", "/joint_states", "")
    with pytest.raises(BagError, match=r"has no /arm/joint_states \(.*JointState\), it has /joint"):
        bag.require("state", "/arm/joint_states", "give namespace:=")
    with pytest.raises(BagError, match="nor any other of its type: record it"):
        bag.require("configuration", "/c", "record it")
    bag.close()


def test_texts_are_decoded_and_damaged_ones_are_named(tmp_path):
    messages = [Message("/c", STRING, 5, text("größe")), Message("/c", STRING, 6, b"\0\1\0\0abc")]
    bag = Bag(write_bag(tmp_path / "bag", messages))
    good, bad = bag.messages({"/c": "configuration"})
    assert bag.decode(good, decode_text) == "größe"
    with pytest.raises(BagError, match=r"the configuration recorded at 6 ns cannot be decoded"):
        bag.decode(bad, decode_text)
    bag.close()


def test_nothing_is_left_open_or_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    (tmp_path / "t").mkdir()
    path = write_bag(tmp_path / "bag", MESSAGES, "sqlite3", "file")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        read(path)
    (path / "bag.db3.zstd").write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(BagError):
        read(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert list((tmp_path / "t").iterdir()) == []
