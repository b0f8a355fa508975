"""The messages of every cycle in their serialised form, which skips building message objects.

The layout is that of CDR, little endian: values aligned to their size, counted from the fifth byte.
What is read in another byte order goes through rclpy, what is written is always little endian.
Bytes that are no such message are answered by None or no values. Text that is no UTF-8 is none of
these: as in rclpy, a replacement character stands for what cannot be decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TypeVar

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from sinew_ros.stamps import NS_PER_S, stamp_ns

M = TypeVar("M")
JointStateFields = tuple[int, list[str], tuple[float, ...], tuple[float, ...], tuple[float, ...]]
"""Stamp in ns, names, positions, velocities, efforts."""

_LITTLE_ENDIAN_CDR = b"\x00\x01"
_ORIGIN = 4
_FRAME_AT = 12
_STAMP = struct.Struct("<iI")
_COUNT = struct.Struct("<I")
_HEADER = bytes((*_LITTLE_ENDIAN_CDR, 0, 0))
_STAMPLESS = _HEADER + bytes(_STAMP.size)
"""Begins a message whose header's stamp is 0."""
_DIMENSIONS = _COUNT.pack(3)
_EXTENT = struct.Struct("<II")
"""Size and stride of a dimension; the data's offset and their number."""
_ONE = _EXTENT.pack(1, 1)
_DAMAGED = (struct.error, RuntimeError, ValueError, MemoryError)
"""What reading damaged bytes raises, here and in rclpy."""


class JointStateReader:
    """Read the joint states of one topic; the names are decoded only when they change."""

    def __init__(self) -> None:
        """Begin without known names."""
        self._prefix = b""
        self._names: list[str] = []
        self._doubles: dict[int, struct.Struct] = {}

    def read(self, data: bytes) -> JointStateFields | None:
        """Return the fields, None for bytes that are no joint state.

        The list of names is the same object while the names stay the same.
        """
        try:
            return self._read(data)
        except _DAMAGED:
            return None

    def _read(self, data: bytes) -> JointStateFields:
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
            doubles = struct.Struct(f"<{count}d")
            doubles.unpack_from(data, at)  # no count of a damaged message is kept
            self._doubles[count] = doubles
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


class JointStateWriter:
    """Write the joint states of the same joints again and again."""

    def __init__(self, joint_names: Sequence[str]) -> None:
        """Name the joints, in this order."""
        n = len(joint_names)
        texts = [_text(name) for name in joint_names]
        self._fixed = b"".join([_text(""), _COUNT.pack(n), *texts])
        at = _FRAME_AT - _ORIGIN + len(self._fixed)
        layout = f"<4siI{len(self._fixed)}s"
        for _ in range(3):
            at += 4
            layout += f"I{-at % 8}x{n}d"
            at += -at % 8 + 8 * n
        self._layout = struct.Struct(layout)
        self._n = n

    def write(
        self,
        stamp: int,
        position: Sequence[float],
        velocity: Sequence[float],
        effort: Sequence[float],
    ) -> bytes:
        """Return the message with these values (n,): ns, rad, rad/s, N m."""
        seconds, nanoseconds = divmod(stamp, NS_PER_S)
        n = self._n
        return self._layout.pack(
            _HEADER, seconds, nanoseconds, self._fixed, n, *position, n, *velocity, n, *effort
        )


class ControllerCommandWriter:
    """Write the commands for `<controller>/commands`, a `Float64MultiArray`.

    The labels of `layout.dim` say what the values were made of; real controllers ignore them:

    - `dim[0]`: stamp of the joint state answered, in nanoseconds;
    - `dim[1]`: stamp of the policy's command in force, in nanoseconds, 0 without one;
    - `dim[2]`: what the filter did, see `sinew_core.safety.record`.

    `last` is the last one.
    """

    def __init__(self, n_joints: int) -> None:
        """Write commands of `n_joints` values."""
        self._joints = _EXTENT.pack(n_joints, n_joints)
        self._tail = _EXTENT.pack(0, n_joints)
        self._values = struct.Struct(f"<{n_joints}d")
        self.last = self.write([0.0] * n_joints, 0)

    def write(
        self, values: Sequence[float], state_stamp: int, command_stamp: int = 0, record: str = ""
    ) -> bytes:
        """Return the message with these values (n,)."""
        head = b"".join(
            (
                *(_HEADER, _DIMENSIONS),
                *(_text(str(state_stamp)), self._joints),
                *(_text(str(command_stamp)), _ONE),
                *(_text(record), _ONE),
                self._tail,
            )
        )
        self.last = head + b"\0" * ((_ORIGIN - len(head)) % 8) + self._values.pack(*values)
        return self.last


class OrderedCommandWriter(ControllerCommandWriter):
    """Write the same for a controller whose joints are in another order."""

    def __init__(self, order: Sequence[int]) -> None:
        """Send `values[order[k]]` as the controller's k-th value."""
        self._pick = _picking(order)
        super().__init__(len(order))

    def write(
        self, values: Sequence[float], state_stamp: int, command_stamp: int = 0, record: str = ""
    ) -> bytes:
        """Return the message with these values (n,), which are in the filter's order."""
        return super().write(self._pick(values), state_stamp, command_stamp, record)


