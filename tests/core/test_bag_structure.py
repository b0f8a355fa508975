"""MCAP files byte by byte, as the specification has them: what viewers rely on, without rosbags."""

from __future__ import annotations

import struct
from collections import Counter

import pytest

from bag_samples import FIRST_NS, STATES, STEP_NS, STRING_TYPE, states, string
from sinew_core.bags.writer import BagWriter

MAGIC = b"\x89MCAP0\r\n"
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX, CHUNK_INDEX = range(1, 9)
STATISTICS, METADATA, METADATA_INDEX, SUMMARY_OFFSET, DATA_END = 0x0B, 0x0C, 0x0D, 0x0E, 0x0F


class Fields:
    """The fields of one record's body, in turn."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        values = struct.unpack_from(f"<{layout}", self.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values if len(values) > 1 else values[0]

    def bytes(self, size):
        self.at += size
        return self.data[self.at - size : self.at]

    def text(self):
        return self.bytes(self.take("I")).decode()

    def pairs(self, layout):
        inner = Fields(self.bytes(self.take("I")))
        found = []
        while inner.at < len(inner.data):
            found.append(inner.take(layout))
        return found


def record_at(data, at):
    opcode, size = struct.unpack_from("<BQ", data, at)
    assert at + 9 + size <= len(data)
    return opcode, Fields(data[at + 9 : at + 9 + size]), at + 9 + size


def records(data, at, end):
    while at < end:
        opcode, fields, after = record_at(data, at)
        yield at, opcode, fields
        at = after
    assert at == end


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A file of several chunks and two topics."""
    path = tmp_path_factory.mktemp("mcap") / "bag"
    messages = states(4000)
    with BagWriter(path, split_s=100.0, flush_s=1000.0) as writer:
        writer.add_topic("/silent", STRING_TYPE)
        for i, message in enumerate(messages):
            writer.write(*message)
            if i % 1000 == 0:
                writer.write("/late", STRING_TYPE, string(b"text"), message[3])
    return (path / "bag_0.mcap").read_bytes()


def test_the_file_begins_and_ends_as_it_must(file):
    assert file.startswith(MAGIC)
    assert file.endswith(MAGIC)
    opcode, header, _ = record_at(file, len(MAGIC))
    assert (opcode, header.text()) == (HEADER, "ros2")
    every = [opcode for _, opcode, _ in records(file, len(MAGIC), len(file) - len(MAGIC))]
    assert every[0] == HEADER
    assert every[-1] == FOOTER
    assert every.count(DATA_END) == 1
    assert every.count(CHUNK) > 1


def test_schemas_and_channels_say_how_to_read_the_messages(file):
    summary = summary_records(file)
    schemas = {}
    for fields in (f for o, f in summary if o == SCHEMA):
        key, name, encoding, text = fields.take("H"), fields.text(), fields.text(), fields.text()
        schemas[key] = name, encoding, text
    channels = {}
    for fields in (f for o, f in summary if o == CHANNEL):
        key, schema = fields.take("HH")
        topic, encoding = fields.text(), fields.text()
        channels[topic] = schemas[schema], encoding
    assert set(channels) == {STATES, "/late", "/silent"}
    assert {encoding for _, encoding in channels.values()} == {"cdr"}
    (name, encoding, text), _ = channels[STATES]
    assert (name, encoding) == ("sensor_msgs/msg/JointState", "ros2msg")
    assert text.startswith("std_msgs/Header header\n")
    assert "=" * 80 + "\nMSG: builtin_interfaces/Time\n" in text


def summary_records(data):
    opcode, footer, _ = record_at(data, len(data) - len(MAGIC) - 29)
    assert opcode == FOOTER
    start, offsets, _ = footer.take("QQI")
    assert 0 < start < offsets
    return [(o, f) for _, o, f in records(data, start, offsets)]


def test_the_indexes_lead_to_every_message(file):
    found = Counter()
    chunks = [fields for opcode, fields in summary_records(file) if opcode == CHUNK_INDEX]
    for index in chunks:
        first_ns, last_ns, at, size = index.take("QQQQ")
        offsets = dict(index.pairs("HQ"))
        opcode, chunk, after = record_at(file, at)
        assert (opcode, after) == (CHUNK, at + size)
        start_ns, end_ns, n_bytes, _ = chunk.take("QQQI")
        assert (start_ns, end_ns) == (first_ns, last_ns)
        assert chunk.text() == ""
        body = chunk.bytes(chunk.take("Q"))
        assert len(body) == n_bytes
        times = []
        for channel, offset in offsets.items():
            opcode, entries, _ = record_at(file, offset)
            assert opcode == MESSAGE_INDEX
            assert entries.take("H") == channel
            for time_ns, place in entries.pairs("QQ"):
                opcode, message, _ = record_at(body, place)
                assert opcode == MESSAGE
                assert message.take("HIQQ")[::2] == (channel, time_ns)
                times.append(time_ns)
                found[channel] += 1
        assert (min(times), max(times)) == (first_ns, last_ns)
        inside = [opcode for _, opcode, _ in records(body, 0, len(body))]
        assert inside.count(MESSAGE) == len(times)
    assert sorted(found.values()) == [4, 4000]


def test_the_statistics_are_right(file):
    ((_, statistics),) = (r for r in summary_records(file) if r[0] == STATISTICS)
    n_messages, n_schemas, n_channels, n_attachments, n_metadata = statistics.take("QHIII")
    n_chunks, start_ns, end_ns = statistics.take("IQQ")
    assert (n_messages, n_schemas, n_channels, n_attachments, n_metadata) == (4004, 2, 3, 0, 1)
    assert n_chunks == sum(opcode == CHUNK_INDEX for opcode, _ in summary_records(file))
    assert (start_ns, end_ns) == (FIRST_NS, FIRST_NS + 3999 * STEP_NS)
    assert sorted(count for _, count in statistics.pairs("HQ")) == [0, 4, 4000]


def test_the_offsets_of_the_summary_lead_to_its_groups(file):
    _, footer, _ = record_at(file, len(file) - len(MAGIC) - 29)
    start, offsets, _ = footer.take("QQI")
    groups = {}
    for _, opcode, fields in records(file, offsets, len(file) - len(MAGIC) - 29):
        assert opcode == SUMMARY_OFFSET
        kind, at, size = fields.take("BQQ")
        groups[kind] = at, size
        assert {o for _, o, _ in records(file, at, at + size)} == {kind}
    assert set(groups) == {SCHEMA, CHANNEL, CHUNK_INDEX, METADATA_INDEX, STATISTICS}
    assert min(groups.values())[0] == start
