"""Joint states by name, raw and as messages; commands; parameters' descriptors. No processes."""

from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray, MultiArrayDimension

from sinew_core.parameters import FieldInfo
from sinew_ros.messages import (
    CommandMessage,
    JointStateMapper,
    answered_stamp,
    command_stamp,
)
from sinew_ros.parameters import descriptor
from sinew_ros.raw import (
    ControllerCommandWriter,
    JointStateReader,
    JointStateWriter,
    read_controller_command,
)
from sinew_ros.stamps import set_stamp, stamp_ns, to_stamp

names = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9), max_size=9
)
doubles = st.lists(st.floats(allow_nan=False), max_size=9)


def state(stamp, **fields):
    message = JointState(**fields)
    set_stamp(message.header.stamp, stamp)
    return message


def padded(message):
    """Return the bytes as they come over the wire: rclpy pads where trailing arrays are empty."""
    return bytes(serialize_message(message))


@given(stamp=st.integers(0, 2**31 * 10**9 - 1), n=names, q=doubles, v=doubles, e=doubles)
def test_raw_joint_states_read_as_rclpy_reads_them(stamp, n, q, v, e):
    message = state(
        stamp, name=n, position=array("d", q), velocity=array("d", v), effort=array("d", e)
    )
    message.header.frame_id = "".join(n[:1])
    reader = JointStateReader()
    for _ in range(2):
        assert reader.read(padded(message)) == (stamp, n, tuple(q), tuple(v), tuple(e))


def test_a_change_of_names_is_noticed_in_raw_joint_states():
    reader = JointStateReader()
    for n in (["a", "b"], ["b", "a"], ["a"], ["a", "b", "c"]):
        message = state(5, name=n, position=array("d", range(len(n))))
        assert reader.read(padded(message))[1:3] == (n, tuple(map(float, range(len(n)))))


def test_big_endian_joint_states_are_read_too():
    # Header, then stamp (1 s, 2 ns), frame "", one name "a", one position 1.0, no more.
    body = "00000001 00000002 00000001 00000000 00000001 00000002 61000000 00000001"
    data = bytes.fromhex("00000000" + body + "3ff0000000000000" + "00000000" * 2)
    assert JointStateReader().read(data) == (1_000_000_002, ["a"], (1.0,), (), ())


@pytest.mark.parametrize("raw", [False, True])
def test_joints_are_mapped_by_name_and_partial_messages_merge(raw):
    mapper = JointStateMapper(["a", "b"])
    update = (lambda m: mapper.update_raw(padded(m))) if raw else mapper.update
    assert update(state(10, name=["x", "b"], position=[9.0, 2.0], velocity=[9.0, 0.2], effort=[]))
    assert mapper.missing == ("a",)
    assert update(state(20, name=["a"], position=[1.0], velocity=[0.1], effort=[5.0]))
    assert mapper.complete
    assert (mapper.position, mapper.velocity, mapper.effort) == ([1.0, 2.0], [0.1, 0.2], [5.0, 0.0])
    assert mapper.updated_ns == [20, 10]
    assert not update(state(30, name=["x"], position=[1.0]))
    assert mapper.stamp_ns == 20


def test_a_missing_or_nan_velocity_is_the_difference_of_positions():
    mapper = JointStateMapper(["a"])
    mapper.update(state(1_000_000_000, name=["a"], position=[1.0]))
    assert mapper.velocity == [0.0]
    mapper.update(state(1_010_000_000, name=["a"], position=[1.02], velocity=[math.nan]))
    assert mapper.velocity[0] == pytest.approx(0.02 / 0.01)


def test_positions_far_apart_in_time_show_no_velocity():
    mapper = JointStateMapper(["a"])
    mapper.update(state(1_000_000_000, name=["a"], position=[1.0]))
    mapper.update(state(1_110_000_000, name=["a"], position=[2.0]))
    assert mapper.velocity == [0.0]
    mapper.update(state(1_210_000_000, name=["a"], position=[2.1]))
    assert mapper.velocity[0] == pytest.approx(1.0)


two = st.lists(st.floats(), min_size=2, max_size=2)


@given(q=two, v=two, e=two)
def test_the_order_of_the_joints_in_a_message_makes_no_difference(q, v, e):
    mapped = []
    for order in (slice(None), slice(None, None, -1)):
        mapper = JointStateMapper(["a", "b"])
        mapper.update(state(10, name=["b", "a"], position=[0.5, -0.5], velocity=[0.1, 0.2]))
        fields = {"name": ["a", "b"], "position": q, "velocity": v, "effort": e}
        mapper.update(state(20, **{field: values[order] for field, values in fields.items()}))
        mapped.append(vars(mapper))
    for field in ("position", "velocity", "effort", "updated_ns", "stamp_ns"):
        assert repr(mapped[0][field]) == repr(mapped[1][field])


