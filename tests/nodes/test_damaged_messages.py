"""Joint states whose bytes are damaged, or whose text is no UTF-8: reading them, and the nodes."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patience import PATIENT
from policy_rig import START, Rig, state, target, write_policy
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState
from test_graph import DRIVER, FILTER, JOINTS, Graph

from sinew_ros.messages import JointStateMapper
from sinew_ros.qos import RELIABLE
from sinew_ros.raw import JointStateReader, read_stamp
from sinew_ros.stamps import stamp_ns

NO_UTF8 = b"\xff\xfe\xc3"
TEXT = NO_UTF8.decode(errors="replace")


def whole(names=("a", "xxx")):
    """Return the bytes of a joint state."""
    values = array("d", [0.5] * len(names))
    message = JointState(name=list(names), position=values, velocity=values, effort=values)
    message.header.stamp.sec = 7
    message.header.frame_id = "xxx"
    return bytes(serialize_message(message))


def test_text_that_is_no_utf_8_reads_as_in_rclpy():
    data = whole().replace(b"xxx", NO_UTF8)
    message = deserialize_message(data, JointState)
    assert message.header.frame_id == TEXT
    fields = JointStateReader().read(data)
    assert fields == (7_000_000_000, message.name, (0.5, 0.5), (0.5, 0.5), (0.5, 0.5))
    mapper = JointStateMapper(["a"])
    assert mapper.update_raw(data)
    assert mapper.damaged == 0


def test_a_joint_state_that_is_cut_off_is_left_out_and_counted():
    data = whole()
    # rclpy pads a message to a multiple of four bytes, and 8 of effort's 16 are not enough.
    end = len(data) - 8
    mapper = JointStateMapper(["a"])
    for length in range(end):
        assert not mapper.update_raw(data[:length])
    assert mapper.damaged == end
    assert not mapper.complete
    assert mapper.update_raw(data)
    assert read_stamp(data[:12]) == 7_000_000_000
    assert read_stamp(data[:11]) is None


@given(head=st.sampled_from([b"", b"\0\1\0\0", b"\0\0\0\0"]), body=st.binary(max_size=99))
def test_any_bytes_are_read_as_a_joint_state_or_not_at_all(head, body):
    fields = JointStateReader().read(head + body)
    assert fields is None or len(fields) == 5
    stamp = read_stamp(head + body)
    assert fields is None or fields[0] == stamp


@pytest.mark.graph
def test_a_filter_goes_on_after_damaged_joint_states_and_counts_them(start_node, probe):
    start_node(DRIVER, {"engine": "mujoco", "driver_watchdog_s": 2.0})
    start_node(FILTER, PATIENT)
    graph = Graph(probe)
    graph.armed()
    graph.drive(lambda: graph.speed() > 0.1, "motion")
    damaged = probe.publisher(JointState, "joint_states", RELIABLE)
    damaged.publish(whole(("xxx",)).replace(b"xxx", NO_UTF8))
    damaged.publish(whole(JOINTS)[:-16])
    graph.drive(lambda: graph.filter_report().get("states_damaged") == "1", "one is counted")
    count = len(graph.outputs)
    graph.drive(lambda: len(graph.outputs) > count + 20, "further outputs")
    assert graph.filter_state() == "armed"
    assert graph.speed() > 0.1


@pytest.mark.graph
def test_a_policy_goes_on_after_damaged_joint_states_and_counts_them(start_node, probe, tmp_path):
    rig = Rig(probe, start_node, write_policy(tmp_path / "bundle"), pace="lockstep")
    for data in (whole(("xxx",)).replace(b"xxx", NO_UTF8), whole(JOINTS)[:-16]):
        rig.states.publish(data)
    rig.targets.publish(target(START))
    rig.states.publish(state(START))
    rig.until_commands(1)
    assert stamp_ns(rig.commands[0].header.stamp) == START
    rig.until_count("damaged", 1)
    rig.until_count("epochs", 0)
