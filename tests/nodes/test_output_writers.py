"""Outputs as bytes, for each adapter and any order of joints, as rclpy reads them."""

from __future__ import annotations

from array import array

from builtin_interfaces.msg import Duration
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from sinew_ros.raw import (
    ControllerCommandWriter,
    OrderedCommandWriter,
    TrajectoryWriter,
    read_message,
)

text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
stamps = st.integers(0, 2**63)


@st.composite
def ordered(draw):
    """Return some values and an order of them."""
    values = draw(st.lists(st.floats(allow_nan=False), min_size=1, max_size=9))
    return values, draw(st.permutations(range(len(values))))


@given(given=ordered(), state=stamps, command=stamps, record=text)
def test_an_order_moves_the_values_and_nothing_else(given, state, command, record):
    values, order = given
    writer = OrderedCommandWriter(order)
    data = writer.write(values, state, command, record)
    assert writer.last == data
    moved = [values[i] for i in order]
    assert data == ControllerCommandWriter(len(values)).write(moved, state, command, record)
    assert deserialize_message(data, Float64MultiArray).data == array("d", moved)


@settings(max_examples=50)
@given(
    given=ordered(),
    names=st.lists(text, min_size=9, max_size=9),
    state=stamps,
    command=stamps,
    record=text,
    time_ns=st.integers(0, 2**31 * 10**9 - 1),
)
def test_trajectories_are_written_as_rclpy_reads_them(
    given, names, state, command, record, time_ns
):
    values, order = given
    names = names[: len(values)]
    writer = TrajectoryWriter(names, order, time_ns)
    data = writer.write(values, state, command, record)
    sec, nanosec = divmod(time_ns, 10**9)
    message = JointTrajectory(
        joint_names=names,
        points=[
            JointTrajectoryPoint(
                positions=array("d", [values[i] for i in order]),
                time_from_start=Duration(sec=sec, nanosec=nanosec),
            )
        ],
    )
    message.header.frame_id = f"{state} {command} {record}"
    assert writer.last == data
    # rclpy leaves in its gaps what was in memory, and more room than it needs at the end.
    assert len(data) <= len(serialize_message(message)) < len(data) + 16
    assert read_message(data, JointTrajectory) == message


@given(head=st.sampled_from([b"", b"\0\1\0\0", b"\0\0\0\0"]), body=st.binary(max_size=99))
def test_bytes_that_are_no_trajectory_are_none_or_read_whole(head, body):
    found = read_message(head + body, JointTrajectory)
    assert found is None or isinstance(found, JointTrajectory)
