"""Both ways of decoding joint states give the same, whatever the messages are."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.bag.samples import STATE, STORE, joint_state
from sinew_core.bags.joint_states import UndecodableError, decode_joint_states
from sinew_core.bags.storage import Block, places

NAMES = st.lists(st.text(st.characters(codec="utf-8"), max_size=9), max_size=5)
VALUES = st.floats(width=64)


@st.composite
def messages(draw):
    """Joint states of a few layouts, mixed, some with fields of other lengths or byte order."""
    layouts = draw(st.lists(st.tuples(NAMES, st.text("ab", max_size=6)), min_size=1, max_size=4))
    found = []
    for names, frame in draw(st.lists(st.sampled_from(layouts), max_size=12)):
        n = len(names)
        sizes = [draw(st.sampled_from((n, n, n, 0, n + 1))) for _ in range(3)]
        fields = [draw(st.lists(VALUES, min_size=s, max_size=s)) for s in sizes]
        stamp = draw(st.integers(0, 2**31 * 10**9 - 1))
        little = draw(st.sampled_from((True, True, True, False)))
        found.append(joint_state(stamp, names, *fields, frame=frame, little=little))
    return found


def block_of(datas, first=0, gap=b""):
    """Return messages as a block, with other bytes between them."""
    offset, length = places([d + gap for d in datas])
    k = len(datas)
    time_ns = np.arange(first, first + k) * 1000
    return Block(
        b"".join(d + gap for d in datas),
        np.ones(k, np.int64),
        time_ns,
        offset,
        length - len(gap),
        0,
    )


def rows(kinds):
    """Return every message by its index, bit for bit."""
    found = {}
    for kind in kinds:
        for i, index in enumerate(kind.index.tolist()):
            assert index not in found
            values = [getattr(kind, f)[i].tobytes() for f in ("position", "velocity", "effort")]
            found[index] = (kind.names, int(kind.log_ns[i]), int(kind.stamp_ns[i]), *values)
    return found


def peer_rows(datas):
    """Return the same by rosbags, message by message."""
    found = {}
    for index, data in enumerate(datas):
        message = STORE.deserialize_cdr(data, STATE)
        stamp = message.header.stamp
        values = [
            np.asarray(getattr(message, f), np.float64).tobytes()
            for f in ("position", "velocity", "effort")
        ]
        stamp_ns = stamp.sec * 10**9 + stamp.nanosec
        found[index] = (tuple(message.name), index * 1000, stamp_ns, *values)
    return found


@given(messages(), st.integers(1, 5), st.binary(max_size=9))
@settings(max_examples=30)
def test_layouts_and_single_messages_give_what_rosbags_gives(datas, size, gap):
    parts = [block_of(datas[i : i + size], i, gap) for i in range(0, len(datas), size)]
    expected = peer_rows(datas)
    assert rows(decode_joint_states(parts)) == expected
    assert rows(decode_joint_states(parts, fast=False)) == expected


@given(messages(), st.data())
@settings(max_examples=50)
def test_damaged_messages_give_the_same_both_ways_or_are_refused_by_both(datas, data):
    datas = list(datas)
    for index in data.draw(st.lists(st.integers(0, max(len(datas) - 1, 0)), max_size=3)):
        if not datas:
            break
        changed = bytearray(datas[index])
        at = data.draw(st.integers(0, max(len(changed) - 1, 0)))
        changed[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=8))
        datas[index] = bytes(changed)
    parts = [block_of(datas)]
    try:
        expected = rows(decode_joint_states(parts, fast=False))
    except UndecodableError:
        with pytest.raises(UndecodableError):
            decode_joint_states(parts)
        return
    assert rows(decode_joint_states(parts)) == expected


def test_padding_that_differs_does_not_matter():
    plain = joint_state(5, ["a", "b"], [1.0, 2.0], [3.0, 4.0])
    # After the frame's text of one byte there are three of padding.
    assert plain[12:20] == b"\1\0\0\0\0\0\0\0"
    other = plain[:17] + b"xyz" + plain[20:]
    (kind,) = decode_joint_states([block_of([plain, other] * 5)])
    assert kind.index.tolist() == list(range(10))
    assert kind.position.tolist() == [[1.0, 2.0]] * 10
    assert kind.effort.shape == (10, 0)


def test_names_of_equal_length_are_told_apart():
    datas = [joint_state(i, names, [1.0, 2.0]) for i, names in enumerate([["a", "b"], ["b", "a"]])]
    kinds = decode_joint_states([block_of(datas * 3)])
    assert sorted((k.names, k.index.tolist()) for k in kinds) == [
        (("a", "b"), [0, 2, 4]),
        (("b", "a"), [1, 3, 5]),
    ]


def test_more_layouts_than_are_kept_are_decoded_one_by_one():
    datas = [joint_state(i, [f"joint{i:03}"], [float(i)]) for i in range(60)]
    datas += [joint_state(i, ["x" * i], [float(i)]) for i in range(60)]
    assert rows(decode_joint_states([block_of(datas)])) == peer_rows(datas)


def test_seconds_before_1970_and_stamps_of_the_last_second_are_kept():
    data = bytearray(joint_state(0, ["a"], [math.nan]))
    data[4:12] = struct.pack("<iI", -1, 999_999_999)
    (kind,) = decode_joint_states([block_of([bytes(data)])])
    assert kind.stamp_ns.tolist() == [-1]
    assert math.isnan(kind.position[0, 0])


@pytest.mark.parametrize("at", [12, 20, 28])
@pytest.mark.parametrize("count", [0xFFFFFFFF, 0x7FFFFFFF, 0x00FFFFFF])
def test_a_count_beyond_the_message_is_refused_at_once(at, count):
    data = bytearray(joint_state(3, ["a"], [1.0]))
    data[at : at + 4] = struct.pack("<I", count)
    with pytest.raises(UndecodableError) as error:
        decode_joint_states([block_of([joint_state(3, ["a"], [1.0]), bytes(data)])])
    assert error.value.time_ns == 1000


@given(st.lists(st.binary(max_size=80), max_size=6))
@settings(max_examples=100)
def test_any_bytes_are_decoded_or_refused(datas):
    for prefix in (b"", b"\0\1\0\0", b"\0\0\0\0"):
        block = block_of([prefix + data for data in datas])
        try:
            kinds = decode_joint_states([block])
        except UndecodableError:
            continue
        assert sum(kind.index.size for kind in kinds) == len(datas)
