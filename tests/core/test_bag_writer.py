"""Bags as they are written: exact bytes, whole files, nothing lost but what was not flushed."""

from __future__ import annotations

import sqlite3
import tracemalloc

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.highlevel import AnyReader
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)

from bag_samples import (
    FIRST_NS,
    STATE_TYPE,
    STATES,
    STEP_NS,
    STORAGES,
    STORE,
    STRING_TYPE,
    HandClock,
    joint_state,
    metadata,
    read_all,
    states,
    string,
    write,
)
from sinew_core.bags.message_types import MessageTypes
from sinew_core.bags.metadata import FileSummary, Topic, render_metadata
from sinew_core.bags.recovery import recover_bag
from sinew_core.bags.writer import BagWriter
from sinew_core.errors import BagError, ConfigError

each_storage = pytest.mark.parametrize("storage", STORAGES)
LATCHED = Qos(
    QosHistory.KEEP_LAST,
    1,
    QosReliability.RELIABLE,
    QosDurability.TRANSIENT_LOCAL,
    QosTime(9223372036, 854775807),
    QosTime(9223372036, 854775807),
    QosLiveliness.AUTOMATIC,
    QosTime(9223372036, 854775807),
    False,
)


@given(
    messages=st.lists(
        st.tuples(
            st.sampled_from(["/a", "/left/b", "/c"]),
            st.binary(max_size=200),
            st.integers(0, 4 * 10**9),
        ),
        min_size=1,
        max_size=40,
    ),
    storage=st.sampled_from(STORAGES),
)
@settings(max_examples=12)
def test_every_message_comes_back_byte_for_byte(tmp_path_factory, messages, storage):
    path = tmp_path_factory.mktemp("bag") / "bag"
    given = [
        (topic, STRING_TYPE, string(text), FIRST_NS + time_ns) for topic, text, time_ns in messages
    ]
    write(path, given, storage=storage, split_s=1.0)
    assert sorted(read_all(path)) == sorted(given)
    found = metadata(path)
    assert found["message_count"] == len(given)
    assert found["starting_time"]["nanoseconds_since_epoch"] == min(m[3] for m in given)
    assert found["duration"]["nanoseconds"] == max(m[3] for m in given) - min(m[3] for m in given)
    counts = {
        t["topic_metadata"]["name"]: t["message_count"] for t in found["topics_with_message_count"]
    }
    assert counts == {topic: sum(m[0] == topic for m in given) for topic in {m[0] for m in given}}


@each_storage
def test_a_bag_is_split_by_log_time_and_each_file_stands_alone(tmp_path, storage):
    messages = states(2500)
    write(tmp_path / "bag", messages, storage=storage, split_s=1.0)
    found = metadata(tmp_path / "bag")
    suffix = {"mcap": "mcap", "sqlite3": "db3"}[storage]
    assert found["relative_file_paths"] == [f"bag_{i}.{suffix}" for i in range(3)]
    assert [file["message_count"] for file in found["files"]] == [1000, 1000, 500]
    start_ns = [file["starting_time"]["nanoseconds_since_epoch"] for file in found["files"]]
    assert start_ns == [FIRST_NS, FIRST_NS + 10**9, FIRST_NS + 2 * 10**9]
    assert {f["duration"]["nanoseconds"] for f in found["files"]} == {999 * STEP_NS, 499 * STEP_NS}
    assert read_all(tmp_path / "bag") == messages
    for i, path in enumerate(found["relative_file_paths"]):
        assert read_all(tmp_path / "bag" / path) == messages[1000 * i : 1000 * (i + 1)]
    assert sorted(f.name for f in (tmp_path / "bag").iterdir()) == sorted(
        [*found["relative_file_paths"], "metadata.yaml"]
    )


@each_storage
def test_a_bag_is_split_by_the_clock_too(tmp_path, storage):
    clock = HandClock()
    with BagWriter(tmp_path / "bag", storage=storage, split_s=5.0, clock=clock) as writer:
        for message in states(3):
            writer.write(*message)
            clock.now_s += 4.0
            writer.tick()
    assert [file["message_count"] for file in metadata(tmp_path / "bag")["files"]] == [2, 1]


