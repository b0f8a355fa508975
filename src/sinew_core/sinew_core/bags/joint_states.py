"""Decode serialised joint states into arrays, all messages of the same layout at once.

CDR aligns values to their size, counted from the fifth byte, so messages of the same frame, names
and numbers of values have them at the same places. A layout is found from one message; a message
belongs to it when it has the same length and, outside stamp, values and padding, the same bytes.
What no layout fits (big endian, damaged, one of very many kinds) is decoded by rosbags.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_typestore
from rosbags.typesys.store import Typestore
from rosbags.typesys.stores.ros2_jazzy import sensor_msgs__msg__JointState as JointStateMessage

from sinew_core.bags.storage import Block, Integers
from sinew_core.robots.arrays import Array

JOINT_STATE = "sensor_msgs/msg/JointState"
NS_PER_S = 1_000_000_000
_LITTLE_ENDIAN_CDR = b"\x00\x01"
_ORIGIN = 4
_STAMP_WORD = 1
_FRAME_AT = 12
_MAX_LAYOUTS = 16
"""Of one length; and how often a block of messages is searched for new ones."""
Words = NDArray[np.uint32]


class UndecodableError(Exception):
    """A message cannot be decoded; `time_ns` is its log time."""

    def __init__(self, time_ns: int, error: Exception) -> None:
        """Say which, and why."""
        super().__init__(" ".join(f"{type(error).__name__}: {error}".split()))
        self.time_ns = time_ns


@dataclass(frozen=True, kw_only=True, eq=False)
class JointStates:
    """All k messages of a topic that name the same m joints and fill the same fields.

    Attributes:
        names: the m joints.
        index: (k,) place among all messages of the topic, as stored.
        log_ns: (k,) when each was recorded.
        stamp_ns: (k,) of the header.
        position, velocity, effort: (k, p), (k, v), (k, e); m columns or, where the sender gave
            none or another number, those.
    """

    names: tuple[str, ...]
    index: Integers
    log_ns: Integers
    stamp_ns: Integers
    position: Array
    velocity: Array
    effort: Array


@functools.cache
def typestore() -> Typestore:
    """Return the message types of ROS 2, which do not differ here between its releases."""
    return get_typestore(Stores.ROS2_JAZZY)


class _Layout(NamedTuple):
    """Where messages of one layout hold what, in words of four bytes.

    `expected` are the words at `fixed`, as far as `mask` has bits; `fields` are (first word,
    number of values).
    """

    names: tuple[str, ...]
    fixed: NDArray[np.intp]
    mask: Words
    expected: Words
    fields: tuple[tuple[int, int], ...]

    def fits(self, words: Words) -> NDArray[np.bool_]:
        """Tell of messages (k, w) which have this layout."""
        differing: Words = (words[:, self.fixed] ^ self.expected) & self.mask
        return np.asarray(~differing.any(axis=1))

    def values(self, words: Words, which: int) -> Array:
        """Return positions, velocities or efforts (k, n) of messages of this layout."""
        first, count = self.fields[which]
        part = np.ascontiguousarray(words[:, first : first + 2 * count])
        return cast(Array, part.view("<f8").astype(np.float64, copy=False))


@dataclass(kw_only=True)
class _Collected:
    """Parts of the arrays of `JointStates`."""

    parts: list[tuple[Integers, Integers, Integers, Array, Array, Array]] = field(
        default_factory=list
    )


class JointStateDecoder:
    """Decode the messages of one topic, block by block."""

    def __init__(self, *, fast: bool = True) -> None:
        """Begin without known layouts; `fast` off: decode every message by rosbags."""
        self._fast = fast
        self._layouts: dict[int, list[_Layout]] = {}
        self._collected: dict[tuple[object, ...], _Collected] = {}
        self._seen = 0

    def add(self, block: Block) -> None:
        """Decode a block.

        Raises:
            UndecodableError: names the message that cannot be decoded.
        """
        left = np.arange(block.length.size)
        if self._fast:
            lengths = np.unique(block.length).tolist()
            groups = [np.flatnonzero(block.length == n) for n in lengths[:_MAX_LAYOUTS]]
            rest = np.flatnonzero(~np.isin(block.length, lengths[:_MAX_LAYOUTS]))
            left = np.concatenate([rest, *(self._add_equal(block, rows) for rows in groups)])
        for row in np.sort(left).tolist():
            self._add_slowly(block, row)
        self._seen += block.length.size

    def result(self) -> list[JointStates]:
        """Return all that was decoded, by kinds of messages."""
        kinds = []
        for key, collected in self._collected.items():
            columns = [np.concatenate(c) for c in zip(*collected.parts, strict=True)]
            names = cast("tuple[str, ...]", key[0])
            index, log_ns, stamp_ns, position, velocity, effort = columns
            kinds.append(
                JointStates(
                    names=names,
                    index=index,
                    log_ns=log_ns,
                    stamp_ns=stamp_ns,
                    position=position,
                    velocity=velocity,
                    effort=effort,
                )
            )
        return kinds

    def _add_equal(self, block: Block, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Decode messages of equal length; return those that no layout fits."""
        length = int(block.length[rows[0]])
        layouts = self._layouts.setdefault(length, [])
        words = _words(block, rows, length)
        for layout in layouts:
            rows, words = self._take(block, layout, rows, words)
        skipped = []
        for _ in range(_MAX_LAYOUTS):
            if not rows.size or len(layouts) == _MAX_LAYOUTS:
                break
            start = int(block.offset[rows[0]])
            found = _find_layout(block.data[start : start + length])
            if found is None:
                skipped.append(rows[:1])
                rows, words = rows[1:], words[1:]
            else:
                layouts.append(found)
                rows, words = self._take(block, found, rows, words)
        return np.concatenate([rows, *skipped])

    def _take(
        self, block: Block, layout: _Layout, rows: NDArray[np.intp], words: Words
    ) -> tuple[NDArray[np.intp], Words]:
        """Decode the messages of a layout; return the others."""
        if not rows.size:
            return rows, words
        fits = layout.fits(words)
        mine, own = rows[fits], words[fits]
        if mine.size:
            seconds = own[:, _STAMP_WORD].view(np.int32).astype(np.int64)
            stamp_ns = seconds * NS_PER_S + own[:, _STAMP_WORD + 1]
            values = [layout.values(own, which) for which in range(3)]
            self._collect(layout.names, mine + self._seen, block.time_ns[mine], stamp_ns, values)
        return rows[~fits], words[~fits]

    def _add_slowly(self, block: Block, row: int) -> None:
        start, length = int(block.offset[row]), int(block.length[row])
        try:
            decoded = typestore().deserialize_cdr(block.data[start : start + length], JOINT_STATE)
        # Damaged bytes fail wherever they happen to lead.
        except Exception as error:
            raise UndecodableError(int(block.time_ns[row]), error) from None
        message = cast(JointStateMessage, decoded)
        stamp = message.header.stamp
        stamp_ns = np.array([stamp.sec * NS_PER_S + stamp.nanosec], np.int64)
        fields = (message.position, message.velocity, message.effort)
        values = [np.asarray(v, np.float64).reshape(1, -1) for v in fields]
        index = np.array([row + self._seen], np.int64)
        self._collect(tuple(message.name), index, block.time_ns[row : row + 1], stamp_ns, values)

    def _collect(
        self,
        names: tuple[str, ...],
        index: Integers,
        log_ns: Integers,
        stamp_ns: Integers,
        values: list[Array],
    ) -> None:
        position, velocity, effort = values
        key = (names, *(v.shape[1] for v in values))
        collected = self._collected.setdefault(key, _Collected())
        collected.parts.append((index, log_ns, stamp_ns, position, velocity, effort))


