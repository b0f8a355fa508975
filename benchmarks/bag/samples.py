"""Make bags of an arm in motion, of every storage and compression, with the peer's writer."""

from __future__ import annotations

import math
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lz4.frame
import numpy as np
import yaml
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_JAZZY)
STATE, ARRAY, TRAJECTORY, STRING = (
    "sensor_msgs/msg/JointState",
    "std_msgs/msg/Float64MultiArray",
    "trajectory_msgs/msg/JointTrajectory",
    "std_msgs/msg/String",
)
START_NS = 1_700_000_000_000_000_000
NAMES = tuple(f"joint{i + 1}" for i in range(7))
_NS_PER_S = 1_000_000_000
_PLUGINS = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
_MODES = {
    "file": CompressionMode.FILE,
    "message": CompressionMode.MESSAGE,
    "storage": CompressionMode.STORAGE,
}
Values = Sequence[float] | np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Message:
    """One message of a bag."""

    topic: str
    type_name: str
    time_ns: int
    data: bytes


def _serialise(type_name: str, fields: Mapping[str, Any], *, little: bool = True) -> bytes:
    message = STORE.types[type_name](**fields)
    return bytes(STORE.serialize_cdr(message, type_name, little_endian=little))


def _header(stamp_ns: int, frame: str = "") -> object:
    seconds, nanoseconds = divmod(stamp_ns, _NS_PER_S)
    stamp = STORE.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return STORE.types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame)


def joint_state(
    stamp_ns: int,
    names: Sequence[str],
    position: Values,
    velocity: Values = (),
    effort: Values = (),
    *,
    frame: str = "",
    little: bool = True,
) -> bytes:
    """Serialise a `sensor_msgs/msg/JointState`."""
    return _serialise(
        STATE,
        {
            "header": _header(stamp_ns, frame),
            "name": list(names),
            "position": np.array(position, np.float64),
            "velocity": np.array(velocity, np.float64),
            "effort": np.array(effort, np.float64),
        },
        little=little,
    )


def float_array(values: Values, labels: Sequence[str] = (), *, little: bool = True) -> bytes:
    """Serialise a `std_msgs/msg/Float64MultiArray`."""
    dimension = STORE.types["std_msgs/msg/MultiArrayDimension"]
    layout = STORE.types["std_msgs/msg/MultiArrayLayout"](
        dim=[dimension(label=label, size=1, stride=1) for label in labels], data_offset=0
    )
    fields = {"layout": layout, "data": np.array(values, np.float64)}
    return _serialise(ARRAY, fields, little=little)


def trajectory(names: Sequence[str], *points: dict[str, Values]) -> bytes:
    """Serialise a `trajectory_msgs/msg/JointTrajectory` of points with these fields."""
    duration = STORE.types["builtin_interfaces/msg/Duration"](sec=0, nanosec=0)
    fields = ("positions", "velocities", "accelerations", "effort")
    made = [
        STORE.types["trajectory_msgs/msg/JointTrajectoryPoint"](
            **{f: np.array(point.get(f, ()), np.float64) for f in fields},
            time_from_start=duration,
        )
        for point in points
    ]
    content = {"header": _header(0), "joint_names": list(names), "points": made}
    return _serialise(TRAJECTORY, content)


def text(value: str) -> bytes:
    """Serialise a `std_msgs/msg/String`."""
    return _serialise(STRING, {"data": value})


def motion(
    n: int, rate_hz: float = 500.0, names: Sequence[str] = NAMES, *, latency_ns: int = 300_000
) -> list[Message]:
    """Return n joint states of a moving arm, each followed by the command that answers it."""
    messages = []
    period_ns = round(_NS_PER_S / rate_hz)
    phase = np.arange(len(names)) * 0.7
    for i in range(n):
        stamp_ns, time_s = START_NS + i * period_ns, i / rate_hz
        angle = 2.0 * math.pi * 0.5 * time_s + phase
        data = joint_state(stamp_ns, names, np.sin(angle), math.pi * np.cos(angle), np.cos(angle))
        log_ns = stamp_ns + latency_ns
        messages.append(Message("/joint_states", STATE, log_ns, data))
        data = float_array(np.sin(angle + 0.05), [str(stamp_ns)])
        topic = "/forward_position_controller/commands"
        messages.append(Message(topic, ARRAY, log_ns + 200_000, data))
    return messages


def write_bag(
    folder: Path,
    messages: Iterable[Message],
    storage: str = "mcap",
    compression: str = "",
) -> Path:
    """Write a bag; `compression` is '', `file`, `message` or, for MCAP, `storage`."""
    writer = Writer(folder, version=9, storage_plugin=_PLUGINS[storage])
    if compression:
        writer.set_compression(_MODES[compression], CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for m in messages:
            if m.topic not in connections:
                connections[m.topic] = writer.add_connection(m.topic, m.type_name, typestore=STORE)
            writer.write(connections[m.topic], m.time_ns, m.data)
    return folder


def split_bag(folder: Path, messages: Sequence[Message], parts: int, storage: str) -> Path:
    """Write a bag of several files, as recorders do that split by size or time."""
    folder.mkdir()
    size = -(-len(messages) // parts)
    names: list[str] = []
    counts = Counter(m.topic for m in messages)
    for part in range(parts):
        each = write_bag(folder / f"part{part}", messages[part * size :][:size], storage)
        source = next(p for p in each.iterdir() if p.suffix in (".mcap", ".db3"))
        names.append(f"{folder.name}_{part}{source.suffix}")
        source.rename(folder / names[-1])
        content = yaml.safe_load((each / "metadata.yaml").read_text())
        (each / "metadata.yaml").unlink()
        each.rmdir()
    information = content["rosbag2_bagfile_information"]
    information["relative_file_paths"] = names
    information["topics_with_message_count"] = [
        {
            "message_count": count,
            "topic_metadata": {"name": topic, "type": "", "serialization_format": "cdr"},
        }
        for topic, count in counts.items()
    ]
    (folder / "metadata.yaml").write_text(yaml.safe_dump(content))
    return folder


def write_plain_mcap(
    path: Path, messages: Sequence[Message], compression: str | None = None, *, crc: bool = True
) -> Path:
    """Write an MCAP file without a summary; in one chunk, unless `compression` is None."""
    topics = list(dict.fromkeys((m.topic, m.type_name) for m in messages))
    records = b""
    for number, (topic, type_name) in enumerate(topics, start=1):
        schema = struct.pack("<H", number) + _text(type_name) + _text("ros2msg") + _text("")
        channel = struct.pack("<HH", number, number) + _text(topic) + _text("cdr") + _text("")
        records += _record(3, schema) + _record(4, channel)
    for sequence, m in enumerate(messages):
        number = 1 + topics.index((m.topic, m.type_name))
        head = struct.pack("<HIQQ", number, sequence, m.time_ns, m.time_ns)
        records += _record(5, head + m.data)
    if compression is not None:
        packed = lz4.frame.compress(records) if compression == "lz4" else records
        times = [m.time_ns for m in messages]
        checksum = zlib.crc32(records) if crc else 0
        head = struct.pack("<QQQI", min(times), max(times), len(records), checksum)
        records = _record(6, head + _text(compression) + struct.pack("<Q", len(packed)) + packed)
    magic = b"\x89MCAP0\r\n"
    header = _record(1, _text("ros2") + _text("sinew"))
    footer = _record(0x0F, bytes(4)) + _record(2, bytes(20))
    path.write_bytes(magic + header + records + footer + magic)
    return path


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("<BQ", kind, len(content)) + content


def _text(value: str) -> bytes:
    return struct.pack("<I", len(value.encode())) + value.encode()
