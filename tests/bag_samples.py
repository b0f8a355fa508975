"""Messages for bags, and what is in a bag by rosbags' own reader."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import yaml
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from sinew_core.bags.writer import BagWriter

STORE = get_typestore(Stores.ROS2_JAZZY)
STATE_TYPE = "sensor_msgs/msg/JointState"
STRING_TYPE = "std_msgs/msg/String"
STATES = "/joint_states"
FIRST_NS = 1_700_000_000_000_000_000
STEP_NS = 1_000_000
STORAGES = ("mcap", "sqlite3")


def joint_state(stamp_ns: int, n_joints: int = 7) -> bytes:
    """A serialised joint state whose numbers follow from its stamp."""
    types = STORE.types
    seconds, rest = divmod(stamp_ns, 10**9)
    values = np.arange(n_joints) + stamp_ns % 10**9 * 1e-9
    message = types[STATE_TYPE](
        types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](seconds, rest), "base"),
        [f"joint_{i}" for i in range(n_joints)],
        values,
        -values,
        0.5 * values,
    )
    return bytes(STORE.serialize_cdr(message, STATE_TYPE))


def string(text: bytes) -> bytes:
    """A serialised String whose bytes need not be text."""
    return b"\0\1\0\0" + struct.pack("<I", len(text) + 1) + text + b"\0"


def states(count: int, start: int = 0) -> list[tuple[str, str, bytes, int]]:
    """Joint states at 1 kHz as arguments of `BagWriter.write`."""
    times = [FIRST_NS + i * STEP_NS for i in range(start, start + count)]
    return [(STATES, STATE_TYPE, joint_state(time), time) for time in times]


def read_all(path: Path) -> list[tuple[str, str, bytes, int]]:
    """All messages of a bag in the order in which rosbags gives them."""
    with AnyReader([path], default_typestore=STORE) as reader:
        return [(c.topic, c.msgtype, bytes(data), time) for c, time, data in reader.messages()]


class HandClock:
    """A steady clock that the test sets."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


def metadata(path):
    return yaml.safe_load((path / "metadata.yaml").read_text())["rosbag2_bagfile_information"]


def write(path, messages, **options):
    with BagWriter(path, **options) as writer:
        for message in messages:
            writer.write(*message)