def test_the_metadata_are_those_of_rosbag2_version_9():
    topic = Topic(name="/x", msgtype=STRING_TYPE, type_hash="RIHS01_ab", qos=(LATCHED,))
    file = FileSummary(path="bag_0.mcap", start_ns=5, end_ns=25, counts={"/x": 3})
    text = render_metadata("mcap", [topic], [file], {"k": "v"})
    # As ros2 bag record of Jazzy writes it, but for the values.
    span = "duration: {nanoseconds: 20}, starting_time: {nanoseconds_since_epoch: 5}"
    forever = "{sec: 9223372036, nsec: 854775807}"
    expected = f"""
      rosbag2_bagfile_information:
        version: 9
        storage_identifier: mcap
        duration: {{nanoseconds: 20}}
        starting_time: {{nanoseconds_since_epoch: 5}}
        message_count: 3
        topics_with_message_count:
        - topic_metadata:
            name: /x
            type: std_msgs/msg/String
            serialization_format: cdr
            offered_qos_profiles:
            - history: keep_last
              depth: 1
              reliability: reliable
              durability: transient_local
              deadline: {forever}
              lifespan: {forever}
              liveliness: automatic
              liveliness_lease_duration: {forever}
              avoid_ros_namespace_conventions: false
            type_description_hash: RIHS01_ab
          message_count: 3
        compression_format: ""
        compression_mode: ""
        relative_file_paths: [bag_0.mcap]
        files:
        - {{path: bag_0.mcap, {span}, message_count: 3}}
        custom_data: {{k: v}}
        ros_distro: jazzy
    """
    assert yaml.safe_load(text) == yaml.safe_load(expected)


spans = st.tuples(
    st.integers(0, 2**62),
    st.integers(0, 2**40),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)),
)


@settings(max_examples=40)
@given(files=st.lists(spans, max_size=8), name=st.text(min_size=1, max_size=12))
def test_the_metadata_of_the_bag_follow_from_those_of_its_files(files, name):
    made = [
        FileSummary(path=f"{name}_{i}.mcap", start_ns=start, end_ns=start + span, counts=counts)
        for i, (start, span, counts) in enumerate(files)
    ]
    topics = [Topic(name=topic, msgtype=STRING_TYPE) for topic in "abc"]
    found = yaml.safe_load(render_metadata("mcap", topics, made))["rosbag2_bagfile_information"]
    filled = [file for file in made if sum(file.counts.values())]
    assert found["relative_file_paths"] == [file["path"] for file in found["files"]]
    assert found["relative_file_paths"] == [file.path for file in made]
    assert found["message_count"] == sum(file["message_count"] for file in found["files"])
    per_topic = found["topics_with_message_count"]
    assert found["message_count"] == sum(topic["message_count"] for topic in per_topic)
    start_ns = found["starting_time"]["nanoseconds_since_epoch"]
    end_ns = start_ns + found["duration"]["nanoseconds"]
    assert start_ns == min((file.start_ns for file in filled), default=0)
    assert end_ns == max((file.end_ns for file in filled), default=0)


@each_storage
def test_what_publishers_offer_and_silent_topics_are_in_the_bag(tmp_path, storage):
    with BagWriter(tmp_path / "bag", storage=storage, split_s=1.0) as writer:
        writer.add_topic("/robot_description", STRING_TYPE, [LATCHED])
        writer.add_topic("/silent", STRING_TYPE)
        writer.write("/robot_description", STRING_TYPE, string(b"<robot/>"), FIRST_NS)
        for message in states(1500):
            writer.write(*message)
    with AnyReader([tmp_path / "bag"]) as reader:
        by_topic = {c.topic: c for c in reader.connections}
        assert by_topic["/robot_description"].ext.offered_qos_profiles == [LATCHED]
        assert by_topic["/silent"].msgcount == 0
        assert by_topic[STATES].digest == STORE.hash_rihs01(STATE_TYPE)
        assert by_topic[STATES].msgdef.data.startswith("std_msgs/Header header")
        # A topic that is declared in one file only would be lost in the others.
        latched = [m for m in reader.messages() if m[0].topic == "/robot_description"]
        assert len(latched) == 1


