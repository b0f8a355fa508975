"""Read joint states from their serialised form, which skips building a message object.

The layout is that of CDR, little endian: values aligned to their size, counted from the fifth byte.
"""

from __future__ import annotations

import struct

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState

from sinew_ros.stamps import NS_PER_S, stamp_ns

JointStateFields = tuple[int, list[str], tuple[float, ...], tuple[float, ...], tuple[float, ...]]
"""Stamp in ns, names, positions, velocities, efforts."""

_LITTLE_ENDIAN_CDR = b"\x00\x01"
_ORIGIN = 4
_FRAME_AT = 12
_STAMP = struct.Struct("<iI")
_COUNT = struct.Struct("<I")


class JointStateReader:
    """Read the joint states of one topic; the names are decoded only when they change."""

    def __init__(self) -> None:
        """Begin without known names."""
        self._prefix = b""
        self._names: list[str] = []
        self._doubles: dict[int, struct.Struct] = {}

    def read(self, data: bytes) -> JointStateFields:
        """Return the fields; the list of names is the same object while the names stay the same."""
        if not data.startswith(_LITTLE_ENDIAN_CDR):
            return _read_by_rclpy(data)
        seconds, nanoseconds = _STAMP.unpack_from(data, _ORIGIN)
        if not self._prefix or not data.startswith(self._prefix, _FRAME_AT):
            self._read_names(data)
        at = _FRAME_AT + len(self._prefix)
        position, at = self._read_doubles(data, at)
        velocity, at = self._read_doubles(data, at)
        effort, at = self._read_doubles(data, at)
        return seconds * NS_PER_S + nanoseconds, self._names, position, velocity, effort

    def _read_doubles(self, data: bytes, at: int) -> tuple[tuple[float, ...], int]:
        at += (_ORIGIN - at) % 4
        (count,) = _COUNT.unpack_from(data, at)
        at += 4
        if not count:
            return (), at
        at += (_ORIGIN - at) % 8
        doubles = self._doubles.get(count)
        if doubles is None:
            doubles = self._doubles[count] = struct.Struct(f"<{count}d")
        return doubles.unpack_from(data, at), at + 8 * count

    def _read_names(self, data: bytes) -> None:
        """Decode frame and names, and remember their bytes."""
        _, at = _read_string(data, _FRAME_AT)
        at += (_ORIGIN - at) % 4
        (count,) = _COUNT.unpack_from(data, at)
        at += 4
        names = []
        for _ in range(count):
            name, at = _read_string(data, at)
            names.append(name)
        self._names, self._prefix = names, bytes(data[_FRAME_AT:at])


def read_stamp(data: bytes) -> int:
    """Return the stamp in ns of a serialised joint state."""
    if not data.startswith(_LITTLE_ENDIAN_CDR):
        return _read_by_rclpy(data)[0]
    seconds, nanoseconds = _STAMP.unpack_from(data, _ORIGIN)
    return int(seconds) * NS_PER_S + int(nanoseconds)


def _read_string(data: bytes, at: int) -> tuple[str, int]:
    at += (_ORIGIN - at) % 4
    (size,) = _COUNT.unpack_from(data, at)
    at += 4
    return data[at : at + size].rstrip(b"\0").decode(), at + size


def _read_by_rclpy(data: bytes) -> JointStateFields:
    message = deserialize_message(data, JointState)
    return (
        stamp_ns(message.header.stamp),
        list(message.name),
        tuple(message.position),
        tuple(message.velocity),
        tuple(message.effort),
    )