class TrajectoryWriter:
    """Write positions for `<controller>/joint_trajectory`, a `JointTrajectory` of one point.

    The stamp is 0, which starts it at once. The point has no velocities: ros2_controllers refuses a
    last point that moves unless told otherwise (`allow_nonzero_velocity_at_trajectory_end`), and
    with velocities of 0 it would come to rest at each point; by positions alone it interpolates
    linearly. The `frame_id`, which that controller does not read, holds what stands beside the
    values of `ControllerCommandWriter`: both stamps and the record, separated by blanks.

    `last` is the last one.
    """

    def __init__(
        self, joint_names: Sequence[str], order: Sequence[int], time_from_start_ns: int
    ) -> None:
        """Send `values[order[k]]` to the k-th joint named, to be reached in that time."""
        n = len(joint_names)
        names = b"".join(_text(name) for name in joint_names)
        self._names = _COUNT.pack(n) + names + _EXTENT.pack(1, n)
        self._values = struct.Struct(f"<{n}d")
        # No velocities, accelerations or efforts.
        time = _STAMP.pack(*divmod(time_from_start_ns, NS_PER_S))
        self._tail = _COUNT.pack(0) * 3 + time
        self._pick = _picking(order)
        self.last = self.write([0.0] * n, 0)

    def write(
        self, values: Sequence[float], state_stamp: int, command_stamp: int = 0, record: str = ""
    ) -> bytes:
        """Return the message with these positions (n,) rad, which are in the filter's order."""
        head = _STAMPLESS + _text(f"{state_stamp} {command_stamp} {record}") + self._names
        padding = b"\0" * ((_ORIGIN - len(head)) % 8)
        self.last = head + padding + self._values.pack(*self._pick(values)) + self._tail
        return self.last


def _picking(order: Sequence[int]) -> Callable[[Sequence[float]], Sequence[float]]:
    """Return the function that puts values into an order."""
    if list(order) == list(range(len(order))):
        return tuple
    picked: Callable[[Sequence[float]], Sequence[float]] = itemgetter(*order)
    return picked


def read_message(data: bytes, kind: type[M]) -> M | None:
    """Return a message of a kind, None for bytes that are none."""
    try:
        message: M = deserialize_message(data, kind)
    except _DAMAGED:
        return None
    return message


def read_controller_command(data: bytes) -> tuple[str, tuple[float, ...]]:
    """Return what a controller command answers and its values.

    The first is the label of `layout.dim[0]`, '' where there is none: see
    `ControllerCommandWriter`. Bytes that are no such message have no values.
    """
    try:
        if data.startswith(_LITTLE_ENDIAN_CDR):
            return _read_controller_command(data)
        message = deserialize_message(data, Float64MultiArray)
    except _DAMAGED:
        return "", ()
    dimensions = message.layout.dim
    return dimensions[0].label if dimensions else "", tuple(message.data)


def _read_controller_command(data: bytes) -> tuple[str, tuple[float, ...]]:
    at = _ORIGIN
    (dimensions,) = _COUNT.unpack_from(data, at)
    at += 4
    label = ""
    for index in range(dimensions):
        text, at = _read_string(data, at)
        at += (_ORIGIN - at) % 4 + _EXTENT.size
        label = label if index else text
    (count,) = _COUNT.unpack_from(data, at + 4)
    at += 8
    return label, struct.unpack_from(f"<{count}d", data, at + (_ORIGIN - at) % 8) if count else ()


def read_stamp(data: bytes) -> int | None:
    """Return the stamp in ns of a serialised joint state, None where there is none."""
    try:
        if not data.startswith(_LITTLE_ENDIAN_CDR):
            return _read_by_rclpy(data)[0]
        seconds, nanoseconds = _STAMP.unpack_from(data, _ORIGIN)
    except _DAMAGED:
        return None
    return int(seconds) * NS_PER_S + int(nanoseconds)


def _read_string(data: bytes, at: int) -> tuple[str, int]:
    at += (_ORIGIN - at) % 4
    (size,) = _COUNT.unpack_from(data, at)
    at += 4
    end = at + size
    if end > len(data):
        raise struct.error("a string is longer than the message")
    return data[at:end].rstrip(b"\0").decode(errors="replace"), end


def _text(text: str) -> bytes:
    """Return a string with its size before it, filled up to a multiple of four bytes."""
    coded = text.encode() + b"\0"
    return _COUNT.pack(len(coded)) + coded + b"\0" * (-len(coded) % 4)


def _read_by_rclpy(data: bytes) -> JointStateFields:
    message = deserialize_message(data, JointState)
    return (
        stamp_ns(message.header.stamp),
        list(message.name),
        tuple(message.position),
        tuple(message.velocity),
        tuple(message.effort),
    )