def test_a_bag_without_messages_can_be_read(tmp_path):
    for storage in STORAGES:
        path = tmp_path / storage
        with BagWriter(path, storage=storage) as writer:
            writer.add_topic("/silent", STRING_TYPE)
        assert read_all(path) == []
        assert metadata(path)["message_count"] == 0


@pytest.mark.slow
def test_the_memory_does_not_grow_with_the_recording(tmp_path):
    message = joint_state(FIRST_NS)
    with BagWriter(tmp_path / "bag", split_s=0.25) as writer:
        tracemalloc.start()
        sizes = []
        for i in range(8_000):
            writer.write(STATES, STATE_TYPE, message, FIRST_NS + i * STEP_NS)
            if i in (1_999, 7_999):
                sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert sizes[1] - sizes[0] < 60_000  # 2 MB were written between the two


def test_a_database_is_sound_and_has_rosbag2s_tables(tmp_path):
    write(tmp_path / "bag", states(10), storage="sqlite3")
    database = sqlite3.connect(tmp_path / "bag" / "bag_0.db3")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("SELECT schema_version FROM schema").fetchall() == [(4,)]
    assert database.execute("SELECT encoding FROM message_definitions").fetchall() == [("ros2msg",)]
    ((version, text),) = database.execute("SELECT metadata_version, metadata FROM metadata")
    assert version == yaml.safe_load(text)["version"] == 9
    database.close()


def test_mistakes_end_in_one_line_with_the_remedy(tmp_path):
    writer = BagWriter(tmp_path / "bag")
    with pytest.raises(BagError, match="exists: give another folder"):
        BagWriter(tmp_path / "bag")
    with pytest.raises(ConfigError, match="did you mean 'mcap'"):
        BagWriter(tmp_path / "other", storage="mcp")
    (tmp_path / "file").touch()
    with pytest.raises(BagError, match="cannot be made"):
        BagWriter(tmp_path / "file" / "bag")
    with pytest.raises(BagError, match="unknown: install its package"):
        writer.write("/x", "no_msgs/msg/Thing", b"", FIRST_NS)
    writer.write(*states(1)[0])
    with pytest.raises(BagError, match="not std_msgs/msg/String"):
        writer.write(STATES, STRING_TYPE, string(b""), FIRST_NS)
    with pytest.raises(BagError, match="log time -1 ns"):
        writer.write(STATES, STATE_TYPE, b"", -1)
    writer.close()
    writer.close()
    with pytest.raises(BagError, match="is closed"):
        writer.write(*states(1)[0])
    assert read_all(tmp_path / "bag") == states(1)
    with pytest.raises(BagError, match="holds no files of a bag"):
        recover_bag(tmp_path)
    with pytest.raises(BagError, match="give the folder of a bag"):
        recover_bag(tmp_path / "none")


def test_a_type_of_ones_own_is_described_with_those_within():
    texts = {
        "mine/msg/Outer": "mine/Inner[] inner\nstd_msgs/Header header\n",
        "mine/msg/Inner": "float64 x\n",
    }
    types = MessageTypes(lambda name: texts.get(name, ""))
    made = types.define("mine/msg/Outer")
    assert "MSG: mine/Inner" in made.text
    assert "MSG: builtin_interfaces/Time" in made.text
    assert MessageTypes().learn("mine/msg/Outer", made.text).type_hash == made.type_hash != ""
    with pytest.raises(BagError, match=r"mine/msg/Inner \(within mine/msg/Outer\) is unknown"):
        MessageTypes(lambda name: texts["mine/msg/Outer"] if name.endswith("Outer") else "").define(
            "mine/msg/Outer"
        )