def decode_joint_states(blocks: Iterable[Block], *, fast: bool = True) -> list[JointStates]:
    """Decode all blocks of a topic; both ways give the same.

    Raises:
        UndecodableError: names the message that cannot be decoded.
    """
    decoder = JointStateDecoder(fast=fast)
    for block in blocks:
        decoder.add(block)
    return decoder.result()


def _words(block: Block, rows: NDArray[np.intp], length: int) -> Words:
    """Return messages of equal length as words (k, length // 4)."""
    whole = length - length % 4
    data = np.frombuffer(block.data, np.uint8)
    offset = block.offset[rows]
    steps = np.diff(offset)
    if not whole:
        return np.empty((rows.size, 0), np.uint32)
    if steps.size and (steps == steps[0]).all() and steps[0] > 0:
        first = data[offset[0] :]
        found = as_strided(first, (rows.size, whole), (int(steps[0]), 1), writeable=False)
    else:
        found = sliding_window_view(data, whole)[offset]
    return cast(Words, np.ascontiguousarray(found).view("<u4").astype(np.uint32, copy=False))


def _find_layout(message: bytes) -> _Layout | None:
    """Return the layout of a message, None unless it is a plain one."""
    try:
        return _Parser(message).layout()
    except (struct.error, UnicodeDecodeError, ValueError):
        return None


class _Parser:
    """Walk through one message and note which of its bytes make the layout."""

    def __init__(self, message: bytes) -> None:
        if not message.startswith(_LITTLE_ENDIAN_CDR):
            raise ValueError("not in little endian order")
        self._message = message
        self._at = _FRAME_AT
        self._is_fixed = bytearray(len(message) - len(message) % 4)
        self._fix(0, len(_LITTLE_ENDIAN_CDR))

    def layout(self) -> _Layout:
        """Return what was found.

        Raises:
            struct.error, UnicodeDecodeError, ValueError: if the message is not what it should be.
        """
        self._text()
        names = tuple(self._text() for _ in range(self._count(least_bytes=4)))
        fields = tuple(self._doubles() for _ in range(3))
        if not 0 <= len(self._message) - self._at <= 3:
            raise ValueError("another length than its content")
        mask = np.frombuffer(bytes(self._is_fixed), np.uint8) * np.uint8(0xFF)
        words = mask.view("<u4").astype(np.uint32)
        fixed = np.flatnonzero(words)
        message = np.frombuffer(self._message[: len(self._is_fixed)], "<u4").astype(np.uint32)
        return _Layout(names, fixed, words[fixed], message[fixed], fields)

    def _count(self, least_bytes: int) -> int:
        """Return a number of elements, each of at least so many bytes."""
        self._at += -(self._at - _ORIGIN) % 4
        (count,) = struct.unpack_from("<I", self._message, self._at)
        self._fix(self._at, self._at + 4)
        self._at += 4
        if count * least_bytes > len(self._message) - self._at:
            raise ValueError("more elements than bytes")
        return int(count)

    def _text(self) -> str:
        size = self._count(least_bytes=1)
        text = self._message[self._at : self._at + max(size - 1, 0)].decode()
        self._fix(self._at, self._at + size)
        self._at += size
        return text

    def _doubles(self) -> tuple[int, int]:
        count = self._count(least_bytes=8)
        if count:
            self._at += -(self._at - _ORIGIN) % 8
        first = self._at // 4
        self._at += 8 * count
        return first, count

    def _fix(self, start: int, end: int) -> None:
        self._is_fixed[start:end] = b"\1" * (end - start)