def test_a_position_that_is_not_finite_is_not_used():
    mapper = JointStateMapper(["a"])
    assert not mapper.update(state(1, name=["a"], position=[math.nan]))
    assert not mapper.complete


def test_a_controller_command_carries_its_stamps_and_a_foreign_one_none():
    data = ControllerCommandWriter(2).write([0.1, 0.2], 1_010_000_000, 1_000_000_000)
    message = deserialize_message(data, Float64MultiArray)
    assert (answered_stamp(message), command_stamp(message)) == (1_010_000_000, 1_000_000_000)
    assert message.layout.dim[0].size == message.layout.dim[0].stride == 2
    assert answered_stamp(Float64MultiArray(data=[0.1, 0.2])) is None


some = st.lists(st.floats(), min_size=1, max_size=9)
text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=99)


@given(stamp=st.integers(0, 2**31 * 10**9 - 1), n=names.filter(len), values=st.data())
def test_joint_states_are_written_as_rclpy_writes_them(stamp, n, values):
    q, v, e = (
        values.draw(st.lists(st.floats(), min_size=len(n), max_size=len(n))) for _ in range(3)
    )
    message = state(
        stamp, name=n, position=array("d", q), velocity=array("d", v), effort=array("d", e)
    )
    data = JointStateWriter(n).write(stamp, q, v, e)
    assert len(data) == len(padded(message))
    assert repr(deserialize_message(data, JointState)) == repr(message)  # NaN equals NaN


@given(values=some, state_stamp=st.integers(0), command=st.integers(0), record=text)
def test_controller_commands_are_written_as_rclpy_writes_and_reads_them(
    values, state_stamp, command, record
):
    writer = ControllerCommandWriter(len(values))
    data = writer.write(values, state_stamp, command, record)
    message = deserialize_message(data, Float64MultiArray)
    assert len(data) == len(padded(message))
    assert writer.last == data
    assert message.data.tobytes() == array("d", values).tobytes()
    assert [d.label for d in message.layout.dim] == [str(state_stamp), str(command), record]
    label, read = read_controller_command(data)
    assert label == str(state_stamp)
    assert array("d", read).tobytes() == array("d", values).tobytes()


@given(labels=st.lists(text, max_size=3), values=st.lists(st.floats(allow_nan=False), max_size=9))
def test_any_array_is_read_as_rclpy_reads_it(labels, values):
    message = Float64MultiArray(data=array("d", values))
    message.layout.dim = [MultiArrayDimension(label=label, size=3) for label in labels]
    expected = labels[0] if labels else "", tuple(values)
    assert read_controller_command(padded(message)) == expected


@given(head=st.sampled_from([b"", b"\0\1\0\0", b"\0\0\0\0"]), body=st.binary(max_size=99))
def test_bytes_that_are_no_controller_command_have_no_values_or_finite_time(head, body):
    label, values = read_controller_command(head + body)
    assert isinstance(label, str)
    assert len(values) <= len(body) // 8


@pytest.mark.parametrize(
    ("mode", "field"),
    [("joint_velocity", "velocities"), ("joint_position", "positions"), ("joint_effort", "effort")],
)
def test_a_command_fills_the_field_of_its_mode_only(mode, field):
    message = CommandMessage(["a", "b"], mode, "policy", 0.04).fill(7, [0.1, 0.2])
    point = message.points[0]
    values = {f: list(getattr(point, f)) for f in ("positions", "velocities", "effort")}
    assert values == {f: [0.1, 0.2] if f == field else [] for f in values}
    assert point.time_from_start.nanosec == 40_000_000
    assert (stamp_ns(message.header.stamp), message.header.frame_id) == (7, "policy")


def test_stamps_survive_the_round_trip():
    assert stamp_ns(to_stamp(12_345_678_901)) == 12_345_678_901


def test_a_descriptor_shows_unit_range_and_choices():
    ranged = descriptor("x", FieldInfo(description="Age", unit="s", minimum=0.5), integer=False)
    assert ranged.description == "Age [s]"
    assert ranged.read_only
    assert ranged.floating_point_range[0].from_value == 0.5
    chosen = descriptor("x", FieldInfo(description="Pace", choices=("a", "b")), integer=False)
    assert chosen.additional_constraints == "one of a, b"
    assert not chosen.floating_point_range
